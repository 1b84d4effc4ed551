"""Promotion: outlines that a person adds as sites, kept as an input of the lake."""

import json
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector_files import is_empty_collection, read_vector
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.regions import read_polygons
from minemap_assets.reference.registered import PROMOTED_SITES_PATH

DIGITS = 8


def promote(store: Store, source: Path, note: str, *, layer: str | None = None, crs: str | None = None) -> int:
    """Add the outlines of a vector file to the promoted ones; returns how many are new.

    An outline that is there already is left as it is; one across the antimeridian is cut there. Raises `BadInputError`
    for a file without polygons.
    """
    outlines = read_polygons(source, layer, crs, both_sides=True)
    if not outlines:
        raise BadInputError(f"{source} holds no outline; draw at least one polygon around a mine")
    inputs = Inputs(store)

    def edit(data: bytes | None) -> bytes | None:
        features = _parsed(inputs, data, store.root)
        new = _new(features, outlines, note)
        if not new:
            return data
        collection = {"type": "FeatureCollection", "features": features + new}
        return (json.dumps(collection, indent=1, sort_keys=True) + "\n").encode()

    change = inputs.change(PROMOTED_SITES_PATH, edit)
    return len(_new(_parsed(inputs, change.before, store.root), outlines, note))


def promoted_sites(project: Project) -> gpd.GeoDataFrame | None:
    """Outlines a person promoted to sites (EPSG:4326); None where there are none.

    Raises `BadInputError` where the file cannot be read.
    """
    return project.parsed(PROMOTED_SITES_PATH, partial(_frame, f"{project.lake.store.root}/{PROMOTED_SITES_PATH}"))


def _frame(where: str, data: bytes | None) -> gpd.GeoDataFrame | None:
    """Outlines of the very bytes that the project has read; `where` they lie, for messages."""
    if data is None or is_empty_collection(data):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / PurePosixPath(PROMOTED_SITES_PATH).name
        path.write_bytes(data)
        try:
            return read_vector(path)
        except BadInputError as error:
            raise BadInputError(str(error).replace(str(path), where)) from error


def _parsed(inputs: Inputs, data: bytes | None, root: str) -> list[dict[str, Any]]:
    with inputs.reading(PROMOTED_SITES_PATH, data):
        try:
            features: list[dict[str, Any]] = [] if data is None else list(json.loads(data)["features"])
            _outlines_of(features)
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"{root}/{PROMOTED_SITES_PATH} is not a GeoJSON FeatureCollection; restore an earlier version"
            ) from error
    return features


def _new(features: list[dict[str, Any]], outlines: Iterable[BaseGeometry], note: str) -> list[dict[str, Any]]:
    """Features of the outlines that are not there yet."""
    known = _outlines_of(features)
    return [f for f in (_feature(o, note) for o in outlines) if json.dumps(f["geometry"], sort_keys=True) not in known]


def _outlines_of(features: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(f["geometry"], sort_keys=True) for f in features}


def _feature(outline: BaseGeometry, note: str) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shapely.set_precision(outline, 10.0**-DIGITS)))
    return {"type": "Feature", "properties": {"note": note}, "geometry": geometry}
