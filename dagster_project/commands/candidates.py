"""Candidates for new sites: what was found, and making sites of them."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from minemap_assets.detection.assets import CANDIDATE_SITES, SCAN_IMAGERY
from minemap_assets.detection.drawing import PAGE, candidates_page
from minemap_assets.detection.ground import Ground
from minemap_assets.detection.schemas import CANDIDATES
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.messages import suggestion
from minemap_assets.polygons.schemas import read_table, stack
from minemap_assets.project.project import Project
from minemap_assets.sites.promotion import promote


def candidate_table(project: Project, regions: Sequence[str]) -> pd.DataFrame:
    """Candidates of regions, the surest first."""
    found = [project.lake.find(CANDIDATE_SITES.ref((slug,))) for slug in regions]
    tables = [read_table(one.file(CANDIDATES.file), CANDIDATES) for one in found if one is not None]
    return stack(tables, CANDIDATES).sort_values(["score_max", "candidate_id"], ascending=[False, True])


def export_candidates(project: Project, table: pd.DataFrame, folder: Path) -> int:
    """Write candidates as `candidates.geojson`, and pages of pictures in the same order; returns how many pages.

    Raises `BadInputError` where the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadInputError(f"{folder} holds something already; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    frame = gpd.GeoDataFrame(table, geometry="geometry", crs=WGS84)
    (folder / "candidates.geojson").write_text(frame.to_json(drop_id=True, to_wgs84=True), encoding="utf-8")
    pages = 0
    for slug, rows in frame.groupby("region", sort=True):
        grounds = _grounds(project, str(slug))
        for start in range(0, len(rows), PAGE):
            pages += 1
            part = rows.iloc[start : start + PAGE]
            title = f"{slug}: candidates {start + 1} to {start + len(part)} of {len(rows)}"
            (folder / f"{slug}-{start // PAGE + 1:03}.webp").write_bytes(candidates_page(title, part, grounds))
    return pages


def _grounds(project: Project, slug: str) -> dict[int, Ground]:
    """What a region looked like in each year that was scanned."""
    found = {year: project.lake.find(SCAN_IMAGERY.ref((slug, str(year)))) for year in project.years()}
    return {year: Ground(open_imagery(one)) for year, one in found.items() if one is not None}


def promote_candidates(
    project: Project,
    regions: Sequence[str],
    ids: Sequence[str],
    min_score: float | None,
    min_years: int | None,
    note: str,
) -> int:
    """Add outlines of candidates, by id or by rule, to the promoted sites; returns how many are new.

    Raises `BadInputError` for an id that is no candidate.
    """
    table = candidate_table(project, regions)
    known = set(table["candidate_id"])
    for one in ids:
        if one not in known:
            raise BadInputError(
                f"unknown candidate {one!r}{suggestion(one, known)}; `minemap scan candidates` lists them"
            )
    chosen = table["candidate_id"].isin(ids) if ids else pd.Series(data=True, index=table.index)
    if min_score is not None:
        chosen &= table["score_max"] >= min_score
    if min_years is not None:
        chosen &= table["years"] >= min_years
    if not chosen.any():
        return 0
    features = [
        {"type": "Feature", "properties": {}, "geometry": json.loads(shapely.to_geojson(outline))}
        for outline in table.loc[chosen, "geometry"]
    ]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "candidates.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return promote(project.lake.store, path, note)
