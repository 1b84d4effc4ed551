"""Clarity of a quad: the share of it that shows ground through clear air, 0 to 1.

From pixels (surface reflectance): a pixel is clear where it is valid and not hazy. Haze and cloud lift blue more than
red, and make the visible bands alike: a pixel is hazy where blue - red / 2 is above a threshold (the haze optimised
transformation of Zhang, Guindon & Cihlar 2002, in the form of Zhu & Woodcock 2012, eq. 3, with a threshold for surface
reflectance) and where it is nearly white (their eq. 2). All mosaics of one quad show the same ground, so what is bright
and white by nature counts against all of them alike. Whole numbers throughout: the same pixels give the same clarity
on every machine.

From metadata (the paper's rule, section Methods): 1 minus the mean over a quad's scenes of the percentages of cloud and
heavy haze.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from minemap_assets.imagery.basemaps.mosaics import Mosaic

RULE_VERSION = "2"
"""Raised when the same pixels would give another clarity."""

HAZE = 500
"""Least blue - red / 2 of a hazy pixel, reflectance x 10,000."""

WHITENESS_PERCENT = 70
"""A pixel is nearly white where the deviations of blue, green and red from their mean add up to less of the mean."""


@dataclass(frozen=True)
class Clarity:
    """`clear` of `total` pixels."""

    clear: int
    total: int

    @property
    def share(self) -> Fraction:
        """Exact share, so that ties are ties."""
        return Fraction(self.clear, self.total) if self.total else Fraction(0)

    def __add__(self, other: "Clarity") -> "Clarity":
        return Clarity(self.clear + other.clear, self.total + other.total)


def clarity_of_pixels(
    blue: npt.NDArray[np.uint16],
    green: npt.NDArray[np.uint16],
    red: npt.NDArray[np.uint16],
    valid: npt.NDArray[np.bool_],
) -> Clarity:
    """Clarity of reflectance x 10,000 (row, column); pixels that are not `valid` are not clear."""
    visible = [band.astype(np.int32) for band in (blue, green, red)]
    total = visible[0] + visible[1] + visible[2]
    deviation = np.abs(3 * visible[0] - total) + np.abs(3 * visible[1] - total) + np.abs(3 * visible[2] - total)
    white = 100 * deviation.astype(np.int64) < WHITENESS_PERCENT * total.astype(np.int64)
    hazy = (2 * visible[0] - visible[2] > 2 * HAZE) & white
    return Clarity(int(np.count_nonzero(valid & ~hazy)), int(valid.size))


def clarity_of_scenes(properties: Iterable[Mapping[str, Any]]) -> Fraction | None:
    """Clarity by the scenes' `cloud_percent` and `heavy_haze_percent`; None where no scene states both."""
    unclear = [
        Fraction(str(p["cloud_percent"])) + Fraction(str(p["heavy_haze_percent"]))
        for p in properties
        if p.get("cloud_percent") is not None and p.get("heavy_haze_percent") is not None
    ]
    if not unclear:
        return None
    return 1 - sum(unclear, Fraction(0)) / len(unclear) / 100


class Ranked(Protocol):
    """Something that belongs to a mosaic."""

    @property
    def mosaic(self) -> Mosaic:
        """The mosaic."""


R = TypeVar("R", bound=Ranked)


def clearest(candidates: Sequence[R], shares: Sequence[Fraction]) -> R:
    """The clearest candidate; of several equal ones that of the last days (paper: ties go to the last month)."""
    ranked = zip(shares, candidates, strict=True)
    return max(ranked, key=lambda pair: (pair[0], pair[1].mosaic.end, pair[1].mosaic.start, pair[1].mosaic.name))[1]
