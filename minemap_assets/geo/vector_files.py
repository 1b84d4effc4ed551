"""Vector files as people hand them over: the usual formats, brought to EPSG:4326 and checked."""

import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyproj.exceptions import CRSError, ProjError

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import within_a_turn
from minemap_assets.geo.vector import WGS84, repair
from minemap_assets.geo.vector_formats import FOLDER, READABLE, gdal_address

_UNREADABLE = (
    *(DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError, CRSError),
    *(shapely.GEOSException, zipfile.BadZipFile, zlib.error, struct.error),
    *(UnicodeError, ValueError, OSError, RuntimeError, LookupError, TypeError, ArithmeticError, MemoryError),
)
_PARQUET = (".parquet", ".geoparquet")
_ARCHIVES = (".zip", ".kmz")
_LONGITUDE = ("longitude", "lon", "lng", "x")
_LATITUDE = ("latitude", "lat", "y")
_ROUNDING_DEGREES = 1e-6


@dataclass(frozen=True)
class Rows:
    """Rows of a file by the values of a column."""

    column: str
    values: tuple[str | int | float, ...]


def read_vector(
    path: Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    known_layers: Sequence[str] = (),
    only: Rows | None = None,
) -> gpd.GeoDataFrame:
    """All features of a file, two-dimensional, in EPSG:4326.

    Longitudes beyond 180 degrees are brought back, and what reaches across is cut there into parts on both sides.
    `crs` says what the coordinates are in where the file does not, or says it wrongly. A file of several layers needs
    `layer`, unless exactly one of its layers is among `known_layers`. Text tables (.csv) need longitude and latitude
    columns. `only` some rows are read of a file that is too large to be read whole. No other file is read, and no
    address fetched, whatever the file says. Raises `BadInputError`.
    """
    if not path.exists():
        raise BadInputError(f"{path} does not exist; give the path of a vector file")
    if path.is_dir() and path.suffix.lower() != FOLDER:
        raise BadInputError(f"{path} is a folder; give one vector file in it")
    try:
        frame = _open(path, layer, known_layers, only)
    except _UNREADABLE as error:
        raise BadInputError(f"{path} cannot be read as a vector file ({_one_line(error)}); {READABLE}") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise BadInputError(f"{path} holds a table without geometry; give a file with geometries")
    if not len(frame):
        raise BadInputError(f"{path} holds no features; give a file with at least one")
    return _in_degrees(frame, path, crs)


def is_empty_collection(data: bytes) -> bool:
    """True for a GeoJSON FeatureCollection without features, which `read_vector` refuses."""
    try:
        return bool(json.loads(data)["features"] == [])
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def check_degrees(bounds: Sequence[float], where: str) -> None:
    """Refuse bounds (west, south, east, north) that cannot be degrees on one side of the antimeridian.

    Raises `BadInputError`.
    """
    west, south, east, north = bounds
    if not np.isfinite([west, south, east, north]).all():
        raise BadInputError(
            f"{where} has coordinates that lie nowhere on Earth in its CRS; say the right one with --crs"
        )
    spread = f"x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g}"
    if min(south, -north) < -90 - _ROUNDING_DEGREES and min(south, -north) >= -180 and min(west, -east) >= -90:
        raise BadInputError(
            f"{where} has latitude and longitude in each other's place ({spread}, and no latitude is beyond 90); swap "
            "them, longitude comes first"
        )
    if min(south, -north) < -90 - _ROUNDING_DEGREES or min(west, -east) < -360 - _ROUNDING_DEGREES:
        raise BadInputError(
            f"{where} is in another CRS than it says: {spread} are not degrees; say the right one with --crs"
        )
    if min(west, -east) < -180 - _ROUNDING_DEGREES:
        raise BadInputError(
            f"{where} crosses the antimeridian ({spread}); cut it at longitude 180 and give the two sides separately"
        )


