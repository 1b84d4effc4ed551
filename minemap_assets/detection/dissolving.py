"""From patches to outlines, and from the outlines of years to what has been added (EPSG:4326)."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import polygons_only

Outline = Polygon | MultiPolygon
Shape = TypeVar("Shape", Outline, Polygon)

CLOSING_DEGREES = 1e-5
"""Half the gap over which patches are still one outline (mining-detector, commit bbbcb2d): two metres in all."""

OPENING_DEGREES = 1e-4
"""Half the width of the narrowest addition: edges of patches that moved by a pixel are no new ground (as above)."""


def dissolve(outlines: Iterable[Outline]) -> list[Outline]:
    """Patches or outlines that touch each other, as one: widened, united, narrowed again; sorted by their bounds.

    What touches at a corner alone is one outline of two parts.
    """
    wide = [_buffered(outline, CLOSING_DEGREES) for outline in outlines]
    narrow = [_buffered(one, -CLOSING_DEGREES) for one in shapely.get_parts(shapely.union_all(wide))]
    return _sorted(one for one in map(polygons_only, narrow) if one is not None)


def added(now: Sequence[Outline], before: Sequence[Outline]) -> list[Polygon]:
    """Ground of `now` that no outline of `before` covers, without what is narrower than twice `OPENING_DEGREES`."""
    tree = shapely.STRtree(before)
    pieces: list[Polygon] = []
    for outline in now:
        touching = [before[n] for n in tree.query(outline, predicate="intersects")]
        rest: BaseGeometry = outline.difference(shapely.union_all(touching)) if touching else outline
        clean = polygons_only(_buffered(_buffered(rest, -OPENING_DEGREES), OPENING_DEGREES))
        pieces += [] if clean is None else shapely.get_parts(clean).tolist()
    return _sorted(pieces)


def _buffered(outline: BaseGeometry, by: float) -> BaseGeometry:
    """Moved outwards with corners that stay corners: patches stay squares."""
    return outline.buffer(by, join_style="mitre")


def _sorted(shapes: Iterable[Shape]) -> list[Shape]:
    return sorted((shape for shape in shapes if not shape.is_empty), key=lambda shape: shape.bounds)
