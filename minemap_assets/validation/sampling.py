"""Drawing a stratified sample of points from our own maps: how many in each stratum, and where.

Every stratum gets its least number, so that a rare class has an estimate of its own, and the rest goes where it lowers
the error of the whole most: in proportion to area times the spread that is to be expected (Neyman 1934; Cochran 1977,
equation 5.26), or to the area alone (Olofsson et al. 2014, section 5.1).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import EQUAL_AREA, WGS84, areas_km2
from minemap_assets.validation import strata as kinds
from minemap_assets.validation.strata import Piece, projected_parts

Allocation = Literal["neyman", "proportional"]

EXPECTED_SPREAD: Mapping[str, float] = MappingProxyType(
    {
        kinds.STABLE_MINE: 0.3,
        kinds.MINE: 0.3,
        kinds.STABLE_OTHER: 0.1,
        kinds.OTHER: 0.1,
        kinds.GAIN: 0.45,
        kinds.LOSS: 0.45,
        kinds.NEAR: 0.5,
        kinds.UNSEEN: 0.3,
    }
)
"""Standard deviation to be expected of the label in each kind: sqrt(p (1 - p)) for a map that is wrong in 10 % of what
it calls stable mine, 1 % of stable other, 28 % of change and half of what lies near an outline.
"""

SLIVER_KM2 = 1e-4
"""Strata below 100 m2 are rounding of outlines: they get no point, and their area is told."""

_TRIES = 64
_DIGITS = 7


@dataclass(frozen=True)
class StratumArea:
    """A stratum: country, kind, and in km2 its area and what is mapped in it in the first year, the last, and both."""

    iso3: str
    kind: str
    area_km2: float
    mapped_start_km2: float
    mapped_end_km2: float
    mapped_both_km2: float

    @property
    def name(self) -> str:
        """Country and kind in one word."""
        return f"{self.iso3 or 'none'}: {self.kind}"


@dataclass(frozen=True, eq=False)
class Measured:
    """The frame measured: its strata, and the pieces of each."""

    strata: tuple[StratumArea, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    slivers_km2: float

    @classmethod
    def of(cls, found: Iterable[Piece]) -> "Measured":
        """Group pieces by country and kind, in order."""
        groups: dict[tuple[str, str], list[Piece]] = {}
        for piece in found:
            groups.setdefault((piece.iso3, piece.kind), []).append(piece)
        strata, members, slivers = [], [], 0.0
        for (iso3, kind), group in sorted(groups.items()):
            area, *mapped = (
                float(areas_km2(gpd.GeoSeries([getattr(p, name) for p in group], crs=WGS84)).sum())
                for name in ("geometry", "mine_start", "mine_end", "mine_both")
            )
            if area < SLIVER_KM2:
                slivers += area
            else:
                strata.append(StratumArea(iso3, kind, area, *mapped))
                members.append(tuple(group))
        return cls(tuple(strata), tuple(members), slivers)


def allocate(strata: Sequence[StratumArea], size: int, minimum: int, method: Allocation) -> list[int]:
    """Points of each stratum, `size` together and at least `minimum` each. Raises `BadInputError` for too few."""
    least = minimum * len(strata)
    if size < least:
        raise BadInputError(
            f"{size:,} points are too few for {len(strata)} strata with at least {minimum} each; ask for {least:,} or "
            "more with --size, or for fewer in each with --minimum"
        )
    spread = [EXPECTED_SPREAD[s.kind] if method == "neyman" else 1.0 for s in strata]
    wanted = np.array([s.area_km2 for s in strata]) * np.array(spread)
    counts = np.full(len(strata), minimum, dtype=np.int64)
    open_ = np.ones(len(strata), dtype=bool)
    shares = size * wanted / wanted.sum()
    while (low := open_ & (shares < minimum)).any():
        open_ &= ~low
        rest = size - minimum * int((~open_).sum())
        shares = np.where(open_, rest * wanted / max(wanted[open_].sum(), 1e-300), minimum)
    whole = np.where(open_, np.floor(shares), counts).astype(np.int64)
    order = np.argsort(-(shares - whole), kind="stable")
    whole[order[: size - int(whole.sum())]] += 1
    return [int(n) for n in whole]


def draw(measured: Measured, counts: Sequence[int], seed: int) -> pd.DataFrame:
    """Points [stratum (its number), region, site_id, longitude, latitude], evenly over the area of each stratum.

    The order is shuffled, so that it says nothing of the stratum. The same maps and seed give the same points.
    """
    random = np.random.default_rng(seed)
    found = []
    for number, (own, count) in enumerate(zip(measured.pieces, counts, strict=True)):
        parts, origin = projected_parts([piece.geometry for piece in own], EQUAL_AREA)
        size = shapely.area(parts)
        for part in random.choice(len(parts), count, p=size / size.sum()):
            x, y = _inside(parts[part], random)
            piece = own[origin[part]]
            found.append((number, piece.region, piece.site_id, x, y))
    frame = pd.DataFrame(found, columns=["stratum", "region", "site_id", "x", "y"])
    degrees = gpd.GeoSeries(gpd.points_from_xy(frame["x"], frame["y"]), crs=EQUAL_AREA).to_crs(WGS84)
    frame["longitude"], frame["latitude"] = degrees.x.round(_DIGITS), degrees.y.round(_DIGITS)
    shuffled = frame.drop(columns=["x", "y"]).iloc[random.permutation(len(frame))]
    return shuffled.reset_index(drop=True)


def _inside(part: shapely.Polygon, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """A place in a polygon, each as likely as the other."""
    west, south, east, north = part.bounds
    shapely.prepare(part)
    while True:
        tried = random.uniform((west, south), (east, north), (_TRIES, 2))
        hits = np.flatnonzero(shapely.contains_xy(part, tried[:, 0], tried[:, 1]))
        if len(hits):
            return np.asarray(tried[hits[0]], dtype=np.float64)
