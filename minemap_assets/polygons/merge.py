"""Merging: polygons that were cut where the ground of two sites meets become one again.

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

_MILLIMETRE = 1e-3
_NEAR_DEGREES = 1e-7


@dataclass(frozen=True, eq=False)
class Merged:
    """Simple polygons (EPSG:4326) and, for each, the rows of the raw outlines it is made of (sorted)."""

    polygons: npt.NDArray[np.object_]
    members: tuple[npt.NDArray[np.int64], ...]

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
    left, right = _neighbours(polygons, sites)
    if not len(left):
        return Merged(polygons, tuple(np.array([i]) for i in range(len(polygons))))
    crs = np.array([crs_of_site[s] for s in sites], dtype=object)
    exact = _on_lattice(polygons, crs, np.unique(left))
    same = crs[left] == crs[right]
    meet = np.zeros(len(left), dtype=bool)
    meet[same] = shapely.intersects(exact[left[same]], exact[right[same]])
    meet[~same] = shapely.intersects(polygons[left[~same]], polygons[right[~same]])
    groups = rows_by_label(components(len(polygons), left[meet], right[meet]))
    unions = _unions(groups, polygons, exact, crs)
    pieces = [piece for group, union in zip(groups, unions, strict=True) for piece in _parts(group, union, polygons)]
    pieces.sort(key=lambda piece: int(piece[1][0]))
    return Merged(np.array([p for p, _ in pieces], dtype=object), tuple(m for _, m in pieces))


def absorb(merged: Merged) -> Merged:
    """Give polygons that lie inside another one (islands in a filled hole) to the one that holds them."""
    count = len(merged.polygons)
    if not count:
        return merged
    inner, outer = shapely.STRtree(merged.polygons).query(merged.polygons, predicate="covered_by")
    inside = inner != outer
    inner, outer = inner[inside], outer[inside]
    if not len(inner):
        return merged
    area = shapely.area(merged.polygons)
    order = np.lexsort((-area[outer], inner))
    inner, outer = inner[order], outer[order]
    first = np.unique(inner, return_index=True)[1]
    members = list(merged.members)
    keep = np.ones(count, dtype=bool)
    for child, parent in zip(inner[first], outer[first], strict=True):
        members[parent] = np.union1d(members[parent], merged.members[child])
        keep[child] = False
    return Merged(merged.polygons, tuple(members)).take(keep)


def _neighbours(
    polygons: npt.NDArray[np.object_], sites: npt.NDArray[np.object_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of outlines of different sites whose boxes come within a centimetre, in both directions."""
    if not len(polygons):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    bounds = shapely.bounds(polygons)
    boxes = shapely.box(*(bounds + np.array([-1.0, -1.0, 1.0, 1.0]) * _NEAR_DEGREES).T)
    left, right = shapely.STRtree(polygons).query(boxes)
    other = sites[left] != sites[right]
    return left[other].astype(np.int64), right[other].astype(np.int64)


def _on_lattice(
    polygons: npt.NDArray[np.object_], crs: npt.NDArray[np.object_], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.object_]:
    """The chosen outlines in their site's CRS, to the millimetre; None elsewhere."""
    exact = np.full(len(polygons), None, dtype=object)
    for zone in sorted(set(crs[rows])):
        chosen = rows[crs[rows] == zone]
        projected = np.asarray(gpd.GeoSeries(polygons[chosen], crs=WGS84).to_crs(zone), dtype=object)
        exact[chosen] = shapely.set_precision(projected, _MILLIMETRE)
    return exact


def _unions(
    groups: Sequence[npt.NDArray[np.int64]],
    polygons: npt.NDArray[np.object_],
    exact: npt.NDArray[np.object_],
    crs: npt.NDArray[np.object_],
) -> list[BaseGeometry]:
    """Union of each group in EPSG:4326: in its zone first, then across zones; a group of one stays untouched."""
    several = [n for n, group in enumerate(groups) if len(group) > 1]
    by_group: dict[int, list[BaseGeometry]] = {n: [] for n in several}
    for zone in sorted({str(crs[row]) for n in several for row in groups[n]}):
        inside = {n: rows for n in several if len(rows := groups[n][crs[groups[n]] == zone])}
        joined = to_wgs84([shapely.union_all(exact[rows]) for rows in inside.values()], zone)
        for n, geometry in zip(inside, joined, strict=True):
            by_group[n].append(geometry)
    unions = [polygons[group[0]] for group in groups]
    for n, found in by_group.items():
        unions[n] = found[0] if len(found) == 1 else shapely.union_all(found)
    return unions


def _parts(
    group: npt.NDArray[np.int64], union: BaseGeometry, polygons: npt.NDArray[np.object_]
) -> list[tuple[BaseGeometry, npt.NDArray[np.int64]]]:
    """A group's union as simple polygons, each with the members whose inner point lies in it."""
    areal = polygons_only(union)
    parts = np.array([] if areal is None else shapely.get_parts(areal), dtype=object)
    if len(parts) == 1:
        return [(parts[0], group)]
    points = shapely.point_on_surface(polygons[group])
    owner = [int(np.argmin(shapely.distance(parts, point))) for point in points] if len(parts) else []
    members = [group[[n for n, o in enumerate(owner) if o == k]] for k in range(len(parts))]
    return [(part, rows) for part, rows in zip(parts, members, strict=True) if len(rows)]
