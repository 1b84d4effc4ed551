"""Corrections: mapped polygons that a person rejected or redrew, applied by where they lie and not by their ids.

A model that is trained again gives other outlines with other ids; ground stays where it is. A rejection says that
there is no mine on some ground: a polygon of which at least half lies there goes as a whole, and any other polygon
loses that ground. A redrawn outline takes the place of the polygons of which at least half lies in it (or in what it
`replaces`); in a year in which there is none it is not drawn, so that no mine is older than it was mapped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.polygons.correction_file import Correction

MAJORITY = 0.5
"""A correction decides about a polygon of which at least this share lies in its ground."""

_ROUNDING = 1e-9
"""Shares of a polygon below this are rounding."""


Kind = Literal["redrawn", "cut"]


@dataclass(frozen=True, eq=False)
class Corrected:
    """What corrections leave of a year's polygons.

    `keep` is True for those that stay as they are. `outlines` (simple polygons, EPSG:4326) come in place of others:
    `replaced` tells of which, as sorted numbers, and `kinds` whether an outline was `redrawn` by a person or is what
    was left of a polygon that lost ground (`cut`). `rejected` and `redrawn` count polygons that went. `notes` are
    sentences.
    """

    keep: npt.NDArray[np.bool_]
    outlines: npt.NDArray[np.object_]
    replaced: tuple[npt.NDArray[np.int64], ...]
    kinds: tuple[Kind, ...]
    rejected: int = 0
    redrawn: int = 0
    notes: tuple[str, ...] = ()


def corrections_facts(corrections: Sequence[Correction], area: BaseGeometry, year: int) -> list[str]:
    """What of the corrections the polygons of an area and year depend on, for a fingerprint: nothing where none meets
    the area in that year.
    """
    held = [one for one in corrections if one.applies(year)]
    shapely.prepare(area)
    met = shapely.intersects(area, np.array([one.ground for one in held], dtype=object))
    return [one.content for one, meets in zip(held, met, strict=True) if meets]


def apply_corrections(
    polygons: npt.NDArray[np.object_],
    year: int,
    corrections: Sequence[Correction],
    *,
    within: BaseGeometry | None = None,
    min_area_km2: float = 0.0,
) -> Corrected:
    """What is left of a year's polygons (N simple ones in EPSG:4326, disjoint), and what comes in place of others.

    Of several corrections of a polygon the last rejection makes those before it void, and of two redrawn outlines that
    share most of one of them the later one is drawn. What stays is disjoint: later outlines and rejections take ground
    from earlier outlines, and both from polygons that they do not decide about. Redrawn outlines are clipped to
    `within`; pieces below `min_area_km2` are dropped.
    """
    count = len(polygons)
    chosen = [one for one in corrections if one.applies(year)]
    if not chosen or not count:
        return Corrected(np.ones(count, dtype=bool), np.zeros(0, dtype=object), (), ())
    deciding = _deciding(polygons, chosen)
    replaced: dict[int, list[int]] = {}
    keep = np.ones(count, dtype=bool)
    gone: dict[int, int] = {}
    for number, by in deciding.items():
        keep[number] = False
        drawn = _drawn(by, chosen)
        if not drawn:
            gone[by[-1]] = gone.get(by[-1], 0) + 1
        for place in drawn:
            replaced.setdefault(place, []).append(number)
    pieces = _Pieces(min_area_km2)
    takers = [p for p, one in enumerate(chosen) if p in replaced or one.action == "reject"]
    taken = np.array([chosen[p].geometry for p in takers], dtype=object)
    tree = shapely.STRtree(taken)
    for place in sorted(replaced):
        near = tree.query(chosen[place].geometry, predicate="intersects")
        later = [n for n in sorted(near) if takers[n] > place]
        outline = _without(chosen[place].geometry, taken[later])
        if outline is not None and within is not None:
            outline = polygons_only(shapely.intersection(outline, within))
        pieces.add(outline, replaced[place], "redrawn")
    cut = _cut(polygons, keep, taken, tree, pieces)
    notes = _notes(chosen, gone, replaced, cut, year)
    total = len({number for numbers in replaced.values() for number in numbers})
    return pieces.finished(keep, sum(gone.values()), total, notes)


def is_rejected(ground: BaseGeometry, years: Sequence[int], corrections: Sequence[Correction]) -> bool:
    """Whether one rejection that holds for all these years decides about some ground (EPSG:4326) as a whole."""
    least = (MAJORITY - _ROUNDING) * shapely.area(ground)
    return any(
        one.action == "reject"
        and all(map(one.applies, years))
        and shapely.area(shapely.intersection(one.geometry, ground)) >= least
        for one in corrections
    )


@dataclass(eq=False)
class _Pieces:
    """Outlines that come in place of polygons, gathered."""

    min_area_km2: float
    outlines: list[BaseGeometry] = field(default_factory=list)
    replaced: list[npt.NDArray[np.int64]] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)

    def add(self, geometry: BaseGeometry | None, numbers: Sequence[int], kind: Kind) -> None:
        """The parts of a geometry, each in place of all these polygons."""
        parts = np.array([] if geometry is None else shapely.get_parts(geometry), dtype=object)
        if self.min_area_km2 > 0.0 and len(parts):
            parts = parts[areas_km2(gpd.GeoSeries(parts, crs=WGS84)) >= self.min_area_km2]
        for part in parts:
            self.outlines.append(part)
            self.replaced.append(np.array(sorted(numbers), dtype=np.int64))
            self.kinds.append(kind)

    def finished(self, keep: npt.NDArray[np.bool_], rejected: int, redrawn: int, notes: tuple[str, ...]) -> Corrected:
        """Everything, beside what stays as it is."""
        outlines = np.empty(len(self.outlines), dtype=object)
        outlines[:] = self.outlines
        return Corrected(keep, outlines, tuple(self.replaced), tuple(self.kinds), rejected, redrawn, notes)


def _deciding(polygons: npt.NDArray[np.object_], chosen: Sequence[Correction]) -> dict[int, list[int]]:
    """For each polygon that any correction decides about, the places of these in `chosen`, in order."""
    grounds = np.array([one.ground for one in chosen], dtype=object)
    place, number = shapely.STRtree(polygons).query(grounds, predicate="intersects")
    inside = shapely.area(shapely.intersection(polygons[number], grounds[place]))
    # degrees are fine for a share of one small polygon
    most = inside >= (MAJORITY - _ROUNDING) * shapely.area(polygons[number])
    found: dict[int, list[int]] = {}
    for p, n in sorted(zip(place[most].tolist(), number[most].tolist(), strict=True)):
        found.setdefault(n, []).append(p)
    return dict(sorted(found.items()))


def _drawn(by: Sequence[int], chosen: Sequence[Correction]) -> list[int]:
    """Of the corrections that decide about a polygon, those whose outlines come in its place; none rejects it."""
    drawn: list[int] = []
    for place in by:
        if chosen[place].action == "reject":
            drawn = []
        else:
            drawn = [p for p in drawn if not _mostly_same(chosen[p].geometry, chosen[place].geometry)] + [place]
    return drawn


def _mostly_same(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two outlines share most of one of them."""
    shared = shapely.area(shapely.intersection(one, other))
    return bool(shared >= MAJORITY * min(shapely.area(one), shapely.area(other)))


