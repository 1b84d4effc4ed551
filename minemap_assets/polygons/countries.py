"""Countries: how much of a polygon lies in which country.

The published code let the last intersecting country win; here the largest share names the polygon and the split keeps
the rest. Only polygons that cross a border are cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import utm_epsg
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only

UNASSIGNED = ""
"""The code of ground that lies in no country."""

UNASSIGNED_NAME = "unassigned"

_DEGREE_KM = 110.0
_NOTHING = 1e-9
"""Shares below this are rounding."""


@dataclass(frozen=True)
class CountryName:
    """What a country is called and where it lies."""

    name: str
    continent: str


def country_names(boundaries: gpd.GeoDataFrame) -> Mapping[str, CountryName]:
    """Names by code, with an entry for unassigned ground."""
    names = {UNASSIGNED: CountryName(UNASSIGNED_NAME, UNASSIGNED)}
    for row in boundaries.sort_values(["iso3", "name"]).itertuples():
        names.setdefault(str(row.iso3), CountryName(str(row.name), str(row.continent)))
    return MappingProxyType(names)


class Borders:
    """Country boundaries (EPSG:4326) made ready for many questions.

    Where boundaries overlap each other, the country that comes first in the alphabet of codes has the ground, so that
    nothing counts twice.
    """

    def __init__(self, boundaries: gpd.GeoDataFrame, tolerance_km: float = 5.0) -> None:
        rows = boundaries[boundaries["iso3"].fillna("") != ""].sort_values("iso3", kind="stable")
        self._iso3 = rows["iso3"].to_numpy(dtype=object)
        self._zones = np.asarray(rows.geometry, dtype=object)
        self._tolerance_km = tolerance_km
        self._tree = shapely.STRtree(self._zones)
        shapely.prepare(self._zones)

    def split(self, polygons: npt.NDArray[np.object_]) -> pd.DataFrame:
        """Shares of each polygon by country: [polygon (its number), iso3, share], sorted; shares of one add up to 1."""
        whole = self._covering(polygons)
        rows = [(int(p), str(self._iso3[whole[p]]), 1.0) for p in np.flatnonzero(whole >= 0)]
        crossing = np.flatnonzero(whole < 0)
        parts = self._cut(polygons, crossing)
        if parts:
            areas = areas_km2(gpd.GeoSeries([part for _, _, part in parts], crs=WGS84))
            rows.extend(_shares([p for p, _, _ in parts], [c for _, c, _ in parts], areas))
        frame = pd.DataFrame(rows, columns=["polygon", "iso3", "share"])
        return frame.sort_values(["polygon", "iso3"]).reset_index(drop=True)

    def of_points(self, points: npt.NDArray[np.object_]) -> list[str]:
        """Code of the country each point lies in, or just off; empty where there is none."""
        whole = self._covering(points)
        return [str(self._iso3[z]) if z >= 0 else self._nearest(points[n]) for n, z in enumerate(whole)]

    def _covering(self, geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
        """Number of the first boundary that covers each geometry; -1 where none does."""
        whole = np.full(len(geometries), -1, dtype=np.int64)
        if len(geometries) and len(self._zones):
            # the prepared country asks, so that its many vertices are indexed once
            zone, found = shapely.STRtree(geometries).query(self._zones, predicate="covers")
            order = np.argsort(-zone, kind="stable")
            whole[found[order]] = zone[order]
        return whole

    def _cut(
        self, polygons: npt.NDArray[np.object_], crossing: npt.NDArray[np.int64]
    ) -> list[tuple[int, str, BaseGeometry]]:
        parts: list[tuple[int, str, BaseGeometry]] = []
        for number in crossing:
            rest: BaseGeometry | None = polygons[number]
            for zone in np.sort(self._tree.query(polygons[number], predicate="intersects")):
                inside = polygons_only(rest.intersection(self._zones[zone])) if rest is not None else None
                if inside is None or rest is None:
                    continue
                parts.append((int(number), str(self._iso3[zone]), inside))
                rest = polygons_only(rest.difference(self._zones[zone]))
            if rest is not None and rest.area > _NOTHING * polygons[number].area:
                parts.append((int(number), self._nearest(rest), rest))
        return parts

    def _nearest(self, geometry: BaseGeometry) -> str:
        """Code of the nearest country within the tolerance, by distance in the UTM zone; else unassigned."""
        middle = geometry.centroid
        reach = self._tolerance_km / _DEGREE_KM
        wide = reach / max(np.cos(np.radians(min(abs(middle.y) + reach, 89.0))), 0.02)
        west, south, east, north = geometry.bounds
        near = shapely.box(west - wide, south - reach, east + wide, north + reach)
        candidates = np.sort(self._tree.query(near, predicate="intersects"))
        if not len(candidates):
            return UNASSIGNED
        local = gpd.GeoSeries([geometry, *(self._zones[z].intersection(near) for z in candidates)], crs=WGS84)
        local = local.to_crs(utm_epsg(middle.x, middle.y))
        distances = np.asarray(local.iloc[1:].distance(local.iloc[0]), dtype=np.float64)
        best = int(np.argmin(distances))
        return str(self._iso3[candidates[best]]) if distances[best] <= self._tolerance_km * 1000.0 else UNASSIGNED


def _shares(
    polygons: Sequence[int], codes: Sequence[str], areas: npt.NDArray[np.float64]
) -> list[tuple[int, str, float]]:
    """Areas of parts as shares of their polygon; parts that are only rounding are left out."""
    sums: dict[int, dict[str, float]] = {}
    for polygon, code, area in zip(polygons, codes, areas, strict=True):
        parts = sums.setdefault(polygon, {})
        parts[code] = parts.get(code, 0.0) + float(area)
    rows: list[tuple[int, str, float]] = []
    for polygon, parts in sums.items():
        whole = sum(parts.values())
        real = {code: area for code, area in parts.items() if area > _NOTHING * whole}
        rows.extend((polygon, code, area / sum(real.values())) for code, area in sorted(real.items()))
    return rows


def largest_share(split: pd.DataFrame, count: int) -> list[str]:
    """Code of the country with the largest share of each of `count` polygons; unassigned only where no country has any.

    Equal shares go to the first in the alphabet.
    """
    named = split[split["iso3"] != UNASSIGNED]
    best = named.sort_values(["polygon", "share", "iso3"], ascending=[True, False, True]).drop_duplicates("polygon")
    codes = dict(zip(best["polygon"], best["iso3"], strict=True))
    return [str(codes.get(number, UNASSIGNED)) for number in range(count)]