def areal_parts(
    geometries: npt.NDArray[np.object_],
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Repair geometries and take them apart into valid single polygons.

    Returns the polygons and, for each, the position of the geometry it came from; a geometry with nothing areal in it
    has no polygon.
    """
    flat = shapely.force_2d(geometries)
    broken = ~shapely.is_valid(flat) | (shapely.get_type_id(flat) == shapely.GeometryType.GEOMETRYCOLLECTION)
    for position in np.flatnonzero(broken):
        flat[position] = repair(flat[position])
    parts, origin = shapely.get_parts(flat, return_index=True)
    areal = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)
    return parts[areal], np.asarray(origin[areal], dtype=np.int64)


def _open(
    path: Path, layer: str | None, known_layers: Sequence[str], only: Rows | None
) -> gpd.GeoDataFrame | pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        chosen = None if only is None else [(only.column, "in", list(only.values))]
        return gpd.read_parquet(path.absolute(), filters=chosen)
    if suffix == ".csv":
        table = _points_of_table(path.absolute())
        return table if only is None else table[table[only.column].isin(only.values)]
    source, where = gdal_address(path, layer), None if only is None else _sql(only)
    if suffix in _ARCHIVES:
        return pyogrio.read_dataframe(source, where=where)
    layers = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
    if layer is None and len(layers) > 1:
        known = [name for name in layers if name in known_layers]
        if len(known) != 1:
            raise BadInputError(f"{path} has the layers {', '.join(sorted(layers))}; choose one with --layer")
        layer = known[0]
    if layer is not None and layer not in layers:
        raise BadInputError(f"{path} has no layer {layer!r}; it has {', '.join(sorted(layers)) or 'none'}")
    return pyogrio.read_dataframe(source, layer=layer, where=where)


def _sql(only: Rows) -> str:
    """The condition in the SQL of GDAL."""
    quoted = ["'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value) for value in only.values]
    column = only.column.replace('"', '\\"')
    return f'"{column}" IN ({", ".join(quoted)})'


def _points_of_table(path: Path) -> gpd.GeoDataFrame:
    table = pd.read_csv(path)
    names = {str(c).lower(): c for c in table.columns}
    longitude = next((names[n] for n in _LONGITUDE if n in names), None)
    latitude = next((names[n] for n in _LATITUDE if n in names), None)
    if longitude is None or latitude is None:
        has = ", ".join(map(str, table.columns))
        raise BadInputError(f"{path} has no longitude and latitude columns; it has {has}")
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table[longitude], table[latitude]), crs=WGS84)


def _in_degrees(frame: gpd.GeoDataFrame, path: Path, crs: str | None) -> gpd.GeoDataFrame:
    if crs is not None:
        try:
            frame = frame.set_crs(crs, allow_override=True)
        except CRSError as error:
            raise BadInputError(f"{crs!r} is not a CRS; give one such as EPSG:4326") from error
    if frame.crs is None:
        raise BadInputError(
            f"{path} does not say which CRS its coordinates are in; say it with --crs (EPSG:4326 for longitude and "
            "latitude)"
        )
    frame = frame.set_geometry(shapely.force_2d(frame.geometry.array))
    try:
        if frame.crs.is_geographic:
            frame = _within_a_turn(frame)
            check_degrees(_bounds(frame), str(path))
        frame = frame.to_crs(WGS84)
    except (ProjError, shapely.GEOSException, MemoryError) as error:
        raise BadInputError(f"{path} cannot be brought from its CRS to EPSG:4326 ({_one_line(error)})") from error
    check_degrees(_bounds(frame), str(path))
    return frame


def _within_a_turn(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The frame with longitudes from -180 to 180, where they are degrees at all."""
    west, south, east, north = _bounds(frame)
    if not np.isfinite([west, south, east, north]).all() or max(-west, east) <= 180.0 + _ROUNDING_DEGREES:
        return frame
    if max(-west, east) > 360.0 or max(-south, north) > 90.0 + _ROUNDING_DEGREES:
        return frame
    return frame.set_geometry(gpd.GeoSeries(within_a_turn(np.asarray(frame.geometry.array)), frame.index, frame.crs))


def _bounds(frame: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    filled = frame.geometry[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if not len(filled):
        return (0.0, 0.0, 0.0, 0.0)
    corners = np.asarray(filled.bounds, dtype=np.float64)
    west, south = corners[:, :2].min(axis=0)
    east, north = corners[:, 2:].max(axis=0)
    return (float(west), float(south), float(east), float(north))


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split("; It might help", maxsplit=1)[0].rstrip(".")
