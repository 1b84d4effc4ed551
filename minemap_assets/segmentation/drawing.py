"""The picture of a partition of masks: the probability of mining at some of its sites."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.pictures import TILES, Swatch, Tile, evenly, sampled, sheet
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.masks import INDEX
from minemap_assets.segmentation.preview import COLOURS, UNSEEN, coloured
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine

EDGE = (56, 189, 248)

LEGEND = (
    Swatch(COLOURS, "probability of mining, 0 to 1"),
    Swatch((UNSEEN,), "not observed"),
)


def masks_picture(partition: Partition) -> bytes:
    """WebP of up to `TILES` sites, spread evenly over the sorted ids."""
    index = read_geoparquet(partition.file(INDEX))
    files = dict(zip(index["site_id"], index["file"], strict=True))
    chosen = evenly(sorted(files), TILES)
    threshold = float(partition.manifest.summary["threshold"])
    tiles = [_tile(partition.file(files[site]), site, threshold) for site in chosen]
    title = (
        f"{' '.join(partition.manifest.keys)}: mine from a probability of {threshold:.2f}, "
        f"{len(chosen)} of {len(files)} sites"
    )
    return sheet(title, tiles, [Swatch((EDGE,), "edge of the mask"), *LEGEND])


def _tile(path: Path, site_id: str, threshold: float) -> Tile:
    """A site's probabilities from their file, with the edge of what counts as mine, named by its id."""
    raster = read_raster(path)
    left, _, right, _ = raster.grid.boundingbox.bbox
    stored = sampled(raster.pixels[0])
    image = coloured(stored)
    image[_edge((stored != NOT_OBSERVED) & is_mine(stored, threshold))] = EDGE
    return Tile(image, site_id, right - left)


def _edge(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels of a mask (row, column) beside one that does not belong to it."""
    around = np.pad(mask, 1, mode="edge")
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    edge: npt.NDArray[np.bool_] = mask & ~inner
    return edge
