"""Area of the ground truth by region and by country, to stand beside the mapped area of its reference year."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from minemap_assets.geo.vector import WGS84, areas_km2, read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.rules import reference_year_of
from minemap_assets.publication.published import by_region
from minemap_assets.sites.assets import GROUND_TRUTH
from minemap_assets.sites.ground_truth import FILE

if TYPE_CHECKING:
    import geopandas as gpd

REGION, COUNTRY, ALL = "region", "country", "all"
"""Of what ground a figure of the ground truth is."""


@dataclass(frozen=True)
class TruthArea:
    """Outlines that count as truth in a region, in a country, or in all regions together (`name` is then empty), in the
    year that they describe. `outlines` is None for a country, where an outline may be of several.
    """

    of: str
    name: str
    year: int
    area_km2: float
    outlines: int | None


def truth_areas(context: InputContext, boundaries: "gpd.GeoDataFrame | None") -> tuple[TruthArea, ...]:
    """The ground truth inside the regions by region, by country and in all; each ground counts once in the latter two.

    There is a figure for all regions, and for a country, only where all its outlines are of one year.
    """
    project, held = context.project, []
    areas: list[TruthArea] = []
    for slug, part in by_region(context, GROUND_TRUTH).items():
        frame = read_geoparquet(part.file(FILE))
        inside = frame[(frame["layer"] == "labels") & (frame["area_km2"] > 0.0)]
        year = reference_year_of(project, project.region(slug))
        if len(inside):
            areas.append(TruthArea(REGION, slug, year, float(inside["area_km2"].sum()), len(inside)))
            held.append(inside.assign(region=slug, year=year))
    if not held:
        return ()
    once = _once(context, pd.concat(held, ignore_index=True))
    if once["year"].nunique() == 1:
        areas.append(TruthArea(ALL, "", int(once["year"].iloc[0]), float(once["area_km2"].sum()), len(once)))
    return (*areas, *_by_country(context, once, boundaries))


def _once(context: InputContext, outlines: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Each outline once, with its area inside all regions together."""
    import geopandas as gpd
    import shapely

    several = outlines["truth_id"].duplicated(keep=False)
    once = outlines.drop_duplicates("truth_id").reset_index(drop=True)
    if several.any():
        ground = shapely.union_all([region.geometry for region in context.project.active_regions().values()])
        again = once["truth_id"].isin(outlines.loc[several, "truth_id"]).to_numpy()
        cut = shapely.intersection(np.asarray(once.geometry[again], dtype=object), ground)
        once.loc[again, "area_km2"] = areas_km2(gpd.GeoSeries(cut, crs=WGS84))
    return once


def _by_country(
    context: InputContext, once: "gpd.GeoDataFrame", boundaries: "gpd.GeoDataFrame | None"
) -> list[TruthArea]:
    from minemap_assets.polygons.config import PolygonsConfig
    from minemap_assets.polygons.countries import Borders

    if boundaries is None:
        return []
    borders = Borders(boundaries, context.project.section(PolygonsConfig).border_tolerance_km)
    split = borders.split(np.asarray(once.geometry, dtype=object))
    split["area_km2"] = split["share"] * once["area_km2"].to_numpy()[split["polygon"]]
    split["year"] = once["year"].to_numpy()[split["polygon"]]
    found = []
    for iso3, rows in split.groupby("iso3", sort=True):
        if rows["year"].nunique() == 1:
            found.append(TruthArea(COUNTRY, str(iso3), int(rows["year"].iloc[0]), float(rows["area_km2"].sum()), None))
    return found