def _without(geometry: BaseGeometry, takers: npt.NDArray[np.object_]) -> BaseGeometry | None:
    """A geometry without ground that others take, None where nothing is left; itself where they take none."""
    if not len(takers):
        return geometry
    left = polygons_only(shapely.difference(geometry, shapely.union_all(takers)))
    if left is not None and shapely.area(left) >= (1.0 - _ROUNDING) * shapely.area(geometry):
        return geometry
    return left


def _cut(
    polygons: npt.NDArray[np.object_],
    keep: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.object_],
    tree: shapely.STRtree,
    pieces: _Pieces,
) -> int:
    """Take ground from polygons that stay; what is left of them goes to `pieces`. Returns how many lost ground."""
    staying = np.flatnonzero(keep)
    met, near = tree.query(polygons[staying], predicate="intersects")
    cut = 0
    for place in np.unique(met):
        number = int(staying[place])
        left = _without(polygons[number], taken[np.sort(near[met == place])])
        if left is not polygons[number]:
            keep[number] = False
            cut += 1
            pieces.add(left, [number], "cut")
    return cut


def _notes(
    chosen: Sequence[Correction],
    gone: Mapping[int, int],
    replaced: Mapping[int, Sequence[int]],
    cut: int,
    year: int,
) -> tuple[str, ...]:
    notes = []
    for place, one in enumerate(chosen):
        if place in gone:
            notes.append(f"{one} takes {_polygons(gone[place])} of {year} away")
        if place in replaced:
            notes.append(f"{one} comes in place of {_polygons(len(replaced[place]))} of {year}")
    if cut:
        notes.append(f"{_polygons(cut)} of {year} lost ground to corrections of others")
    return tuple(notes)


def _polygons(number: int) -> str:
    return f"{number:,} polygon{'' if number == 1 else 's'}"
