"""Small pictures of partitions, for whoever opens an asset."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

GAP = 4
PER_ROW = 6
PAPER = 255

Picture = npt.NDArray[np.uint8]


def contact_sheet(thumbnails: Sequence[Picture], side: int) -> Picture:
    """Thumbnails (row, column, 3) of at most `side` pixels on white paper, row by row; an empty sheet is one tile."""
    columns = max(1, min(PER_ROW, len(thumbnails)))
    rows = max(1, -(-len(thumbnails) // columns))
    step = side + GAP
    sheet = np.full((rows * step - GAP, columns * step - GAP, 3), PAPER, dtype=np.uint8)
    for place, thumbnail in enumerate(thumbnails):
        top, left = place // columns * step, place % columns * step
        sheet[top : top + thumbnail.shape[0], left : left + thumbnail.shape[1]] = thumbnail
    return sheet


def evenly(names: Sequence[str], most: int) -> list[str]:
    """At most `most` of the names, spread evenly over their order."""
    count = min(most, len(names))
    return [names[i * len(names) // count] for i in range(count)]
