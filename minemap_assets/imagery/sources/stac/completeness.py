"""Whether a catalogue holds every image that the satellites took of a place in a season.

The rule: each relative orbit that sees the place has an image of each of its tiles every five days. Where one is
missing, the next collection is asked for the season, and gives every image that the earlier ones lack. That a pass was
not taken at all (a manoeuvre, a failure) costs one search more, never an image.

What is known of the satellites:

- Their ground tracks repeat after 143 orbits in 10 days, exactly (Sentinel-2 User Handbook). So which relative orbits
  see a place is geometry; `_FIRST_NODE` was fitted to footprints and relative orbits of recorded items.
- Two satellites, half a cycle apart, pass each orbit every 5 days. In January 2025 Sentinel-2C took the place of 2A,
  which has flown between the others since; its images come on top, at days of their own.
- From 2015 on there was one satellite, from July 2017 on a second, and outside Europe and Africa not every pass was
  taken before both downlinks worked, early in 2018. Until March 2018 no revisit can be relied on, and a collection is
  always taken for incomplete.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import shapely

from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.scenes import Scene

RELIABLE_SINCE = date(2018, 3, 1)
"""From this day on every pass over land was taken, as a rule."""

REVISIT = 5.0
"""Days between two passes of an orbit, by either satellite."""

LATENCY = timedelta(days=4)
"""An image may be that young and not be in a catalogue yet."""

_ORBITS, _CYCLE = 143, 10.0
_INCLINATION = math.radians(98.62)
_FIRST_NODE = 0.96
"""Longitude in degrees at which relative orbit 1 would cross the equator northward."""

_WITHIN = 130.0
"""Kilometres to the side of the ground track in which an orbit surely sees a place: the swath reaches to 148."""

_RADIUS = 6371.0
_FLATTENING = 1.0 / 298.257
_SAME_PASS = 0.4
"""Days by which images of a five-day rhythm may be off it: minutes in truth, hours for items that are dated loosely."""

_EDGE = 0.03
"""Days before the ends of a season within which a pass is not missed: it comes minutes earlier or later each time."""


@dataclass(frozen=True)
class Shortage:
    """What a season lacks: `passes` of a tile and orbit without an image (at least), `early` where it begins before
    passes were taken reliably, so that more may be lacking than can be told. False where nothing is lacking.
    """

    passes: int
    early: bool

    def __bool__(self) -> bool:
        return self.passes > 0 or self.early

    def __str__(self) -> str:
        count = f"{self.passes} pass{'' if self.passes == 1 else 'es'} without one"
        return f"{count}, or more before {RELIABLE_SINCE:%B %Y}" if self.early else count


def shortage(scenes: Sequence[Scene], season: Season, points: Iterable[shapely.Point], now: datetime) -> Shortage:
    """What scenes, one an image, lack of the passes over a place in a season, until `now`.

    `points` (EPSG:4326) stand for the place.
    """
    first = max(season.start, RELIABLE_SINCE)
    span = _days(_midnight(first)), min(_days(_midnight(season.end)), _days(now - LATENCY))
    groups: defaultdict[tuple[str, int | None], list[float]] = defaultdict(list)
    for scene in scenes:
        groups[scene.tile, scene.orbit].append(_days(scene.moment))
    passes = sum(_missing(sorted(times), span) for times in groups.values())
    expected = max(0, math.floor((span[1] - span[0]) / REVISIT))
    return Shortage(passes + expected * len(_unseen_orbits(scenes, points)), season.start < RELIABLE_SINCE)


def relative_orbits(point: shapely.Point) -> tuple[int, ...]:
    """The relative orbits whose daylight passes see a place (EPSG:4326), but for their swaths' outermost 18 km."""
    latitude = math.atan((1.0 - _FLATTENING) ** 2 * math.tan(math.radians(point.y)))
    bearings = np.arange(0.5 * np.pi, 1.5 * np.pi, math.radians(0.1))
    heights = np.arcsin(math.sin(_INCLINATION) * np.sin(bearings))
    along = np.unwrap(np.arctan2(math.cos(_INCLINATION) * np.sin(bearings), np.cos(bearings)))
    lengths = along - bearings * _CYCLE / _ORBITS
    near = np.abs(heights - latitude) < math.radians(2.5)
    heights, lengths = heights[near], lengths[near]
    nodes = math.radians(_FIRST_NODE) - np.arange(_ORBITS) * 2.0 * np.pi * _CYCLE / _ORBITS
    apart = nodes[:, None] + lengths - math.radians(point.x)
    cosines = math.sin(latitude) * np.sin(heights) + math.cos(latitude) * np.cos(heights) * np.cos(apart)
    closest = cosines.max(axis=1, initial=-1.0)
    return tuple(int(n) + 1 for n in np.flatnonzero(closest > math.cos(_WITHIN / _RADIUS)))


def _unseen_orbits(scenes: Sequence[Scene], points: Iterable[shapely.Point]) -> set[int]:
    """Relative orbits that see one of the points without any scene showing it; none where scenes do not tell theirs."""
    if any(scene.orbit is None for scene in scenes):
        return set()
    unseen: set[int] = set()
    for point in points:
        seen = {scene.orbit for scene in scenes if scene.geometry.intersects(point)}
        unseen.update(orbit for orbit in relative_orbits(point) if orbit not in seen)
    return unseen


def _missing(times: Sequence[float], span: tuple[float, float]) -> int:
    """Passes that five-day rhythms through these times (days, sorted) lack within a span.

    Images off the first one's rhythm make up rhythms of their own, whose passes count just so.
    """
    missing = 0
    left = list(times)
    while left:
        steps = [(time - left[0]) / REVISIT for time in left]
        taken = {round(step) for step in steps if abs(step - round(step)) * REVISIT <= _SAME_PASS}
        lowest = math.ceil((span[0] + _EDGE - left[0]) / REVISIT)
        highest = math.floor((span[1] - _EDGE - left[0]) / REVISIT)
        missing += sum(step not in taken for step in range(lowest, highest + 1))
        left = [t for t, step in zip(left, steps, strict=True) if abs(step - round(step)) * REVISIT > _SAME_PASS]
    return missing


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(moment: datetime) -> float:
    return moment.timestamp() / 86_400.0
