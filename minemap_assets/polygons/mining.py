"""Mining polygons: one year's outlines, confirmed by neighbouring years, merged, filled and named.

Outlines are joined across sites before the temporal rule, because the lines between sites are ours and not the mine's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.countries import Borders, CountryName, country_names, largest_share
from minemap_assets.polygons.holes import fill_holes
from minemap_assets.polygons.merge import Merged, absorb, merge_sites
from minemap_assets.polygons.preview import PREVIEW, polygon_sheet
from minemap_assets.polygons.raw import observe_year, vectorise_year
from minemap_assets.polygons.schemas import (
    MINING_POLYGONS,
    POLYGON_COUNTRY_AREA,
    SITE_AREA,
    write_table,
)
from minemap_assets.polygons.temporal.window_rule import Verdict, YearView, window_rule
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell, site_cells
from minemap_assets.sites.geohash import position_ids


@dataclass(frozen=True, eq=False)
class _RegionYear:
    """The year at hand: its sites' cells, what of them was observed, and the masks' index by site."""

    region: Region
    year: int
    cells: Mapping[str, SiteCell]
    observed: Mapping[str, float]
    index: pd.DataFrame
    status: str


@dataclass(frozen=True, eq=False)
class _Finished:
    """Polygons that stay, with their areas and the sites whose outlines they are made of."""

    merged: Merged
    area_km2: npt.NDArray[np.float64]
    site_ids: tuple[tuple[str, ...], ...]


def build_mining_polygons(
    region: Region,
    year: int,
    *,
    sites: gpd.GeoDataFrame,
    masks: Mapping[int, Partition],
    raw: gpd.GeoDataFrame,
    imagery_index: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    first_year: int,
    last_year: int | None = None,
    config: PolygonsConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write mining_polygons, polygon_country_area and site_area (Parquet).

    `masks` holds the published raw masks of the years around `year`, which must be among them; `raw` is the year's
    raw_polygons; before `first_year` and after `last_year` of the project no mask can exist. Raises `BadInputError`
    without masks of `year`.
    """
    if year not in masks:
        raise BadInputError(
            f"{region.slug} has no raw masks for {year}; make raw_masks of that year, then run this again"
        )
    cells = site_cells(sites)
    observed, index = observe_year(cells, masks[year])
    status = window_status(year, config.window, first_year, set(masks), last_year)
    of_year = _RegionYear(region, year, cells, observed, index, status)
    candidates = _objects(raw, cells, config)
    verdict = _judge(candidates, of_year, masks, config)
    kept = candidates.take(verdict.keep)
    kept = absorb(kept.with_polygons(fill_holes(kept.polygons, config.holes, config.min_hole_km2)))
    done = _finish(kept, raw)
    split = Borders(boundaries, config.border_tolerance_km).split(kept.polygons)
    polygons = _polygons(done, of_year, raw, imagery_index, config)
    _name_countries(polygons, split, country_names(boundaries))
    areas = _country_areas(polygons, split)
    panel = _site_area(done, of_year)
    for spec, frame in (
        (MINING_POLYGONS, polygons.sort_values("polygon_id")),
        (POLYGON_COUNTRY_AREA, areas),
        (SITE_AREA, panel),
    ):
        write_table(frame, spec, writer.path(spec.file))
        writer.add(spec.file)
    writer.write(PREVIEW, lambda path: path.write_bytes(polygon_sheet(polygons["geometry"].to_numpy(), cells)))
    return Outcome(_summary(polygons, panel, candidates, verdict, status))


def window_status(year: int, window: int, first_year: int, present: set[int], last_year: int | None = None) -> str:
    """`final` where every year of the window that lies in the project's years is present, else `provisional`."""
    last = year + window if last_year is None else min(year + window, max(last_year, year))
    wanted = range(max(year - window, min(first_year, year)), last + 1)
    return "final" if all(y in present for y in wanted) else "provisional"


def _objects(raw: gpd.GeoDataFrame, cells: Mapping[str, SiteCell], config: PolygonsConfig) -> Merged:
    """Whole objects of a year, without those below the least area."""
    merged = merge_sites(raw, {site: cell.crs for site, cell in cells.items()})
    if not len(merged.polygons) or config.min_area_km2 <= 0.0:
        return merged
    return merged.take(areas_km2(gpd.GeoSeries(merged.polygons, crs=WGS84)) >= config.min_area_km2)


def _judge(candidates: Merged, of_year: _RegionYear, masks: Mapping[int, Partition], config: PolygonsConfig) -> Verdict:
    def view(year: int) -> YearView | None:
        if year not in masks:
            return None
        found = vectorise_year(of_year.region, year, of_year.cells, masks[year], config)
        return YearView(_objects(found.frame, of_year.cells, config).polygons, found.unobserved)

    return window_rule(candidates.polygons, of_year.year, view, config.window, config.buffer_m)


def _finish(merged: Merged, raw: gpd.GeoDataFrame) -> _Finished:
    sites = raw["site_id"].to_numpy(dtype=object)
    areas = areas_km2(gpd.GeoSeries(merged.polygons, crs=WGS84)) if len(merged.polygons) else np.zeros(0)
    return _Finished(merged, areas, tuple(tuple(sorted(set(sites[rows]))) for rows in merged.members))


