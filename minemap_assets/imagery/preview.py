"""The small picture of a partition: a strip of its sites, for the eye of whoever opens the asset.

What belongs here: choosing and arranging thumbnails. What does not: full-size pictures (`publication/`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.raster import quicklook

SITES = 12
SIZE = 128
GAP = 4
PER_ROW = 6


class Preview:
    """Collects thumbnails of up to `SITES` sites spread evenly over the sorted ids."""

    def __init__(self, bands: Sequence[str], site_ids: Sequence[str]) -> None:
        names = list(bands)
        wanted = ("red", "green", "blue")
        self._channels = [names.index(b) if b in names else 0 for b in wanted]
        count = min(SITES, len(site_ids))
        self._chosen = [site_ids[i * len(site_ids) // count] for i in range(count)]
        self._thumbnails: dict[str, npt.NDArray[np.uint8]] = {}

    def add(self, site_id: str, pixels: npt.NDArray[np.uint16]) -> None:
        """Keep a thumbnail of (band, row, column) pixels where the site is among the chosen."""
        if site_id in self._chosen:
            step = -(-max(pixels.shape[1:]) // SIZE)
            self._thumbnails[site_id] = quicklook(pixels[self._channels, ::step, ::step], size=SIZE)

    def picture(self) -> npt.NDArray[np.uint8]:
        """The strip, (row, column, 3); a chosen site without pixels stays black."""
        columns = max(1, min(PER_ROW, len(self._chosen)))
        rows = max(1, -(-len(self._chosen) // columns))
        step = SIZE + GAP
        strip = np.full((rows * step - GAP, columns * step - GAP, 3), 255, dtype=np.uint8)
        for place, site_id in enumerate(self._chosen):
            top, left = place // columns * step, place % columns * step
            strip[top : top + SIZE, left : left + SIZE] = 0
            thumbnail = self._thumbnails.get(site_id)
            if thumbnail is not None:
                strip[top : top + thumbnail.shape[0], left : left + thumbnail.shape[1]] = thumbnail
        return strip
