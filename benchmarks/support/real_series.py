"""Yearly maps of real ground as series for temporal rules: published mining areas, and vegetation with gap years."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

from minemap_assets.segmentation.scale import NOT_OBSERVED, to_stored
from support.mine_series import Errors, Series, seen_with

Mask = npt.NDArray[np.bool_]

MINING = 30
"""Class of mining in the legend of MapBiomas' Collection 6."""

BARE_BELOW, BLUR = 60.0, 5.0
"""Ground with this share of green vegetation (percent) is bare with a probability of one half, and with 5 percent less
of it with one of 0.73: a logistic of the share.
"""


def lourenco(folder: Path, last: int = 36) -> Mask:
    """Published mining (year, row, column) around the Lourenço mine in the last of the years 1985 to 2020, cut to its
    surroundings.
    """
    years = []
    for path in sorted(folder.glob("*.tif"))[-last:]:
        with rasterio.open(path) as image:
            years.append(image.read(1) == MINING)
    mining = np.stack(years)
    rows, columns = np.nonzero(mining.any(axis=0))
    window = tuple(slice(max(int(at.min()) - 20, 0), int(at.max()) + 20) for at in (rows, columns))
    return mining[:, window[0], window[1]]


def flickering(truth: Mask, flicker: float, seed: int) -> Series:
    """A truth seen with flicker: each year its mask misses that share of the mined ground, and takes as much other
    ground near by for mined.

    Near by is within 10 pixels of ground that was ever mined. A quarter of the errors' variance stays through the
    years, and half of it is shared by neighbouring pixels.
    """
    from scipy.ndimage import binary_dilation
    from scipy.stats import norm

    near = binary_dilation(truth.any(axis=0), iterations=10)
    share = truth[:, near].mean()
    separation = norm.ppf(1.0 - flicker * share / (1.0 - share)) - norm.ppf(flicker)
    errors = Errors(separation=float(separation), persistent=0.25, smooth=0.5, clouded=0.0)
    return seen_with(truth, errors, np.random.default_rng(seed), near)


def bare_ground(folder: Path) -> dict[int, npt.NDArray[np.uint8]]:
    """Stored probabilities of bare ground by year, from the share of green vegetation (`PVts/<year>_*.tif`)."""
    found = {}
    for path in sorted((folder / "PVts").glob("*.tif")):
        with rasterio.open(path) as image:
            green = image.read(1).astype(np.float64)
        seen = (green >= 0.0) & (green <= 100.0)
        bare = 1.0 / (1.0 + np.exp((np.where(seen, green, 0.0) - BARE_BELOW) / BLUR))
        found[int(path.name[:4])] = np.where(seen, to_stored(bare), NOT_OBSERVED).astype(np.uint8)
    return found
