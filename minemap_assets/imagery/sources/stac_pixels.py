"""Scenes brought onto a grid with odc-stac, masked, and combined with bottleneck's median.

What belongs here: pixels of local files. What does not: getting the files here (`stac_blocks.py`), and choosing scenes
(`stac_search.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.compositing import Combined
from minemap_assets.imagery.sources.stac_items import Scene
from minemap_assets.imagery.sources.stac_offsets import apply_offset


@dataclass(frozen=True)
class Files:
    """The local files of a scene by asset key."""

    scene: Scene
    paths: Mapping[str, Path]


def load(files: Files, assets: Sequence[str], grid: GeoBox) -> dict[str, npt.NDArray[np.uint16]]:
    """Assets of a scene on a grid, as they are stored: (row, column) by asset key, 0 = no data.

    Bands are interpolated bilinearly where pixels do not coincide, leaving out missing ones; classes are taken from
    the nearest pixel. Raises `RetryableError` where a local file cannot be read.
    """
    import odc.stac
    from rasterio.errors import RasterioError

    collection = files.scene.collection
    where = {asset_href(files.scene, key): str(files.paths[key]) for key in assets}
    try:
        loaded: Any = odc.stac.load(
            [files.scene.item],
            bands=list(assets),
            geobox=grid,
            groupby="id",
            resampling={"*": "bilinear", collection.assets.classes: "nearest"},
            stac_cfg={"*": {"assets": {"*": {"data_type": "uint16", "nodata": 0}}, "warnings": "ignore"}},
            patch_url=lambda href: where.get(href, href),
            use_overviews=False,
        )
    except RasterioError as error:
        reason = str(error.__cause__ or error)
        raise RetryableError(f"{files.scene.id} cannot be read from the local cache ({reason})") from error
    return {key: np.asarray(loaded[key].values[0], dtype=np.uint16) for key in assets}


def is_clear(classes: npt.NDArray[np.uint16], masked: Sequence[int]) -> npt.NDArray[np.bool_]:
    """True where the scene classification shows the ground."""
    return ~np.isin(classes, list(masked))


def layer(
    files: Files, bands: Sequence[str], grid: GeoBox, offset: int, masked: Sequence[int]
) -> npt.NDArray[np.uint16]:
    """One scene on a grid: (band, row, column) reflectance x 10,000, 0 where it is cloudy or missing in any band."""
    assets = files.scene.collection.assets
    keys = [assets.bands[band] for band in bands]
    numbers = load(files, [*keys, assets.classes], grid)
    stack = np.stack([numbers[key] for key in keys])
    observed = is_clear(numbers[assets.classes], masked) & (stack > 0).all(axis=0)
    return np.where(observed, apply_offset(stack, offset), np.uint16(0))


def coarsest(path: Path) -> npt.NDArray[np.uint16]:
    """Every pixel of a local file's coarsest level, as stored."""
    import rasterio

    with rasterio.open(path, sharing=False) as source:
        levels = len(source.overviews(1))
    options = {"OVERVIEW_LEVEL": levels - 1} if levels else {}
    with rasterio.open(path, sharing=False, **options) as source:
        pixels: npt.NDArray[np.uint16] = source.read(1)
        return pixels


def median(stack: Sequence[npt.NDArray[np.uint16]]) -> Combined:
    """The median of each pixel and band over its observations; the mean of the middle two is rounded half up.

    The same numbers as `compositing.median`, faster over many dates. `stack` has a (band, row, column) array a date,
    0 in all bands where there is no observation.
    """
    import bottleneck

    observed = np.stack([one[0] > 0 for one in stack])
    count = observed.sum(axis=0, dtype=np.uint16)
    pixels = np.zeros(stack[0].shape, dtype=np.uint16)
    seen = count > 0
    values = np.empty(observed.shape, dtype=np.float32)
    for band in range(stack[0].shape[0]):
        for place, one in enumerate(stack):
            values[place] = one[band]
            values[place][~observed[place]] = np.nan
        middle = bottleneck.nanmedian(values, axis=0)
        pixels[band][seen] = np.floor(middle[seen] + np.float32(0.5)).astype(np.uint16)
    return Combined(pixels, count)


def rows_within(memory: int, dates: int, bands: int, width: int) -> int:
    """Rows of a composite whose working arrays stay within `memory` bytes, whatever the number of dates.

    A pixel takes two bytes a date and band, and ten more a date for the band at work (as float, copied by the median,
    and whether it is observed); the result and what leads to it take two bytes a band and sixteen more.
    """
    per_row = width * (max(1, dates) * (2 * bands + 10) + 2 * bands + 16)
    return max(1, memory // per_row)


def blocks(grid: GeoBox, rows: int, phase: int, block: int) -> Iterator[GeoBox]:
    """The grid in pieces of at most `rows` rows, cut where possible at the edges of the files' blocks.

    Those lie every `block` rows, the first edge at row `phase` of the grid.
    """
    height, top = int(grid.shape[0]), 0
    while top < height:
        bottom = min(height, top + rows)
        if bottom < height:
            edge = phase + (bottom - phase) // block * block
            bottom = edge if edge > top else bottom
        yield grid[top:bottom, :]
        top = bottom


def block_phase(path: Path, grid: GeoBox) -> tuple[int, int]:
    """First edge of a file's blocks among the grid's rows, and the blocks' height; the grid's own where they differ."""
    import rasterio

    with rasterio.open(path, sharing=False) as source:
        alike = source.crs == grid.crs and source.transform.e == grid.affine.e
        rows = (source.transform.f - grid.affine.f) / grid.affine.e
        height = int(source.block_shapes[0][0])
    if not alike or rows != int(rows):
        return 0, int(grid.shape[0])
    return int(rows) % height, height


def asset_href(scene: Scene, key: str) -> str:
    """Address of an asset, whole."""
    return str(scene.item.assets[key].get_absolute_href() or scene.item.assets[key].href)
