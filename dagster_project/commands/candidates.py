"""Candidates for new sites: what was found, and making sites of them."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import shapely

from minemap_assets.detection.assets import CANDIDATE_SITES
from minemap_assets.detection.schemas import CANDIDATES
from minemap_assets.errors import BadInputError
from minemap_assets.messages import suggestion
from minemap_assets.polygons.schemas import read_table, stack
from minemap_assets.project.project import Project
from minemap_assets.sites.promotion import promote


def candidate_table(project: Project, regions: Sequence[str]) -> pd.DataFrame:
    """Candidates of regions, the surest first."""
    found = [project.lake.find(CANDIDATE_SITES.ref((slug,))) for slug in regions]
    tables = [read_table(one.file(CANDIDATES.file), CANDIDATES) for one in found if one is not None]
    return stack(tables, CANDIDATES).sort_values(["score_max", "candidate_id"], ascending=[False, True])


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