def _polygons(
    done: _Finished, of_year: _RegionYear, raw: gpd.GeoDataFrame, imagery: pd.DataFrame, config: PolygonsConfig
) -> pd.DataFrame:
    """Rows of mining_polygons but for their country, in the order of `done`."""
    points = shapely.point_on_surface(done.merged.polygons)
    prefix = f"{of_year.region.slug}-{of_year.year}-"
    frame = pd.DataFrame(
        {
            "polygon_id": position_ids(prefix, shapely.get_x(points), shapely.get_y(points), done.area_km2),
            "site_ids": list(done.site_ids),
            "region": of_year.region.slug,
            "year": of_year.year,
            "area_km2": done.area_km2,
            "mean_probability": _mean_probability(done.merged, raw),
            "operating_point": config.operating_point,
            "temporal_rule": config.rule_name,
            "status": of_year.status,
            "geometry": done.merged.polygons,
        }
    )
    return pd.concat([frame, _provenance(done, imagery, of_year.index)], axis=1)


def _name_countries(polygons: pd.DataFrame, split: pd.DataFrame, names: Mapping[str, CountryName]) -> None:
    codes = largest_share(split, len(polygons))
    polygons["country_iso3"] = codes
    polygons["country_name"] = [names[code].name for code in codes]
    polygons["continent"] = [names[code].continent for code in codes]


def _country_areas(polygons: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Rows of polygon_country_area, sorted; those of one polygon add up to its area."""
    number = split["polygon"].to_numpy(dtype=np.int64)
    frame = pd.DataFrame(
        {
            "polygon_id": polygons["polygon_id"].to_numpy(dtype=object)[number],
            "iso3": split["iso3"].to_numpy(dtype=object),
            "area_km2": split["share"].to_numpy() * polygons["area_km2"].to_numpy()[number],
        }
    )
    return frame.sort_values(["polygon_id", "iso3"])


def _mean_probability(merged: Merged, raw: gpd.GeoDataFrame) -> list[float]:
    """Mean over the pixels that are mine: filled holes have no say."""
    weight, mean = raw["area_km2"].to_numpy(), raw["mean_probability"].to_numpy()
    return [float(np.average(mean[rows], weights=weight[rows])) for rows in merged.members]


def _provenance(done: _Finished, imagery: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Product, model, sources, acquisitions and clear fraction of each polygon, from its sites."""
    known = imagery.drop_duplicates("site_id").set_index("site_id")
    clear = dict(zip(known.index, known["clear_fraction"].astype(float), strict=True))
    sources = dict(zip(known.index, known["source"].astype(str), strict=True))
    acquisitions = dict(zip(known.index, known["acquisitions"], strict=True))
    rows = []
    for site_ids in done.site_ids:
        seen = [s for s in site_ids if s in clear]
        rows.append(
            {
                "product": _joined(index, "product", site_ids),
                "model_version": _joined(index, "model_version", site_ids),
                "sources": sorted({sources[s] for s in seen}),
                "acquisitions": sorted({str(a) for s in seen for a in acquisitions[s]}),
                "clear_fraction": float(np.mean([clear[s] for s in seen])) if seen else np.nan,
            }
        )
    columns = ["product", "model_version", "sources", "acquisitions", "clear_fraction"]
    return pd.DataFrame(rows, columns=columns)


def _joined(index: pd.DataFrame, column: str, site_ids: Sequence[str]) -> str:
    """The sites' common value; where they differ, all of them."""
    return "+".join(sorted({str(index.at[s, column]) for s in site_ids}))


def _site_area(done: _Finished, of_year: _RegionYear) -> pd.DataFrame:
    """A row for every site; the areas add up to those of the polygons."""
    area = dict.fromkeys(of_year.cells, 0.0)
    shared: list[int] = []
    for number, site_ids in enumerate(done.site_ids):
        if len(site_ids) == 1:
            area[site_ids[0]] += float(done.area_km2[number])
        else:
            shared.append(number)
    for number, site, share in _shares(done, shared, of_year.cells):
        area[site] += share * float(done.area_km2[number])
    sites = sorted(of_year.cells)
    seen = of_year.observed
    products = of_year.index["product"].to_dict()
    return pd.DataFrame(
        {
            "site_id": sites,
            "region": of_year.region.slug,
            "year": of_year.year,
            "observed_share": [seen[s] for s in sites],
            "area_km2": [area[s] if seen[s] > 0.0 else np.nan for s in sites],
            "status": of_year.status,
            "product": [products.get(s) for s in sites],
        }
    )


def _shares(done: _Finished, shared: list[int], cells: Mapping[str, SiteCell]) -> list[tuple[int, str, float]]:
    """How polygons on the ground of several sites divide among them: (polygon, site, share); shares add up to 1."""
    pairs = [(number, site) for number in shared for site in done.site_ids[number]]
    if not pairs:
        return []
    parts = shapely.intersection(
        done.merged.polygons[[number for number, _ in pairs]],
        np.array([cells[site].cell for _, site in pairs], dtype=object),
    )
    frame = pd.DataFrame({"number": [n for n, _ in pairs], "area": areas_km2(gpd.GeoSeries(parts, crs=WGS84))})
    share = frame["area"] / frame.groupby("number")["area"].transform("sum")
    return [(number, site, float(s)) for (number, site), s in zip(pairs, share, strict=True)]


def _summary(
    polygons: pd.DataFrame, panel: pd.DataFrame, candidates: Merged, verdict: Verdict, status: str
) -> dict[str, object]:
    seen = int((panel["observed_share"] > 0.0).sum())
    return {
        "rows": len(polygons),
        "area_km2": round(float(polygons["area_km2"].sum()), 6),
        "status": status,
        "outlines_before_the_temporal_rule": len(candidates.polygons),
        "dropped_by_the_temporal_rule": int(np.count_nonzero(~verdict.keep)),
        "kept_without_evidence": int(np.count_nonzero(~verdict.judged)),
        "sites_expected": len(panel),
        "sites_observed": seen,
        "sites_not_observed": len(panel) - seen,
        "covered_share": round(float(panel["observed_share"].mean()), 6) if len(panel) else None,
    }
