"""Promotion: outlines that a person adds as sites, kept as an input of the lake."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.vector_files import is_empty_collection, read_vector
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.regions import read_polygons
from minemap_assets.reference.registered import PROMOTED_SITES_PATH

DIGITS = 8


def promote(store: Store, source: Path, note: str, *, layer: str | None = None, crs: str | None = None) -> int:
    """Add the outlines of a vector file to the promoted ones; returns how many are new.

    An outline that is there already is left as it is. Raises `BadInputError` for a file without polygons.
    """
    outlines = read_polygons(source, layer, crs)
    if not outlines:
        raise BadInputError(f"{source} holds no outline; draw at least one polygon around a mine")
    features = _read(store)
    known = {json.dumps(f["geometry"], sort_keys=True) for f in features}
    new = [f for f in (_feature(o, note) for o in outlines) if json.dumps(f["geometry"], sort_keys=True) not in known]
    collection = {"type": "FeatureCollection", "features": features + new}
    store.write_bytes(PROMOTED_SITES_PATH, (json.dumps(collection, indent=1, sort_keys=True) + "\n").encode())
    return len(new)


def promoted_sites(project: Project) -> gpd.GeoDataFrame | None:
    """Outlines a person promoted to sites (EPSG:4326); None where there are none.

    Raises `BadInputError` where the file cannot be read.
    """
    data = project.input(PROMOTED_SITES_PATH)
    if data is None or is_empty_collection(data):
        return None
    return read_vector(project.lake.store.fetch(PROMOTED_SITES_PATH))


def _read(store: Store) -> list[dict[str, Any]]:
    try:
        features: list[dict[str, Any]] = json.loads(store.read_bytes(PROMOTED_SITES_PATH))["features"]
    except NotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{store.root}/{PROMOTED_SITES_PATH} is not a GeoJSON FeatureCollection; restore an earlier version"
        ) from error
    return features


def _feature(outline: BaseGeometry, note: str) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shapely.set_precision(outline, 10.0**-DIGITS)))
    return {"type": "Feature", "properties": {"note": note}, "geometry": geometry}
