"""Mosaics: what the service says of one, and which of them belong to a season.

Dates come from the metadata alone: names changed with the cadence (half-years to May 2020, a quarter to August 2020,
months since) and say nothing certain.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import Polygon

from minemap_assets.errors import NotCoveredError, NotEntitledError, PermanentError
from minemap_assets.imagery.basemaps.quads import CRS, QuadGrid, quad_grid
from minemap_assets.imagery.seasons import Season

AFTER_NICFI = "Planet's NICFI programme takes no new users since 23 January 2025"
"""Said wherever somebody might look for access (Planet's announcement of the programme's end)."""

TILE = 256
"""Pixels of a side of one of the service's tiles."""

_HALF = 0.5
"""Share of a mosaic's own days that must lie in a season for the mosaic to belong to it."""


@dataclass(frozen=True, order=True)
class Mosaic:
    """One mosaic: the days from `start` up to but not including `end` it was made from, and its quads.

    `bbox` is west, south, east, north in degrees; `revision` changes with any of the stated dates; `pixels` are those
    of a quad's side.
    """

    start: date
    end: date
    name: str
    id: str
    quads: QuadGrid
    bbox: tuple[float, float, float, float]
    downloadable: bool
    revision: str
    pixels: int = 4096

    @property
    def zoom(self) -> int | None:
        """The zoom level whose tiles have the mosaic's own pixels; None where no level has them."""
        level = math.log2(self.quads.side * self.pixels / TILE)
        return int(level) if level.is_integer() and self.pixels % TILE == 0 else None

    @property
    def outline(self) -> Polygon:
        """The extent in EPSG:4326; not all of it need hold quads."""
        return shapely.box(*self.bbox)

    def days_within(self, season: Season) -> int:
        """Days that mosaic and season share."""
        return max(0, (min(self.end, season.end) - max(self.start, season.start)).days)


@dataclass(frozen=True)
class Listing:
    """What an account sees: `mosaics` of reflectance sorted by their days, and names of 8-bit `pictures`, sorted."""

    mosaics: tuple[Mosaic, ...]
    pictures: tuple[str, ...] = ()

    @staticmethod
    def of(records: Iterable[Mapping[str, Any]]) -> "Listing":
        """From the service's JSON. Raises as `parse_mosaic` does."""
        found = {str(record.get("name", "")): parse_mosaic(record) for record in records}
        pictures = tuple(sorted(name for name, mosaic in found.items() if mosaic is None))
        return Listing(tuple(sorted({mosaic for mosaic in found.values() if mosaic is not None})), pictures)

    def check_any(self, what: str) -> None:
        """Raises `NotEntitledError` where the account sees no reflectance; `what` describes the mosaics meant."""
        if self.mosaics:
            return
        if self.pictures:
            raise NotEntitledError(
                f"the {len(self.pictures)} mosaics {what} that the Planet account sees, such as {self.pictures[-1]}, "
                "are 8-bit pictures, which hold no reflectance and are not used; name a normalised analytic series "
                "under [sources.planet_basemaps], or open Sentinel-2 under [imagery] products"
            )
        raise NotEntitledError(
            f"the Planet account sees no mosaic {what}; {AFTER_NICFI}, so name a series that your plan includes under "
            "[sources.planet_basemaps], an archive that you hold under [imagery] sources, or open Sentinel-2 under "
            "[imagery] products"
        )


def parse_mosaic(record: Mapping[str, Any]) -> Mosaic | None:
    """A mosaic from the service's JSON; None where it is an 8-bit picture and not reflectance.

    Raises `PermanentError` where the JSON lacks what is needed.
    """
    name = str(record.get("name", record.get("id", "?")))
    try:
        if record.get("datatype", "uint16") != "uint16":
            return None
        if record["coordinate_system"] != CRS:
            raise PermanentError(f"the mosaic {name} is in {record['coordinate_system']}; only {CRS} can be read")
        start, end = _moment(record["first_acquired"]), _moment(record["last_acquired"])
        west, south, east, north = (float(v) for v in record["bbox"])
        return Mosaic(
            start=start.date(),
            end=_day_after(end),
            name=name,
            id=str(record["id"]),
            quads=quad_grid(int(record["grid"]["quad_size"]), float(record["grid"]["resolution"]), name),
            bbox=(west, south, east, north),
            downloadable=bool(record.get("quad_download", True)),
            revision=f"{start.isoformat()}/{end.isoformat()}",
            pixels=int(record["grid"]["quad_size"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentError(
            f"the basemaps service described the mosaic {name} in another way than documented "
            f"({type(error).__name__}: {error}); leave it out with another name_contains under "
            "[sources.planet_basemaps]"
        ) from error


def choose(mosaics: Iterable[Mosaic], season: Season) -> tuple[Mosaic, ...]:
    """Mosaics of a season, sorted by their days.

    Those with at least half of their days in the season; where there are none, those that hold at least half of the
    season (a half-year mosaic for a season of two months).
    """
    touching = sorted(m for m in mosaics if m.days_within(season) > 0)
    mostly = [m for m in touching if m.days_within(season) >= _HALF * (m.end - m.start).days]
    length = (season.end - season.start).days
    return tuple(mostly or [m for m in touching if m.days_within(season) >= _HALF * length])


def choose_usable(listing: Listing, season: Season, what: str, *, tiles: bool = False) -> tuple[Mosaic, ...]:
    """Mosaics of a season that the account may fetch: as quads, which takes leave to download, or as `tiles`.

    `what` describes them. Raises `NotEntitledError` where the account sees none of the kind or may fetch none, and
    `NotCoveredError` where there are none for the season.
    """
    listing.check_any(what)
    mosaics = listing.mosaics
    found = choose(mosaics, season)
    if not found:
        first, last = min(m.start for m in mosaics), max(m.end for m in mosaics) - timedelta(days=1)
        raise NotCoveredError(
            f"Planet has no mosaic {what} for {season.year} ({season.start} to {season.end}), only from {first} to "
            f"{last}; name another series under [sources.planet_basemaps] or another product for that year under "
            "[imagery] products"
        )
    allowed = tuple(m for m in found if m.downloadable or tiles)
    if not allowed:
        raise NotEntitledError(
            f"the Planet account may see but not download {found[0].name}; name a series that your plan lets you "
            'download, or set reads to "tiles" under [sources.planet_basemaps] if it lets you stream this one'
        )
    return allowed


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def _day_after(moment: datetime) -> date:
    """The first day not in the mosaic: midnight belongs to the day before."""
    midnight = datetime.combine(moment.date(), datetime.min.time(), moment.tzinfo)
    return moment.date() if moment == midnight else moment.date() + timedelta(days=1)
