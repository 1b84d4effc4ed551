"""The small picture of a partition: a strip of its sites, for the eye of whoever opens the asset."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.pictures import Picture, contact_sheet, evenly
from minemap_assets.geo.raster import quicklook

SITES = 12
SIZE = 128

_RGB = ("red", "green", "blue")
_SPREAD = (2.0, 98.0)
_BRIGHTEST = 1000.0


class Preview:
    """Collects thumbnails of up to `SITES` sites spread evenly over the sorted ids."""

    def __init__(self, bands: Sequence[str], site_ids: Sequence[str]) -> None:
        self._bands = tuple(bands)
        self._chosen = evenly(site_ids, SITES)
        self._thumbnails: dict[str, Picture] = {}

    def add(self, site_id: str, pixels: npt.NDArray[np.uint16]) -> None:
        """Keep a thumbnail of (band, row, column) pixels where the site is among the chosen."""
        if site_id in self._chosen:
            step = -(-max(pixels.shape[1:]) // SIZE)
            small = pixels[channels(self._bands), ::step, ::step]
            self._thumbnails[site_id] = coloured(small, self._bands, SIZE)

    def picture(self) -> Picture:
        """The strip, (row, column, 3); a chosen site without pixels stays black."""
        black = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
        return contact_sheet([self._thumbnails.get(site, black) for site in self._chosen], SIZE)


def channels(bands: Sequence[str]) -> list[int]:
    """Places of the three bands that a picture shows: red, green and blue, else the first three (or the first one)."""
    names = list(bands)
    if set(_RGB) <= set(names):
        return [names.index(band) for band in _RGB]
    return [0, 1, 2] if len(names) > 2 else [0, 0, 0]


def coloured(pixels: npt.NDArray[np.uint16], bands: Sequence[str], size: int) -> Picture:
    """A picture (row, column, 3) of the `channels` of some bands, uint16 (3, row, column); black where not observed.

    Reflectance of red, green and blue is drawn alike everywhere. Other numbers say nothing of brightness: each channel
    is spread from the darkest to the brightest pixel of the picture, but for two in a hundred on both sides.
    """
    seen = (pixels > 0).all(axis=0)
    if set(_RGB) <= set(bands) or not seen.any():
        return quicklook(pixels, size=size)
    low, high = np.percentile(pixels[:, seen].astype(np.float32), _SPREAD, axis=1)[..., np.newaxis, np.newaxis]
    spread = np.clip((pixels - low) / np.maximum(high - low, 1.0), 0.0, 1.0) * (_BRIGHTEST - 1) + 1
    return quicklook(np.where(seen, spread, 0).astype(np.uint16), high=_BRIGHTEST, size=size)
