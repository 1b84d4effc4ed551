"""How good one composite is: how much of it was seen, how often, and its largest gaps in space and in time.

What is good enough is decided in `checks.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite

HECTARE = 10_000.0
"""Square metres."""


@dataclass(frozen=True)
class Quality:
    """The measures of one composite.

    `clear_fraction`: share of the site's pixels that were observed, 0 to 1. `clear_count_mean`: clear observations a
    pixel, over all pixels, also those without any. `largest_gap_ha` and `largest_gap_days`: see the functions below.
    """

    clear_fraction: float
    clear_count_mean: float
    largest_gap_ha: float
    largest_gap_days: int | None


def quality(composite: Composite, season: Season) -> Quality:
    """The measures of a composite of a season."""
    return Quality(
        clear_fraction=composite.clear_fraction,
        clear_count_mean=float(composite.clear_count.mean()),
        largest_gap_ha=largest_gap_ha(composite.pixels[0] > 0, composite.grid),
        largest_gap_days=largest_gap_days(composite.provenance.acquisition_days, season),
    )


def largest_gap_ha(observed: npt.NDArray[np.bool_], grid: GeoBox) -> float:
    """Hectares of the largest patch of unobserved pixels, which hang together by sides or corners; 0 without any.

    `observed` is (row, column); the grid's CRS must be in metres. A patch is cut off where the grid ends.
    """
    from scipy.ndimage import label

    patches, count = label(~observed, structure=np.ones((3, 3), dtype=np.int8))
    if not count:
        return 0.0
    largest = int(np.bincount(patches.ravel())[1:].max())
    return largest * abs(float(grid.affine.determinant)) / HECTARE


def largest_gap_days(acquisition_days: Sequence[str], season: Season) -> int | None:
    """The most days in a row, of the season's, on which no picture that gave pixels was taken.

    A stretch ends at such a picture, or where the season begins or ends. A mosaic of several days (`first/last`) counts
    as taken on all of them. None where the source gives no days.
    """
    if not acquisition_days:
        return None
    largest, free = 0, season.start
    for first, last in sorted(_span(text) for text in acquisition_days):
        largest = max(largest, (min(first, season.end) - free).days)
        free = max(free, last + timedelta(days=1))
    return max(largest, (season.end - free).days)


def _span(text: str) -> tuple[date, date]:
    first, _, last = text.partition("/")
    return date.fromisoformat(first), date.fromisoformat(last or first)
