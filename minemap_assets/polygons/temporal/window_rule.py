"""Which year is a polygon's neighbour: the nearest one, on each side, in which its ground was observed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely

from minemap_assets.polygons.temporal.intersect import confirmed

_SEEN_SHARE = 0.5
"""A year says something of a polygon where at least this share of the polygon's area was observed in it."""


@dataclass(frozen=True, eq=False)
class YearView:
    """One year as seen by another: its polygons, and the ground that was not observed in it (both EPSG:4326)."""

    polygons: npt.NDArray[np.object_]
    unobserved: npt.NDArray[np.object_]

    @cached_property
    def places(self) -> shapely.STRtree:
        """The polygons, ready to be searched; made once for all the years that ask."""
        return shapely.STRtree(self.polygons)

    @cached_property
    def hidden(self) -> shapely.STRtree:
        """The same of the ground that was not observed."""
        return shapely.STRtree(self.unobserved)


@dataclass(frozen=True, eq=False)
class Verdict:
    """For each polygon: whether it stays, and whether any year of the window could say something of it."""

    keep: npt.NDArray[np.bool_]
    judged: npt.NDArray[np.bool_]


def window_rule(
    polygons: npt.NDArray[np.object_],
    year: int,
    view: Callable[[int], YearView | None],
    window: int,
    buffer_m: float = 0.0,
) -> Verdict:
    """Apply the intersect rule with, on each side, the nearest observed of up to `window` years.

    `view(year)` gives another year, or None where that year was not observed at all; it is asked only for years that
    are needed. With `window=1` and everything observed this is the published rule. A polygon of which no year can say
    anything stays.
    """
    count = len(polygons)
    keep = np.zeros(count, dtype=bool)
    judged = np.zeros(count, dtype=bool)
    for step in (-1, 1):
        pending = np.ones(count, dtype=bool)
        for offset in range(1, window + 1):
            other = view(year + step * offset) if pending.any() else None
            if other is None:
                continue
            chosen = np.flatnonzero(pending)
            chosen = chosen[_seen(polygons[chosen], other.hidden)]
            keep[chosen] |= confirmed(polygons[chosen], other.places, buffer_m)
            judged[chosen] = True
            pending[chosen] = False
    return Verdict(keep | ~judged, judged)


def _seen(polygons: npt.NDArray[np.object_], unobserved: shapely.STRtree) -> npt.NDArray[np.bool_]:
    """True for each polygon of which less than half lies in `unobserved` ground (disjoint polygons)."""
    hidden = np.zeros(len(polygons))
    if len(polygons) and len(unobserved):
        left, right = unobserved.query(polygons, predicate="intersects")
        ground = unobserved.geometries[right]
        np.add.at(hidden, left, shapely.area(shapely.intersection(polygons[left], ground)))
    # degrees are fine for a share of one small polygon
    return np.asarray(hidden <= (1.0 - _SEEN_SHARE) * shapely.area(polygons), dtype=bool)
