"""What has to be added to a scene's digital numbers before they are reflectance x 10,000.

From processing baseline 04.00 (25 January 2022) on, ESA adds 1000 to the digital numbers of both levels, so that
slightly negative reflectances can be stored (Sentinel-2 Products Specification Document: RADIO_ADD_OFFSET of Level-1C,
BOA_ADD_OFFSET of Level-2A).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.imagery.sources.stac.scenes import Scene

SHIFT = -1000
"""In digital numbers; reflectance -0.1."""

_SINCE = (4, 0)
_DARK = 0.5
"""Percentile that stands for a band's dark pixels; a minimum would be a single bad one."""

_BELOW = 900
"""Shifted numbers do not go below this: that would be a reflectance under -0.01."""

_FLOOR = 1200
"""Dark pixels of shifted numbers lie between `_BELOW` and this: a reflectance of at most 0.02."""

_FEWEST = 100
"""A band with fewer pixels than this says nothing."""


@dataclass(frozen=True)
class Offset:
    """What to add to a scene's numbers (None where that cannot be told), and why, in words."""

    value: int | None
    reason: str


def needs_pixels(scene: Scene) -> bool:
    """True where only the scene's own pixels can tell."""
    return scene.collection.offset == "dark-pixels" and _baseline(scene) is not None and not _before(scene)


def resolve_offset(scene: Scene, pixels: Mapping[str, npt.NDArray[np.uint16]] | None = None) -> Offset:
    """The offset of a scene under its collection's rule; `pixels` by band (0 = no data) where they have to tell."""
    baseline = scene.baseline or "unknown"
    if scene.collection.offset == "always":
        return Offset(SHIFT, f"the collection always carries the offset (baseline {baseline})")
    if _baseline(scene) is None:
        return Offset(None, "the item does not state its processing baseline")
    if _before(scene):
        return Offset(0, f"baseline {baseline} is older than 04.00")
    if scene.collection.offset == "baseline":
        return Offset(SHIFT, f"baseline {baseline} is 04.00 or later")
    return from_dark_pixels(pixels or {}, scene.corrected)


def from_dark_pixels(pixels: Mapping[str, npt.NDArray[np.uint16]], corrected: bool | None) -> Offset:
    """Whether numbers of baseline 04.00 or later still carry the offset, as their darkest pixels tell.

    Numbers below 900 cannot carry it. Where two bands have their darkest pixels just above 1000, they do; where only
    one has, the item's own statement must say the same, because a bright desert looks alike.
    """
    dark = {}
    for band, values in sorted(pixels.items()):
        valid = values[values > 0]
        if valid.size >= _FEWEST:
            dark[band] = float(np.percentile(valid, _DARK))
    if not dark:
        return Offset(None, "there are too few pixels to tell whether the offset has been applied")
    lowest = min(dark.values())
    if lowest < _BELOW:
        return Offset(0, f"dark pixels at {lowest:.0f}: the offset has been applied already")
    on_floor = sum(value <= _FLOOR for value in dark.values())
    if on_floor >= 2 or (on_floor == 1 and corrected is False):
        return Offset(SHIFT, f"dark pixels at {lowest:.0f}: the offset has not been applied")
    return Offset(None, f"the darkest pixels, at {lowest:.0f}, do not tell whether the offset has been applied")


def apply_offset(numbers: npt.NDArray[np.uint16], offset: int) -> npt.NDArray[np.uint16]:
    """Reflectance x 10,000: 0 stays 0 (no data), everything else at least 1."""
    shifted = np.clip(numbers.astype(np.int32) + offset, 1, np.iinfo(np.uint16).max).astype(np.uint16)
    return np.where(numbers > 0, shifted, np.uint16(0))


def _baseline(scene: Scene) -> tuple[int, int] | None:
    whole, _, part = scene.baseline.partition(".")
    return (int(whole), int(part)) if whole.isdigit() and part.isdigit() else None


def _before(scene: Scene) -> bool:
    baseline = _baseline(scene)
    return baseline is not None and baseline < _SINCE
