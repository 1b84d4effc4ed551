"""MapBiomas' post-classification of mining, written from its published description.

MapBiomas, Mining appendix of the Algorithm Theoretical Basis Document of Collection 9, and the notes with its published
scripts (the same steps since Collection 5): gaps take the nearest class in time that there is, the following years
first; in a moving window of three years the middle takes the class of its neighbours where these agree, and the last
year that of the two before it; groups below about 1 ha are removed; pixels that are mining in at most 10 % of all years
are no mining.
"""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

LEAST_SHARE = 0.10
LEAST_HECTARES = 1.0


def mapbiomas_recipe(mine: Mask, observed: Mask, pixel_m: float) -> Mask:
    """Mining (year, row, column) by the recipe, from yearly masks and what was observed (same shape)."""
    filled = _gaps_filled(mine, observed)
    smooth = filled.copy()
    agree = filled[:-2] == filled[2:]
    smooth[1:-1] = np.where(agree, filled[:-2], filled[1:-1])
    same = smooth[-3] == smooth[-2]
    smooth[-1] = np.where(same, smooth[-3], smooth[-1])
    least = int(np.ceil(LEAST_HECTARES * 10_000.0 / pixel_m**2))
    large = np.stack([_without_small(year, least) for year in smooth])
    return np.asarray(large & (large.mean(axis=0) > LEAST_SHARE), dtype=bool)


def _gaps_filled(mine: Mask, observed: Mask) -> Mask:
    filled, known = mine & observed, observed.copy()
    for years in (range(len(mine) - 2, -1, -1), range(1, len(mine))):
        step = 1 if years.step < 0 else -1
        for year in years:
            take = ~known[year] & known[year + step]
            filled[year][take] = filled[year + step][take]
            known[year] |= take
    return filled


def _without_small(mask: Mask, least: int) -> Mask:
    from scipy.ndimage import label

    labels, count = label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(sizes[labels] >= least, dtype=bool)
