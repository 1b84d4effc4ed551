"""Two sets of outlines of the same place: how much ground they share, and how near their lines run to each other.

Intersection over union tells of area, and a large mine hides every fault of its outline in it; the boundary F1 (Csurka
et al. 2013, "What is a good evaluation measure for semantic segmentation?") tells of the outline alone: the harmonic
mean of the shares of both outlines' lengths that run within a few metres of the other. It is the measure of
`segmentation/evaluation/boundary_agreement.py` on lines instead of pixels.
"""

import math
from dataclasses import dataclass

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import EQUAL_AREA, WGS84

TOLERANCE_METRES = 10.0
"""How far apart two outlines may run to agree: two pixels of 5 m."""

_EDGE_METRES = 1.0
"""So near to the edge of a window a line is the edge's own."""

_QUARTER = 4
"""Sides of a quarter circle around a vertex: within 2 % of the tolerance."""


@dataclass(frozen=True)
class PolygonAgreement:
    """Areas of two sets of outlines and of what they share (km2), lengths of their lines and of what of each runs near
    the other (km). Those of several places add up.
    """

    area_km2: float = 0.0
    other_km2: float = 0.0
    both_km2: float = 0.0
    length_km: float = 0.0
    near_km: float = 0.0
    other_length_km: float = 0.0
    other_near_km: float = 0.0

    def __add__(self, other: "PolygonAgreement") -> "PolygonAgreement":
        return PolygonAgreement(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def iou(self) -> float:
        """Intersection over union; NaN where neither has ground."""
        union = self.area_km2 + self.other_km2 - self.both_km2
        return self.both_km2 / union if union > 0.0 else math.nan

    @property
    def boundary_f1(self) -> float:
        """Harmonic mean of the shares of both lines that run near the other; NaN where neither has a line."""
        if self.length_km + self.other_length_km <= 0.0:
            return math.nan
        if self.near_km <= 0.0 or self.other_near_km <= 0.0:
            return 0.0
        precision, recall = self.near_km / self.length_km, self.other_near_km / self.other_length_km
        return 2.0 * precision * recall / (precision + recall)


def agreement(
    one: BaseGeometry,
    other: BaseGeometry,
    window: BaseGeometry | None = None,
    tolerance_m: float = TOLERANCE_METRES,
) -> PolygonAgreement:
    """Compare two areal geometries (EPSG:4326) of one place, inside a window of it.

    The window's own edge is no outline: lines along it count nowhere.
    """
    seen = shapely.box(*shapely.bounds(shapely.union(one, other))) if window is None else window
    if seen.is_empty:
        return PolygonAgreement()
    ours, theirs = (shapely.intersection(shape, seen) if window is not None else shape for shape in (one, other))
    both = shapely.intersection(ours, theirs)
    areas = gpd.GeoSeries([ours, theirs, both], crs=WGS84).to_crs(EQUAL_AREA).area / 1e6
    middle = seen.centroid
    zone = f"EPSG:{utm_epsg(middle.x, middle.y)}"
    local = gpd.GeoSeries([ours, theirs, seen], crs=WGS84).to_crs(zone)
    lines = [shapely.boundary(shape) for shape in local.iloc[:2]]
    if window is not None:
        inner = shapely.buffer(local.iloc[2], -_EDGE_METRES)
        lines = [shapely.intersection(line, inner) for line in lines]
    near = [_near(lines[0], lines[1], tolerance_m), _near(lines[1], lines[0], tolerance_m)]
    lengths = [float(line.length) / 1e3 for line in lines]
    sizes = [float(size) for size in areas]
    return PolygonAgreement(sizes[0], sizes[1], sizes[2], lengths[0], near[0], lengths[1], near[1])


def _near(line: BaseGeometry, other: BaseGeometry, tolerance_m: float) -> float:
    """Kilometres of a line within so many metres of another."""
    if line.is_empty or other.is_empty:
        return 0.0
    reach = shapely.buffer(other, tolerance_m, quad_segs=_QUARTER)
    return float(shapely.intersection(line, reach).length) / 1e3
