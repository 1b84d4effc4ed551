"""Polygon sets: published or own mining polygons as one table of valid single polygons.

One registered set at a time: sets are united in `sites/ground_truth.py`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector import WGS84, areas_km2, write_geoparquet
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import Store
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry

FILE = "polygons.parquet"
_HASH_CHARACTERS = 16


def build_polygon_set(entry: ReferenceEntry, store: Store, writer: PartitionWriter) -> Outcome:
    """Write `polygons.parquet` [polygon_id, group, geometry] in EPSG:4326, sorted by polygon_id.

    Raises `BadInputError` where the registered file went missing or changed.
    """
    source = read_entry(entry, store)
    frame = polygon_table(source, id_column=entry.columns.get("id"), group_column=entry.columns.get("group"))
    writer.write(FILE, lambda path: write_geoparquet(frame, path))
    geometries = np.asarray(source.geometry.array, dtype=object)
    absent = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    kept = len(set(areal_parts(short_way(geometries))[1].tolist()))
    return Outcome(
        summary={
            "features": len(source),
            "polygons": len(frame),
            "repaired": int((~shapely.is_valid(geometries) & ~absent).sum()),
            "empty": int(absent.sum()),
            "without_area": len(source) - int(absent.sum()) - kept,
            "groups": int(frame["group"][frame["group"] != ""].nunique()),
            "area_km2": round(float(areas_km2(frame.geometry).sum()), 6),
        }
    )


def polygon_table(
    source: gpd.GeoDataFrame, *, id_column: str | None = None, group_column: str | None = None
) -> gpd.GeoDataFrame:
    """Valid single polygons [polygon_id, group, geometry] of a frame in EPSG:4326, sorted by polygon_id.

    One that spans 180 degrees is cut there: it becomes two, of the same group.

    Ids come from the set's own column, with `-1`, `-2` where one row becomes several polygons; without one they are
    hashes of the outline, so that they depend neither on the order of the rows nor on other rows.
    """
    parts, origin = areal_parts(short_way(np.asarray(source.geometry.array, dtype=object)))
    if id_column is None:
        contents = [hashlib.sha256(shapely.to_wkb(shapely.normalize(part))).hexdigest() for part in parts]
        ids = _numbered([content[:_HASH_CHARACTERS] for content in contents])
    else:
        own = [text_of(value) or f"row-{row + 1}" for row, value in enumerate(source[id_column])]
        ids = _numbered([own[row] for row in origin])
    groups = (
        np.full(len(parts), "", dtype=object)
        if group_column is None
        else np.array([text_of(value) for value in source[group_column]], dtype=object)[origin]
    )
    frame = gpd.GeoDataFrame({"polygon_id": ids, "group": groups}, geometry=parts, crs=WGS84)
    return frame.sort_values("polygon_id", kind="stable", ignore_index=True)


def check_polygons(source: gpd.GeoDataFrame) -> tuple[str, ...]:
    """What a person who registers a set (EPSG:4326) should know of it. Raises `BadInputError` where nothing is left."""
    kept = int(has_area(source).sum())
    if not kept:
        raise BadInputError("no polygon in it has an area; give another file or layer")
    lost = len(source) - kept
    has = "has" if lost == 1 else "have"
    return (f"{lost:,} of its {len(source):,} features {has} no area; left out",) if lost else ()


def has_area(source: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """For each feature whether it has an area, as it is or once it is repaired; only what needs it is repaired."""
    geometries = np.asarray(source.geometry.array, dtype=object)
    found = np.asarray(shapely.area(geometries) > 0)
    flat = np.flatnonzero(~found)
    found[flat[areal_parts(geometries[flat])[1]]] = True
    return found


def text_of(value: Any) -> str:
    """An id or label as text: whole numbers without decimals, nothing for a missing value."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _numbered(names: Sequence[str]) -> npt.NDArray[np.object_]:
    """Names made unique by `-1`, `-2`, in order, where one occurs more than once."""
    series = pd.Series(list(names), dtype=object)
    while series.duplicated().any():
        number = series.groupby(series).cumcount() + 1
        series = series.where(~series.duplicated(keep=False), series + "-" + number.astype(str))
    return np.asarray(series, dtype=object)
