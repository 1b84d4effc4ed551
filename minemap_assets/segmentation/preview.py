"""A picture of probabilities, for the first look at a partition."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.pictures import contact_sheet
from minemap_assets.geo.raster import png_bytes
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP

SIDE = 160
_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
COLOURS = ((13, 8, 50), (86, 16, 110), (187, 55, 84), (249, 142, 9), (252, 255, 164))
"""Of probabilities 0, 0.25, 0.5, 0.75 and 1."""

_CHANNELS = np.array(COLOURS, dtype=np.float64).T
UNSEEN = (110, 110, 110)


def probability_strip(masks: Sequence[npt.NDArray[np.uint8]]) -> bytes:
    """PNG of stored probabilities side by side, dark to bright; grey where nothing was observed."""
    return png_bytes(contact_sheet([coloured(_thumbnail(stored)) for stored in masks], SIDE))


def _thumbnail(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rows, columns = (np.minimum((np.arange(SIDE) + 0.5) * n / SIDE, n - 1).astype(np.intp) for n in stored.shape)
    return stored[np.ix_(rows, columns)]


def coloured(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Stored probabilities (row, column) as a picture (row, column, 3)."""
    value = stored / TOP
    picture = np.stack([np.interp(value, _STOPS, channel) for channel in _CHANNELS], axis=-1).astype(np.uint8)
    picture[stored == NOT_OBSERVED] = UNSEEN
    return picture
