"""Merging: polygons of a year that touch become one, as those do that were cut where the ground of two sites meets.

Outlines of one UTM zone lie on one lattice of pixel corners, so they are joined there, to the millimetre: in degrees
their shared sides would miss each other by rounding. Across zones they are joined in degrees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.components import components, rows_by_label
from minemap_assets.geo.vector import WGS84, polygons_only

_Rows = npt.NDArray[np.int64]

_MILLIMETRE = 1e-3
_NEAR_DEGREES = 1e-7


@dataclass(frozen=True, eq=False)
class Merged:
    """Simple polygons (EPSG:4326) and, for each, the rows of the raw outlines it is made of (sorted)."""

    polygons: npt.NDArray[np.object_]
    members: tuple[_Rows, ...]

    def take(self, keep: npt.NDArray[np.bool_]) -> "Merged":
        """The polygons where `keep` is True."""
        return Merged(self.polygons[keep], tuple(m for m, k in zip(self.members, keep, strict=True) if k))

    def with_polygons(self, polygons: npt.NDArray[np.object_]) -> "Merged":
        """The same members under other outlines."""
        return Merged(polygons, self.members)


def merge_sites(raw: gpd.GeoDataFrame, crs_of_site: Mapping[str, str]) -> Merged:
    """Join raw outlines of different sites that share ground or a side; order follows the first member.

    `raw` has site_id and geometry (EPSG:4326). Outlines that only meet at a corner stay apart.
    """
    polygons = np.asarray(raw.geometry, dtype=object)
    sites = raw["site_id"].to_numpy(dtype=object)
    left, right = _near(polygons)
    other = sites[left] != sites[right]
    left, right = left[other], right[other]
    if not len(left):
        return _unmerged(polygons)
    crs = np.array([crs_of_site[s] for s in sites], dtype=object)
    exact = _on_lattice(polygons, crs, np.unique(np.concatenate([left, right])))
    same = crs[left] == crs[right]
    meet = np.zeros(len(left), dtype=bool)
    meet[same] = shapely.intersects(exact[left[same]], exact[right[same]])
    meet[~same] = shapely.intersects(polygons[left[~same]], polygons[right[~same]])
    groups = _groups(left[meet], right[meet])
    return _merged(polygons, groups, _unions(groups, polygons, exact, crs))


def merge_touching(polygons: npt.NDArray[np.object_]) -> Merged:
    """Join simple polygons (EPSG:4326) that share ground or a side; order follows the first member.

    Polygons that only meet at a corner stay apart. Only polygons that touch others are looked at twice, so that the
    time grows with their number alone.
    """
    left, right = _near(polygons)
    meet = shapely.intersects(polygons[left], polygons[right])
    if not meet.any():
        return _unmerged(polygons)
    groups = _groups(left[meet], right[meet])
    return _merged(polygons, groups, [shapely.union_all(polygons[group]) for group in groups])


def absorb(merged: Merged) -> Merged:
    """Give polygons that lie inside another one (islands in a filled hole) to the one that holds them."""
    polygons = merged.polygons
    bounds = shapely.bounds(polygons).reshape(-1, 4)
    inner, outer = shapely.STRtree(polygons).query(polygons)
    near = np.flatnonzero(inner != outer)
    held = (bounds[inner[near], :2] >= bounds[outer[near], :2]) & (bounds[inner[near], 2:] <= bounds[outer[near], 2:])
    near = near[held.all(axis=1)]
    near = near[shapely.covered_by(polygons[inner[near]], polygons[outer[near]])]
    inner, outer = inner[near], outer[near]
    area = shapely.area(polygons)
    # of two that are the same, the first holds the other
    larger = (area[outer] > area[inner]) | ((area[outer] == area[inner]) & (outer < inner))
    inner, outer = inner[larger], outer[larger]
    if not len(inner):
        return merged
    order = np.lexsort((outer, -area[outer], inner))
    inner, outer = inner[order], outer[order]
    first = np.unique(inner, return_index=True)[1]
    members = list(merged.members)
    keep = np.ones(len(polygons), dtype=bool)
    for child, parent in zip(inner[first], outer[first], strict=True):
        members[parent] = np.union1d(members[parent], merged.members[child])
        keep[child] = False
    return Merged(polygons, tuple(members)).take(keep)


def _near(polygons: npt.NDArray[np.object_]) -> tuple[_Rows, _Rows]:
    """Pairs of polygons whose boxes come within a centimetre; the first of each pair comes first in the list."""
    if not len(polygons):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    boxes = shapely.box(*(shapely.bounds(polygons) + np.array([-1.0, -1.0, 1.0, 1.0]) * _NEAR_DEGREES).T)
    left, right = shapely.STRtree(polygons).query(boxes)
    once = left < right
    return left[once].astype(np.int64), right[once].astype(np.int64)


def _groups(left: _Rows, right: _Rows) -> list[_Rows]:
    """Polygons that belong together, directly or through others; those that belong to nothing are left out."""
    together = np.unique(np.concatenate([left, right]))
    labels = components(len(together), np.searchsorted(together, left), np.searchsorted(together, right))
    return [together[rows] for rows in rows_by_label(labels)]


def _unmerged(polygons: npt.NDArray[np.object_]) -> Merged:
    return Merged(polygons, tuple(np.arange(len(polygons), dtype=np.int64)[:, None]))


def _on_lattice(
    polygons: npt.NDArray[np.object_], crs: npt.NDArray[np.object_], rows: _Rows
) -> npt.NDArray[np.object_]:
    """The chosen outlines in their site's CRS, to the millimetre; None elsewhere."""
    exact = np.full(len(polygons), None, dtype=object)
    for zone in sorted(set(crs[rows])):
        chosen = rows[crs[rows] == zone]
        projected = np.asarray(gpd.GeoSeries(polygons[chosen], crs=WGS84).to_crs(zone), dtype=object)
        rounded = shapely.set_precision(projected, _MILLIMETRE, mode="pointwise")
        # rounding seldom breaks an outline; to make sure of it takes sixteen times as long
        broken = ~shapely.is_valid(rounded)
        rounded[broken] = shapely.set_precision(projected[broken], _MILLIMETRE)
        exact[chosen] = rounded
    return exact


