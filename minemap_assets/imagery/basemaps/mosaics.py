"""Mosaics: what the service says of one, and which of them belong to a season.

Dates come from the metadata alone: names changed with the cadence (half-years to May 2020, a quarter to August 2020,
months since) and say nothing certain.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import Polygon

from minemap_assets.errors import NotCoveredError, NotEntitledError, PermanentError
from minemap_assets.imagery.basemaps.quads import CRS, QuadGrid, quad_grid
from minemap_assets.imagery.seasons import Season

_HALF = 0.5
"""Share of a mosaic's own days that must lie in a season for the mosaic to belong to it."""


@dataclass(frozen=True, order=True)
class Mosaic:
    """One mosaic: the days from `start` up to but not including `end` it was made from, and its quads.

    `bbox` is west, south, east, north in degrees; `revision` changes with any of the stated dates.
    """

    start: date
    end: date
    name: str
    id: str
    quads: QuadGrid
    bbox: tuple[float, float, float, float]
    downloadable: bool
    revision: str

    @property
    def outline(self) -> Polygon:
        """The extent in EPSG:4326; not all of it need hold quads."""
        return shapely.box(*self.bbox)

    def days_within(self, season: Season) -> int:
        """Days that mosaic and season share."""
        return max(0, (min(self.end, season.end) - max(self.start, season.start)).days)


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


def choose_downloadable(mosaics: Sequence[Mosaic], season: Season, what: str) -> tuple[Mosaic, ...]:
    """Mosaics of a season that the account may download.

    `what` describes them. Raises `NotEntitledError` where the account sees none of the kind or may download none, and
    `NotCoveredError` where there are none for the season.
    """
    if not mosaics:
        raise NotEntitledError(
            f"the Planet account sees no mosaic {what}; ask for access to them, or name the series you have under "
            "[sources.planet_basemaps]"
        )
    found = choose(mosaics, season)
    if not found:
        first, last = min(m.start for m in mosaics), max(m.end for m in mosaics) - timedelta(days=1)
        raise NotCoveredError(
            f"Planet has no mosaic {what} for {season.year} ({season.start} to {season.end}), only from {first} to "
            f"{last}; name another series under [sources.planet_basemaps] or another product for that year under "
            "[imagery] products"
        )
    allowed = tuple(m for m in found if m.downloadable)
    if not allowed:
        raise NotEntitledError(
            f"the Planet account may see but not download {found[0].name}; ask for download access to it"
        )
    return allowed


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def _day_after(moment: datetime) -> date:
    """The first day not in the mosaic: midnight belongs to the day before."""
    midnight = datetime.combine(moment.date(), datetime.min.time(), moment.tzinfo)
    return moment.date() if moment == midnight else moment.date() + timedelta(days=1)
