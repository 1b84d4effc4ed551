"""Candidate sites: detections of any year that lie where no site is known, for a person or a rule to decide on."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.artefact import ClassifierCard
from minemap_assets.detection.dissolving import dissolve
from minemap_assets.detection.isolation import geocentric
from minemap_assets.detection.schemas import CANDIDATES, DETECTIONS, UNSEEN
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders, largest_share
from minemap_assets.polygons.schemas import empty_table, read_table, stack, write_table
from minemap_assets.sites.geohash import position_ids

PRECISION = 7
"""Characters of a candidate's geohash: 150 x 150 m."""

_STEP_DEGREES = 0.001
"""How far points on the outline of a site's window are from each other: 110 m at the equator."""


def build_candidates(
    region: str,
    years: Mapping[int, Partition],
    sites: gpd.GeoDataFrame,
    boundaries: gpd.GeoDataFrame,
    card: ClassifierCard,
    far_metres: float,
    writer: PartitionWriter,
) -> Outcome:
    """Write `candidate_sites.parquet`: outlines of all years' detections, joined where they touch, that are further
    than `far_metres` from the windows of all sites.
    """
    detections = stack([read_table(p.file(DETECTIONS.file), DETECTIONS) for p in years.values()], DETECTIONS)
    outlines = np.asarray(dissolve(detections["geometry"]), dtype=np.object_)
    distances = to_windows(outlines, sites.geometry.to_numpy())
    far = outlines[distances > far_metres] if len(sites) else outlines
    unseen = {year: _unseen(partition) for year, partition in years.items()}
    table = _table(region, far, distances[distances > far_metres] if len(sites) else None, detections, unseen)
    if len(table):
        table["country_iso3"] = largest_share(Borders(boundaries).split(far), len(far))
    ordered = table.sort_values(["score_max", "candidate_id"], ascending=[False, True], ignore_index=True)
    writer.write(CANDIDATES.file, lambda path: write_table(ordered, CANDIDATES, path))
    return Outcome(
        {
            "verdict": card.verdict,
            "candidates": len(table),
            "patch_area_km2": round(float(table["patch_area_km2"].sum()), 4),
            "detections": len(outlines),
            "known_sites": len(sites),
            "years": sorted(years),
        }
    )


def to_windows(outlines: npt.NDArray[np.object_], windows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Metres from each outline (n) to the nearest window, both in EPSG:4326: 0 where they touch, infinite without any.

    Beyond a kilometre it is that between points on both, which is a hundred metres too much at most.
    """
    if not len(windows) or not len(outlines):
        return np.full(len(outlines), np.inf)
    from scipy.spatial import cKDTree

    points = shapely.get_coordinates(shapely.segmentize(windows, _STEP_DEGREES))
    tree = cKDTree(geocentric(points[:, 0], points[:, 1]))
    found = np.zeros(len(outlines))
    touching = np.zeros(len(outlines), bool)
    touching[shapely.STRtree(windows).query(outlines, predicate="intersects")[0]] = True
    for number in np.flatnonzero(~touching):
        corners = shapely.get_coordinates(shapely.segmentize(outlines[number], _STEP_DEGREES))
        found[number] = tree.query(geocentric(corners[:, 0], corners[:, 1]))[0].min()
    return found


def _unseen(partition: Partition) -> shapely.Geometry:
    """Ground of a year of which nothing was observed."""
    return shapely.union_all(read_table(partition.file(UNSEEN.file), UNSEEN)["geometry"].to_numpy())


def _table(
    region: str,
    outlines: npt.NDArray[np.object_],
    distances: npt.NDArray[np.float64] | None,
    detections: pd.DataFrame,
    unseen: Mapping[int, shapely.Geometry],
) -> gpd.GeoDataFrame:
    if not len(outlines):
        return gpd.GeoDataFrame(empty_table(CANDIDATES), geometry="geometry", crs=WGS84)
    bounds = shapely.bounds(outlines)
    longitudes, latitudes = bounds[:, [0, 2]].mean(1), bounds[:, [1, 3]].mean(1)
    areas = areas_km2(gpd.GeoSeries(outlines, crs=WGS84))
    points = shapely.point_on_surface(detections["geometry"].to_numpy())
    number, outline = shapely.STRtree(outlines).query(points, predicate="intersects")
    of = detections.iloc[number].assign(outline=outline).groupby("outline")
    facts = of.agg(
        first_year=("year", "min"), last_year=("year", "max"), years=("year", "nunique"), score_max=("score_max", "max")
    )
    scanned = [sum(not shapely.contains(ground, one) for ground in unseen.values()) for one in outlines]
    columns: dict[str, Any] = {
        "candidate_id": position_ids(f"{region}-", longitudes, latitudes, areas, PRECISION),
        "region": region,
        "country_iso3": "",
        "years_scanned": scanned,
        "patch_area_km2": areas,
        "site_distance_km": np.nan if distances is None else distances / 1000.0,
        "longitude": longitudes,
        "latitude": latitudes,
    }
    return gpd.GeoDataFrame(columns, geometry=outlines, crs=WGS84).join(facts)
