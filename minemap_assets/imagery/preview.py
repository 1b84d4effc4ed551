"""The small picture of a partition: a strip of its sites, for the eye of whoever opens the asset."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.pictures import Picture, contact_sheet, evenly
from minemap_assets.geo.raster import quicklook

SITES = 12
SIZE = 128


class Preview:
    """Collects thumbnails of up to `SITES` sites spread evenly over the sorted ids."""

    def __init__(self, bands: Sequence[str], site_ids: Sequence[str]) -> None:
        names = list(bands)
        wanted = ("red", "green", "blue")
        self._channels = [names.index(b) if b in names else 0 for b in wanted]
        self._chosen = evenly(site_ids, SITES)
        self._thumbnails: dict[str, Picture] = {}

    def add(self, site_id: str, pixels: npt.NDArray[np.uint16]) -> None:
        """Keep a thumbnail of (band, row, column) pixels where the site is among the chosen."""
        if site_id in self._chosen:
            step = -(-max(pixels.shape[1:]) // SIZE)
            self._thumbnails[site_id] = quicklook(pixels[self._channels, ::step, ::step], size=SIZE)

    def picture(self) -> Picture:
        """The strip, (row, column, 3); a chosen site without pixels stays black."""
        black = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
        return contact_sheet([self._thumbnails.get(site, black) for site in self._chosen], SIZE)
