"""A picture of probabilities, for the first look at a partition."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.raster import png_bytes
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP

SIDE = 160
GAP = 4
COLUMNS = 6
_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_COLOURS = np.array([[13, 8, 50], [86, 16, 110], [187, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float64)
_UNSEEN = np.array([110, 110, 110], dtype=np.uint8)
_PAPER = 255


def probability_strip(masks: Sequence[npt.NDArray[np.uint8]]) -> bytes:
    """PNG of stored probabilities side by side, dark to bright; grey where nothing was observed."""
    columns = max(1, min(COLUMNS, len(masks)))
    lines = max(1, -(-len(masks) // COLUMNS))
    sheet = np.full((lines * (SIDE + GAP) - GAP, columns * (SIDE + GAP) - GAP, 3), _PAPER, dtype=np.uint8)
    for place, stored in enumerate(masks):
        row, column = (n * (SIDE + GAP) for n in divmod(place, COLUMNS))
        sheet[row : row + SIDE, column : column + SIDE] = _coloured(_thumbnail(stored))
    return png_bytes(sheet)


def _thumbnail(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rows, columns = (np.minimum((np.arange(SIDE) + 0.5) * n / SIDE, n - 1).astype(np.intp) for n in stored.shape)
    return stored[np.ix_(rows, columns)]


def _coloured(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    value = stored / TOP
    picture = np.stack([np.interp(value, _STOPS, _COLOURS[:, c]) for c in range(3)], axis=-1).astype(np.uint8)
    picture[stored == NOT_OBSERVED] = _UNSEEN
    return picture