def _unions(
    groups: Sequence[_Rows],
    polygons: npt.NDArray[np.object_],
    exact: npt.NDArray[np.object_],
    crs: npt.NDArray[np.object_],
) -> list[BaseGeometry]:
    """Union of each group in EPSG:4326: in its zone first, then across zones."""
    by_group: list[list[BaseGeometry]] = [[] for _ in groups]
    for zone in sorted({str(crs[row]) for group in groups for row in group}):
        inside = {n: rows for n, group in enumerate(groups) if len(rows := group[crs[group] == zone])}
        # where one outline alone lies in a zone, its own points stand
        unions = [shapely.union_all(exact[rows]) for rows in inside.values()]
        for n, geometry in zip(inside, to_wgs84(unions, zone), strict=True):
            by_group[n].append(polygons[inside[n][0]] if len(inside[n]) == 1 else geometry)
    return [found[0] if len(found) == 1 else shapely.union_all(found) for found in by_group]


def _merged(polygons: npt.NDArray[np.object_], groups: Sequence[_Rows], unions: Sequence[BaseGeometry]) -> Merged:
    """All polygons, those of a group as the parts of its union, in the order of their first members."""
    alone = np.ones(len(polygons), dtype=bool)
    pieces: list[tuple[BaseGeometry, _Rows]] = []
    for group, union in zip(groups, unions, strict=True):
        alone[group] = False
        pieces.extend(_parts(group, union, polygons))
    rows = np.flatnonzero(alone)
    pieces.extend(zip(polygons[rows], rows[:, None], strict=True))
    pieces.sort(key=lambda piece: int(piece[1][0]))
    shapes = np.empty(len(pieces), dtype=object)
    shapes[:] = [shape for shape, _ in pieces]
    return Merged(shapes, tuple(members for _, members in pieces))


def _parts(group: _Rows, union: BaseGeometry, polygons: npt.NDArray[np.object_]) -> list[tuple[BaseGeometry, _Rows]]:
    """A group's union as simple polygons, each with the members whose inner point lies in it."""
    areal = polygons_only(union)
    parts = np.array([] if areal is None else shapely.get_parts(areal), dtype=object)
    if len(parts) == 1:
        return [(parts[0], group)]
    points = shapely.point_on_surface(polygons[group])
    owner = np.argmin(shapely.distance(points[:, None], parts[None, :]), axis=1) if len(parts) else np.zeros(0)
    members = [group[owner == number] for number in range(len(parts))]
    return [(part, rows) for part, rows in zip(parts, members, strict=True) if len(rows)]
