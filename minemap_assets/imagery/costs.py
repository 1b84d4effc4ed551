"""What imagery costs before it is fetched: the terms in which every source states it, in its own `costs.py`.

Each cost says what it rests on: on what the source's service has (`ASKED`), or on assumptions on the high side
(`ASSUMED`), in which what several sites share (blocks of a scene, a search) counts for each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from odc.geo.geobox import GeoBox

from minemap_assets.imagery.seasons import Season

QUAD_BYTES = 160_000_000
"""A NICFI quad of 4096 x 4096 pixels, four bands and the alpha band (166 MB and less were seen)."""

STORED_SHARE = 0.85
"""Size of a composite's file over the size of its pixels: 0.5 to 0.84 on real images of Sentinel-2 and Planet with 3 to
6 bands. What the lake holds already takes its place.
"""

BYTES_PER_SECOND = 10_000_000
"""Assumed speed of a connection, until a fetch was timed here."""

_FIRST_TWO_SATELLITES = date(2017, 7, 1)
"""From here on there are two Sentinel-2 satellites: images every 5 days instead of every 10."""

_USABLE_SHARE = 0.68
"""Of 37 scenes of a season in the tropics about 25 have less than 75 % cloud."""

ASKED = "asked the catalogue"
ASSUMED = "assumed"
KNOWN = "known here"
"""What a cost rests on; what is known here needs no question (an archive's index, a formula)."""


def basis_of(source: object | None) -> str:
    """What figures rest on where an opened source was asked, or none was there to ask."""
    return ASSUMED if source is None else ASKED


@dataclass(frozen=True)
class FetchRequest:
    """Grids that one source is asked for in one season."""

    product: str
    season: Season
    bands: tuple[str, ...]
    grids: tuple[GeoBox, ...]


@dataclass(frozen=True)
class Otherwise:
    """What the same request would need with another `setting` of its source, such as `reads = "tiles"`."""

    setting: str
    cost: "Cost"

    def __str__(self) -> str:
        need = self.cost
        gigabytes = f"{need.bytes_read / 1e9:,.2f} GB"
        return f"with {self.setting} {gigabytes}, {need.requests:,} requests and {need.downloads:,} downloads"

    @staticmethod
    def both(one: "Otherwise | None", two: "Otherwise | None") -> "Otherwise | None":
        """Both together; None where they are not of the same setting, and so not of the same source."""
        if one is None or two is None:
            return one or two
        return Otherwise(one.setting, one.cost + two.cost) if one.setting == two.setting else None


@dataclass(frozen=True)
class Cost:
    """What a request needs.

    `quads` names the Planet quads to be downloaded, each counted once however many sites show it; `other_bytes` is
    what is transferred besides them. `seconds` is at an assumed rate, without what was measured. `kept_limit` is the
    most bytes of quads that stay on disk. `basis` is what the figures rest on. `otherwise` compares with another way to
    read the same pixels.
    """

    site_years: int = 0
    requests: int = 0
    other_bytes: int = 0
    quads: frozenset[str] = field(default_factory=frozenset)
    eecu_hours: float = 0.0
    stored_bytes: int = 0
    seconds: float = 0.0
    kept_limit: float = math.inf
    basis: frozenset[str] = field(default_factory=frozenset)
    otherwise: Otherwise | None = None

    @staticmethod
    def of(request: FetchRequest, basis: str) -> "Cost":
        """What every source's grids cost alike: site-years and the files of their composites."""
        return Cost(site_years=len(request.grids), stored_bytes=stored_bytes(request), basis=frozenset({basis}))

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.site_years + other.site_years,
            self.requests + other.requests,
            self.other_bytes + other.other_bytes,
            self.quads | other.quads,
            self.eecu_hours + other.eecu_hours,
            self.stored_bytes + other.stored_bytes,
            self.seconds + other.seconds,
            min(self.kept_limit, other.kept_limit),
            self.basis | other.basis,
            Otherwise.both(self.otherwise, other.otherwise),
        )

    @property
    def downloads(self) -> int:
        """Planet downloads."""
        return len(self.quads)

    @property
    def cache_bytes(self) -> int:
        """What is kept on this machine besides the composites."""
        return self.downloads * QUAD_BYTES

    @property
    def bytes_read(self) -> int:
        """What is transferred."""
        return self.other_bytes + self.cache_bytes

    @property
    def disk_bytes(self) -> int:
        """What is written and stays: composites, and quads up to the limit of what is kept of them."""
        return self.stored_bytes + round(min(self.cache_bytes, self.kept_limit))


class CostModel(Protocol):
    """What a source bound to one product needs, as far as that can be told before it is fetched.

    A model that was given its source asks it for what its service has (metadata, never pixels), and raises as `read`
    does; without it, and in every rate, the figures are assumptions on the high side.
    """

    @property
    def name(self) -> str:
        """Name of the source."""

    def serves(self, grid: GeoBox, season: Season) -> bool:
        """Whether it should have images of that place and season."""

    def cost(self, request: FetchRequest) -> Cost:
        """What a request needs. The grids are ones that it serves."""


def pixels(grid: GeoBox) -> int:
    """Pixels of a grid."""
    return int(grid.shape[0]) * int(grid.shape[1])


def raw_bytes(request: FetchRequest) -> int:
    """Bytes of a request's composites in memory: the bands and the count of clear observations, uint16."""
    return sum(pixels(grid) for grid in request.grids) * (len(request.bands) + 1) * 2


def stored_bytes(request: FetchRequest) -> int:
    """Bytes of a request's composite files."""
    return round(raw_bytes(request) * STORED_SHARE)


def sentinel2_scenes(season: Season) -> int:
    """Scenes of a place in a season with less than 75 % cloud, as expected in the tropics."""
    days = (season.end - season.start).days
    return max(1, round(days / (5 if season.start >= _FIRST_TWO_SATELLITES else 10) * _USABLE_SHARE))


def share_out(
    models: Sequence[CostModel], grids: Sequence[GeoBox], season: Season
) -> tuple[tuple[CostModel, tuple[GeoBox, ...]], ...]:
    """Which source serves which grids, where each grid is served by the first source that should have it."""
    left = list(grids)
    shares = []
    for model in models:
        served: list[GeoBox] = []
        others: list[GeoBox] = []
        for grid in left:
            (served if model.serves(grid, season) else others).append(grid)
        left = others
        if served:
            shares.append((model, tuple(served)))
    return tuple(shares)
