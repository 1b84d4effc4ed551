"""Country borders as the page draws them: simplified together, so that neighbours keep one border between them."""

import json
from typing import TYPE_CHECKING, Any

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import InputContext
from minemap_assets.publication.published import one_of
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

TOLERANCE_DEGREES = 0.01
"""About a kilometre; the border that areas are split at is the exact one, and this one is for the eye."""

FINEST_SHARE = 1 / 400
"""Of the whole extent: boundaries of a small world are not simplified away."""

_DIGITS = 5


def border_collection(context: InputContext) -> dict[str, Any]:
    """GeoJSON of countries with code and name; without features where no boundaries are registered."""
    import shapely

    found = one_of(context, COUNTRY_BOUNDARIES)
    if found is None:
        return {"type": "FeatureCollection", "features": []}
    frame = read_geoparquet(found.file("boundaries.parquet")).sort_values("iso3", kind="stable")
    left, bottom, right, top = frame.total_bounds
    tolerance = min(TOLERANCE_DEGREES, max(right - left, top - bottom) * FINEST_SHARE)
    # its tolerance is the root of an area
    shapes = shapely.coverage_simplify(frame.geometry.to_numpy(), tolerance)
    rounded = shapely.set_precision(shapes, 10.0**-_DIGITS, mode="pointwise")
    order = (-shapely.area(rounded)).argsort(kind="stable").argsort(kind="stable")
    rows = zip(frame["iso3"], frame["name"], rounded, order, strict=True)
    features = [_feature(str(code), str(name), shape, int(rank)) for code, name, shape, rank in rows if shape]
    return {"type": "FeatureCollection", "features": features}


def _feature(code: str, name: str, shape: "BaseGeometry", rank: int) -> dict[str, Any]:
    """A country with where its name stands, its bounds, and its place by size."""
    import shapely

    largest = max(shapely.get_parts(shape), key=shapely.area)
    middle = shapely.point_on_surface(largest)
    facts = {
        "iso3": code,
        "name": name,
        "rank": rank,
        "at": [round(middle.x, 3), round(middle.y, 3)],
        "box": [round(one, 3) for one in largest.bounds],
    }
    return {"type": "Feature", "properties": facts, "geometry": json.loads(shapely.to_geojson(shape))}
