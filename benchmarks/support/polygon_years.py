"""Yearly mining polygons in any number: real outlines at many places that grow, drift, drop out and touch others."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.geo.vector import WGS84

METRES_PER_DEGREE = 111_320.0
DRIFT_M = 20.0
DROPS_OUT = 0.12
BESIDE = 0.25
"""Share of polygons that overlap another one of their year, as those of overlapping windows do."""

NOISE = 0.06
"""Share of polygons that no other year has."""


def polygon_years(
    outlines: npt.NDArray[np.object_], land: npt.NDArray[np.object_], count: int, year: int
) -> np.ndarray:
    """About `count` polygons (EPSG:4326) of a year; the same arguments give the same polygons."""
    places = np.random.default_rng(1)
    centres = _on_land(land, count, places)
    kind = places.integers(0, len(outlines), count)
    turn = places.uniform(0, 2 * np.pi, count)
    size = places.uniform(0.5, 1.2, count)
    beside = places.permutation(count)[: int(BESIDE * count)]
    born = places.integers(2006, 2020, count)
    own = np.random.default_rng(year)
    centres[beside] = centres[beside - 1] + 0.5 * _radius(outlines)[kind[beside - 1], None] / METRES_PER_DEGREE
    lonely = own.random(count) < NOISE
    centres[lonely] = _on_land(land, int(lonely.sum()), own)
    centres += own.normal(0, DRIFT_M / METRES_PER_DEGREE, centres.shape)
    seen = (own.random(count) > DROPS_OUT) & ((born <= year) | lonely)
    growth = size * (1 + 0.03 * np.maximum(year - born, 0))
    return _placed(outlines, kind[seen], turn[seen], growth[seen], centres[seen])


def write_years(outlines: npt.NDArray[np.object_], land: npt.NDArray[np.object_], count: int, path: Path) -> int:
    """A GeoPackage [uid, year, geometry] of 2016 to 2024 with `count` polygons a year, as the paper publishes them."""
    rows = 0
    for year in range(2016, 2025):
        # of those that were ever born some drop out
        polygons = polygon_years(outlines, land, round(count * 1.7), year)[:count]
        uid = [f"{year}-{n:07d}" for n in range(len(polygons))]
        frame = gpd.GeoDataFrame({"uid": uid, "year": np.int32(year)}, geometry=polygons, crs=WGS84)
        frame.to_file(path, layer="predictions", mode="w" if year == 2016 else "a", engine="pyogrio")
        rows += len(frame)
    return rows


def local_outlines(frame: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    """Single polygons of a frame in metres around their middles."""
    polygons = shapely.get_parts(np.asarray(frame.geometry, dtype=object))
    middles = shapely.get_coordinates(shapely.centroid(polygons))
    across = np.cos(np.radians(middles[:, 1]))
    return np.array([_local(p, m, a) for p, m, a in zip(polygons, middles, across, strict=True)], dtype=object)


def _local(polygon: shapely.Polygon, middle: Sequence[float], across: float) -> shapely.Polygon:
    scale = np.array([across, 1.0]) * METRES_PER_DEGREE
    return shapely.transform(polygon, lambda xy: (xy - np.asarray(middle)) * scale)


def _radius(outlines: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    return np.asarray(np.sqrt(shapely.area(outlines) / np.pi), dtype=np.float64)


def _on_land(land: npt.NDArray[np.object_], count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    tree = shapely.STRtree(land)
    found: list[npt.NDArray[np.float64]] = []
    while sum(map(len, found)) < count:
        tried = random.uniform([-110.0, -28.0], [175.0, 28.0], (4_000, 2))
        found.append(tried[np.unique(tree.query(shapely.points(tried), predicate="intersects")[0])])
    return np.concatenate(found)[:count]


def _placed(
    outlines: npt.NDArray[np.object_],
    kind: npt.NDArray[np.int64],
    turn: npt.NDArray[np.float64],
    size: npt.NDArray[np.float64],
    centres: npt.NDArray[np.float64],
) -> npt.NDArray[np.object_]:
    shapes = outlines[kind]
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    cos, sin = (np.cos(turn) * size)[owner], (np.sin(turn) * size)[owner]
    x = points[:, 0] * cos - points[:, 1] * sin
    y = points[:, 0] * sin + points[:, 1] * cos
    middle = centres[owner]
    across = np.cos(np.radians(middle[:, 1]))
    ground = np.column_stack([middle[:, 0] + x / METRES_PER_DEGREE / across, middle[:, 1] + y / METRES_PER_DEGREE])
    return np.asarray(shapely.set_coordinates(shapes.copy(), ground), dtype=object)
