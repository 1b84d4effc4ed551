"""Pictures of ground put together from several files: what one does not show is taken from others, pixel by pixel.

Files may lie in different UTM zones. A pixel that is lacking takes the number of the pixel in which its middle lies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.preview import channels
from minemap_assets.imagery.reader import ImagerySet


@dataclass(frozen=True)
class Held:
    """A file that holds pixels of some ground: the image of a site, or a tile of a scan."""

    path: Path
    name: str
    product: str
    bands: tuple[str, ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """The three bands that pictures show."""
        return tuple(self.bands[band] for band in channels(self.bands))


def held_of(images: ImagerySet, name: str) -> Held:
    """The file of a site or tile, which is there."""
    file = images.index.loc[images.index["site_id"] == name, "file"].iloc[0]
    return Held(images.partition.file(file), name, images.product, images.bands)


def fill_in(pixels: npt.NDArray[np.uint16], grid: GeoBox, files: Iterable[Held]) -> npt.NDArray[np.uint16]:
    """Pixels (3, row, column) of a grid, with those not observed (0) taken from the first file that shows them; files
    are read only as long as something is lacking.
    """
    found = pixels
    for held in files:
        rows, columns = np.nonzero(found[0] == 0)
        if not len(rows):
            break
        read = _under(held, grid, rows, columns)
        seen = read[0] > 0
        if seen.any():
            found = found.copy() if found is pixels else found
            found[:, rows[seen], columns[seen]] = read[:, seen]
    return found


def _under(
    held: Held, grid: GeoBox, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint16]:
    """What a file holds (3, n) under the middles of some pixels of a grid; 0 outside of it."""
    import rasterio
    from rasterio.warp import transform
    from rasterio.windows import Window

    found = np.zeros((3, len(rows)), np.uint16)
    a, b, c, d, e, f = grid.affine[:6]
    x, y = (u * (columns + 0.5) + v * (rows + 0.5) + w for u, v, w in ((a, b, c), (d, e, f)))
    with rasterio.open(held.path) as source:
        there = ~source.transform * tuple(map(np.asarray, transform(str(grid.crs), source.crs, x, y)))
        across, down = (np.floor(place).astype(np.int64) for place in there)
        inside = np.flatnonzero((across >= 0) & (across < source.width) & (down >= 0) & (down < source.height))
        if not len(inside):
            return found
        across, down = across[inside], down[inside]
        left, top = int(across.min()), int(down.min())
        window = Window(left, top, int(across.max()) - left + 1, int(down.max()) - top + 1)
        read = source.read([band + 1 for band in channels(held.bands)], window=window)
    found[:, inside] = read[:, down - top, across - left]
    return found
