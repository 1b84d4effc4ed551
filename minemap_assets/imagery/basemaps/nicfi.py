"""The NICFI programme's basemaps as their publisher announced them, for sources that serve them and plans that do not
ask: names, terms, and which mosaic is of which months.

The programme has ended: no sign-up since 23 January 2025, last mosaics of February to April 2025, and the phase that
was to follow was cancelled in September 2025. It serves those who hold an archive, or an account that still sees it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.basemaps.mosaics import Mosaic, choose
from minemap_assets.imagery.basemaps.quads import QuadGrid
from minemap_assets.imagery.seasons import Season

PRODUCT = "planet-nicfi"
NAMES = "planet_medres_normalized_analytic"
"""What the names of its mosaics contain."""

TERMS = (
    "Planet NICFI Participant License Agreement: non-commercial use, pixels must not be redistributed; "
    "includes imagery (c) Planet Labs PBC"
)

SUBSCRIPTION_TERMS = "The licence of your Planet subscription; includes imagery (c) Planet Labs PBC"
"""Terms of mosaics that are not the programme's."""

_TROPICS = 30.1
"""Degrees: how far north and south they reach."""

_QUADS = QuadGrid(2048)


def published_mosaics(names: str = NAMES, series: tuple[str, ...] = ()) -> tuple[Mosaic, ...]:
    """All mosaics: half-years, one quarter, months since September 2020.

    The programme's last ones are of April 2025; for other names and series no end is assumed.
    """
    ends = names == NAMES and not series
    reach = _TROPICS if names == NAMES else 90.0
    return tuple(
        Mosaic(first, after, f"{first:%Y-%m}", f"{first:%Y-%m}", _QUADS, (-180.0, -reach, 180.0, reach), True, "")
        for first, after in _periods(date(2025, 5, 1) if ends else date(2100, 1, 1))
    )


@cache
def expected_mosaics(season: Season, names: str = NAMES, series: tuple[str, ...] = ()) -> tuple[Mosaic, ...]:
    """Those that belong to a season."""
    return choose(published_mosaics(names, series), season)


def is_covered(grid: GeoBox, season: Season) -> bool:
    """Whether there is a mosaic of the programme where and when it is wanted."""
    outline = footprint_wgs84(grid)
    return any(mosaic.outline.intersects(outline) for mosaic in expected_mosaics(season))


def _periods(end: date) -> Iterator[tuple[date, date]]:
    first = date(2015, 12, 1)
    while first < end:
        months = 6 if first < date(2020, 6, 1) else 3 if first < date(2020, 9, 1) else 1
        after = (first + timedelta(days=31 * months)).replace(day=1)
        yield first, after
        first = after
