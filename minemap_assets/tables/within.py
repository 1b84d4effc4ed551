"""Areas within: how much of some ground of one's own, such as reserves or concessions, is mapped in a year."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.vector import EQUAL_AREA, WGS84
from minemap_assets.tables.counted import Counted, Shapes, count_regions
from minemap_assets.tables.panel import common_status
from minemap_assets.tables.parts import RegionPart
from minemap_assets.tables.schemas import MISSING

_MARGIN_DEGREES = 1.0
"""How far a site's own ground may reach beyond its region."""


@dataclass(frozen=True)
class AreaWithin:
    """What is mapped inside one feature in one year.

    `area_km2` is None, and not zero, where none of the known sites with ground in the feature was observed, or there is
    none; `reason` then says so. `covered_share` is the mean over these sites of the share of their own ground that was
    observed, None without sites.
    """

    feature: int
    name: str
    year: int
    feature_km2: float
    area_km2: float | None
    polygons: int
    sites_expected: int
    sites_observed: int
    covered_share: float | None
    status: str
    reason: str


def area_within(year: int, parts: Sequence[RegionPart], features: gpd.GeoDataFrame) -> list[AreaWithin]:
    """Mapped area of a year inside each feature [name, geometry] (EPSG:4326, areal), in the order of features.

    Polygons and features are intersected in EPSG:6933; ground of several regions counts once, as in the tables. Sides
    of features are straight in that CRS.
    """
    near = [part for part in parts if _reaches(part, features)]
    shapes = _metric(np.asarray(features.geometry, dtype=object))
    mapped = np.zeros(len(features))
    polygons = np.zeros(len(features), dtype=np.int64)
    for one in count_regions(near):
        feature, area = _mapped(one, features, shapes)
        mapped += np.bincount(feature, weights=area, minlength=len(features))
        polygons += np.bincount(feature, minlength=len(features))
    sites = _sites(near, features)
    sizes = shapely.area(shapes) / 1e6
    found = []
    for number, (name, size) in enumerate(zip(features["name"], sizes, strict=True)):
        here = sites[sites["feature"] == number]
        seen = int((here["observed_share"] > 0.0).sum())
        known = seen > 0 or polygons[number] > 0
        found.append(
            AreaWithin(
                feature=number + 1,
                name=str(name),
                year=year,
                feature_km2=float(size),
                area_km2=float(mapped[number]) if known else None,
                polygons=int(polygons[number]),
                sites_expected=len(here),
                sites_observed=seen,
                covered_share=float(here["observed_share"].mean()) if len(here) else None,
                status=common_status(here["status"]) if len(here) else MISSING,
                reason="" if known else _why(len(here)),
            )
        )
    return found


def _why(sites: int) -> str:
    if not sites:
        return "no known site has ground there"
    return "its only site was not observed" if sites == 1 else f"none of its {sites} sites was observed"


def _reaches(part: RegionPart, features: gpd.GeoDataFrame) -> bool:
    reach = shapely.buffer(shapely.box(*part.region.geometry.bounds), _MARGIN_DEGREES, join_style="mitre")
    return bool(shapely.intersects(reach, np.asarray(features.geometry, dtype=object)).any())


def _metric(shapes: Shapes) -> Shapes:
    return np.asarray(gpd.GeoSeries(list(shapes), crs=WGS84).to_crs(EQUAL_AREA), dtype=object)


def _mapped(
    one: Counted, features: gpd.GeoDataFrame, metric: Shapes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of a feature and a polygon of a region that meet: the feature's number, and the area they share in km2."""
    boxes = np.asarray(shapely.box(*one.mining.bounds.T), dtype=object)
    tree = shapely.STRtree(boxes)
    feature, row = tree.query(np.asarray(features.geometry, dtype=object), predicate="intersects")
    rows, place = np.unique(row, return_inverse=True)
    shapes = one.mining.geometries(rows.astype(np.int64))
    left = dict(zip(one.rows.tolist(), one.left, strict=True))
    for number, polygon in enumerate(rows.tolist()):
        shapes[number] = left.get(polygon, shapes[number])
    area = shapely.area(shapely.intersection(metric[feature], _metric(shapes)[place])) / 1e6
    real = np.nan_to_num(area) > 0.0
    return np.asarray(feature[real], dtype=np.int64), area[real]


def _sites(parts: Sequence[RegionPart], features: gpd.GeoDataFrame) -> pd.DataFrame:
    """[feature, site_id, observed_share, status] of every site that owns ground inside a feature, each site once."""
    frames = [_sites_of(part, features) for part in parts if len(part.ground)]
    empty = pd.DataFrame({"feature": [], "site_id": [], "observed_share": [], "status": []})
    every = pd.concat([frame for frame in frames if len(frame)] or [empty], ignore_index=True)
    # a region that was made speaks before one that was not, and one that saw more before one that saw less
    every = every.assign(missing=every["status"] == MISSING)
    order = every.sort_values(["feature", "site_id", "missing", "observed_share"], ascending=[True, True, True, False])
    return order.drop_duplicates(["feature", "site_id"])


def _sites_of(part: RegionPart, features: gpd.GeoDataFrame) -> pd.DataFrame:
    ground = np.asarray(part.ground.geometry, dtype=object)
    shapes = np.asarray(features.geometry, dtype=object)
    feature, row = shapely.STRtree(ground).query(shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(shapes[feature], ground[row])) > 0.0
    frame = pd.DataFrame({"feature": feature[shared], "site_id": part.ground["site_id"].to_numpy()[row[shared]]})
    if part.mining is None:
        return frame.assign(observed_share=0.0, status=MISSING)
    told = part.mining.site_area[["site_id", "observed_share", "status"]]
    frame = frame.merge(told, on="site_id", how="left")
    return frame.assign(observed_share=frame["observed_share"].fillna(0.0), status=frame["status"].fillna(MISSING))
