"""Contrast: how far the mines of a site stand out from the ground around them."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.imagery.products import product
from minemap_assets.segmentation.site_scoring import SitePicture, corner
from minemap_assets.segmentation.training_set import ChipRef

QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")

FEWEST_SITES = 8
"""Fewer are not divided into quarters: one site would decide each."""


def contrast(
    chips: Sequence[ChipSet], refs: Sequence[ChipRef], picture: SitePicture, around: npt.NDArray[np.bool_]
) -> float:
    """By how much reflectance, or whatever else the product's numbers mean, the mean of the mines differs from that of
    the ground around them, root mean square over bands; NaN where one of the two was not seen.

    `around` (row, column) is true for that ground; `refs` are the site's chips.
    """
    kinds = np.where(picture.labels == 1, 1, np.where(around, 2, 0)).astype(np.uint8)
    kinds[~picture.counted] = 0
    bands = len(chips[picture.chip_set].bands)
    sums, counts = np.zeros((3, bands)), np.zeros(3)
    for ref in refs:
        pixels = chips[ref.chip_set].pixels(ref.chip)
        here = corner(chips, ref).over(pixels.shape)
        part = kinds[here].copy()
        # what another chip shows too counts once
        kinds[here] = 0
        for kind in (1, 2):
            chosen = pixels[:, part == kind]
            sums[kind] += chosen.sum(axis=1, dtype=np.float64)
            counts[kind] += chosen.shape[1]
    if not counts[1] or not counts[2]:
        return math.nan
    difference = (sums[1] / counts[1] - sums[2] / counts[2]) * product(chips[picture.chip_set].product).encoding.scale
    return float(np.sqrt(np.mean(difference**2)))


def quarters(contrasts: Sequence[float]) -> list[str]:
    """The quarter of each site among those given; empty where it has no contrast or there are too few sites."""
    values = np.array(contrasts, dtype=np.float64)
    known = ~np.isnan(values)
    if int(known.sum()) < FEWEST_SITES:
        return [""] * len(values)
    limits = np.quantile(values[known], [0.25, 0.5, 0.75])
    places = np.digitize(values, limits)
    return [QUARTERS[place] if seen else "" for place, seen in zip(places.tolist(), known.tolist(), strict=True)]
