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
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.antimeridian import sides
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.polygons.border_index import BorderIndex, Piece

UNASSIGNED = ""
"""The code of ground that lies in no country."""

UNASSIGNED_NAME = "unassigned"

_NOTHING = 1e-9
"""Shares below this are rounding."""


@dataclass(frozen=True)
class CountryName:
    """What a country is called and where it lies, and the state whose territory it is (a state's own is its own)."""

    name: str
    continent: str
    sovereign_iso3: str = ""
    sovereign_name: str = ""


def country_names(boundaries: gpd.GeoDataFrame) -> Mapping[str, CountryName]:
    """Names by code, with an entry for unassigned ground."""
    names = {UNASSIGNED: CountryName(UNASSIGNED_NAME, UNASSIGNED, UNASSIGNED, UNASSIGNED_NAME)}
    for row in boundaries.sort_values(["iso3", "name"]).itertuples():
        code, name = str(row.iso3), str(row.name)
        state, called = str(getattr(row, "sovereign_iso3", code)), str(getattr(row, "sovereign_name", name))
        names.setdefault(code, CountryName(name, str(row.continent), state, called))
    return MappingProxyType(names)


class Borders:
    """Country boundaries (EPSG:4326) made ready for many questions; one serves every year.

    Where boundaries overlap each other, the country that comes first in the alphabet of codes has the ground, so that
    nothing counts twice.
    """

    def __init__(self, boundaries: gpd.GeoDataFrame, tolerance_km: float = 5.0) -> None:
        rows = boundaries[boundaries["iso3"].fillna("") != ""].sort_values("iso3", kind="stable")
        self._iso3 = np.append(rows["iso3"].to_numpy(dtype=object), UNASSIGNED)
        self._index = BorderIndex(np.asarray(rows.geometry, dtype=object), tolerance_km)

    def split(self, polygons: npt.NDArray[np.object_]) -> pd.DataFrame:
        """Shares of each polygon by country: [polygon (its number), iso3, share], sorted; shares of one add up to 1."""
        whole = self._index.holding(polygons)
        crossing = np.flatnonzero(whole < 0)
        far = crossing[self._index.remote(polygons[crossing])]
        one = np.concatenate([np.flatnonzero(whole >= 0), far])
        cut = self._cut(polygons, np.setdiff1d(crossing, far))
        # number -1 is the last of the codes: unassigned
        frame = pd.DataFrame(
            {
                "polygon": np.concatenate([one, [row.polygon for row in cut]]).astype(np.int64),
                "iso3": np.concatenate([self._iso3[whole[one]], np.array([row.iso3 for row in cut], dtype=object)]),
                "share": np.concatenate([np.ones(len(one)), [row.share for row in cut]]).astype(np.float64),
            }
        )
        return frame.sort_values(["polygon", "iso3"], ignore_index=True)

    def of_points(self, points: npt.NDArray[np.object_]) -> list[str]:
        """Code of the country each point lies in, or just off; empty where there is none."""
        zones = self._index.holding(points)
        off = np.flatnonzero(zones < 0)
        zones[off] = self._index.nearest(points[off])
        return [str(code) for code in self._iso3[zones]]

    def _cut(self, polygons: npt.NDArray[np.object_], crossing: npt.NDArray[np.int64]) -> list["_Share"]:
        """Cut polygons along borders; what of one lies in no country goes to the nearest."""
        numbers: list[int] = []
        zones: list[int] = []
        parts: list[BaseGeometry] = []
        rests: list[tuple[int, BaseGeometry]] = []
        for number, pieces in zip(crossing.tolist(), self._index.pieces(polygons[crossing]), strict=True):
            inside, rest = _along(polygons[number], pieces)
            numbers.extend([number] * len(inside))
            zones.extend(piece.zone for piece in inside)
            parts.extend(piece.ground for piece in inside)
            rests.extend((number, side) for side in (() if rest is None else sides(np.array([rest], dtype=object))))
        outside = np.array([side for _, side in rests], dtype=object)
        numbers.extend(number for number, _ in rests)
        zones.extend(self._index.nearest(outside).tolist())
        parts.extend(outside)
        if not parts:
            return []
        codes = [str(code) for code in self._iso3[zones]]
        return _shares(numbers, codes, areas_km2(gpd.GeoSeries(parts, crs=WGS84)))


def _along(polygon: BaseGeometry, pieces: Sequence[Piece]) -> tuple[list[Piece], BaseGeometry | None]:
    """A polygon cut along borders: its part of each piece's ground, and what lies in none; None where nothing does."""
    parts: list[Piece] = []
    rest: BaseGeometry | None = polygon
    for piece in pieces:
        inside = polygons_only(rest.intersection(piece.ground)) if rest is not None else None
        if inside is not None and rest is not None:
            parts.append(Piece(piece.zone, inside))
            rest = polygons_only(rest.difference(piece.ground))
    return parts, rest if rest is not None and rest.area > _NOTHING * polygon.area else None


@dataclass(frozen=True)
class _Share:
    polygon: int
    iso3: str
    share: float


def _shares(polygons: Sequence[int], codes: Sequence[str], areas: npt.NDArray[np.float64]) -> list[_Share]:
    """Areas of parts as shares of their polygon; parts that are only rounding are left out."""
    sums: dict[int, dict[str, float]] = {}
    for polygon, code, area in zip(polygons, codes, areas, strict=True):
        parts = sums.setdefault(polygon, {})
        parts[code] = parts.get(code, 0.0) + float(area)
    rows: list[_Share] = []
    for polygon, parts in sums.items():
        whole = sum(parts.values())
        real = {code: area for code, area in parts.items() if area > _NOTHING * whole}
        rows.extend(_Share(polygon, code, area / sum(real.values())) for code, area in sorted(real.items()))
    return rows


def largest_share(split: pd.DataFrame, count: int) -> list[str]:
    """Code of the country with the largest share of each of `count` polygons; unassigned only where no country has any.

    Equal shares go to the first in the alphabet.
    """
    named = split[split["iso3"] != UNASSIGNED]
    best = named.sort_values(["polygon", "share", "iso3"], ascending=[True, False, True]).drop_duplicates("polygon")
    codes = np.full(count, UNASSIGNED, dtype=object)
    codes[best["polygon"].to_numpy(dtype=np.int64)] = best["iso3"].to_numpy(dtype=object)
    return [str(code) for code in codes]
