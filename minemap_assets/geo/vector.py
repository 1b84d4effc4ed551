"""Vector files and measures: GeoParquet that is the same bytes for the same rows, repaired geometry, true areas."""

import json
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pyproj
import shapely
from geopandas.array import GeometryArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.components import components, rows_by_label

WGS84 = "EPSG:4326"
EQUAL_AREA = "EPSG:6933"
_GEOD = pyproj.Geod(ellps="WGS84")


def write_geoparquet(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write GeoParquet 1.1 with zstd and a bbox covering column."""
    frame.to_parquet(
        path, index=False, compression="zstd", schema_version="1.1.0", write_covering_bbox=True, geometry_encoding="WKB"
    )


def read_geoparquet(path: Path) -> gpd.GeoDataFrame:
    """Read a file that `write_geoparquet` wrote, without its covering column.

    The same as `geopandas.read_parquet`, which takes most of its time for small files to understand their CRS again
    and again.
    """
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[b"geo"])
    name = facts["primary_column"]
    frame = table.drop_columns([c for c in ("bbox",) if c in table.column_names]).to_pandas()
    geometries = shapely.from_wkb(np.asarray(frame[name], dtype=object))
    crs = _crs_of(json.dumps(facts["columns"][name]["crs"], sort_keys=True))
    return gpd.GeoDataFrame(frame.assign(**{name: GeometryArray(geometries, crs=crs)}), geometry=name)


@cache
def _crs_of(projjson: str) -> pyproj.CRS | None:
    """The CRS that GeoParquet states; None where it states none."""
    return None if projjson == "null" else pyproj.CRS.from_json(projjson)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a plain table with zstd."""
    frame.to_parquet(path, index=False, compression="zstd")


def polygons_only(geometry: BaseGeometry) -> MultiPolygon | Polygon | None:
    """The areal part of a valid geometry; None where it has none."""
    if geometry is None or geometry.is_empty:
        return None
    if isinstance(geometry, Polygon | MultiPolygon):
        return geometry
    parts = [p for p in shapely.get_parts(geometry) if isinstance(p, Polygon | MultiPolygon) and not p.is_empty]
    if not parts:
        nested = [polygons_only(p) for p in shapely.get_parts(geometry) if shapely.get_num_geometries(p) > 1]
        parts = [p for p in nested if p is not None]
    if not parts:
        return None
    union = shapely.union_all(parts)
    return union if isinstance(union, Polygon | MultiPolygon) else None


def repair(geometry: BaseGeometry) -> MultiPolygon | Polygon | None:
    """A valid areal geometry covering what the broken one meant; None where nothing areal is left."""
    if geometry is None or geometry.is_empty:
        return None
    fixed = geometry if geometry.is_valid else shapely.make_valid(geometry, method="structure")
    return polygons_only(fixed)


def geodesic_area_km2(geometry: BaseGeometry) -> float:
    """Area on the WGS84 ellipsoid in square kilometres of a geometry in EPSG:4326."""
    if geometry is None or geometry.is_empty:
        return 0.0
    area, _ = _GEOD.geometry_area_perimeter(shapely.orient_polygons(geometry))
    return abs(float(area)) / 1e6


def areas_km2(geometries: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Equal-area (EPSG:6933) areas in square kilometres of a series with a CRS."""
    return np.asarray(geometries.to_crs(EQUAL_AREA).area, dtype=np.float64) / 1e6


def connected_components(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """Label geometries that touch or overlap, directly or through others; labels follow first appearance."""
    if not len(geometries):
        return np.zeros(0, dtype=np.int64)
    return components(len(geometries), *shapely.STRtree(geometries).query(geometries, predicate="intersects"))


def dissolve_touching(geometries: npt.NDArray[np.object_]) -> list[BaseGeometry]:
    """Union of each connected group; groups of one are passed through untouched."""
    groups = [geometries[rows] for rows in rows_by_label(connected_components(geometries))]
    return [group[0] if len(group) == 1 else shapely.union_all(group) for group in groups]
