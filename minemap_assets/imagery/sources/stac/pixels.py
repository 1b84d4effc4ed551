"""Scenes brought onto a grid with odc-stac, and masked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.geo.raster_files import FORMAT
from minemap_assets.imagery.products import HIGHEST, SCALE
from minemap_assets.imagery.sources.stac.offsets import apply_offset
from minemap_assets.imagery.sources.stac.scenes import Scene

LOADERS = 2
"""Scenes brought onto a grid at a time."""


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
    """One scene on a grid: (band, row, column) reflectance x 10,000, 0 where it is cloudy, or where any band is missing
    or has a number that no reflectance has.
    """
    assets = files.scene.collection.assets
    keys = [assets.bands[band] for band in bands]
    numbers = load(files, [*keys, assets.classes], grid)
    stack = np.stack([numbers[key] for key in keys])
    observed = is_clear(numbers[assets.classes], masked) & (stack > 0).all(axis=0)
    observed &= (stack <= HIGHEST * SCALE - offset).all(axis=0)
    return np.where(observed, apply_offset(stack, offset), np.uint16(0))


def coarsest(path: Path) -> npt.NDArray[np.uint16]:
    """Every pixel of a local file's coarsest level, as stored."""
    import rasterio

    with rasterio.open(path, sharing=False, driver=FORMAT) as source:
        levels = len(source.overviews(1))
    options = {"OVERVIEW_LEVEL": levels - 1} if levels else {}
    with rasterio.open(path, sharing=False, driver=FORMAT, **options) as source:
        pixels: npt.NDArray[np.uint16] = source.read(1)
        return pixels


def rows_within(memory: int, dates: int, bands: int, width: int) -> int:
    """Rows of a composite whose working arrays stay within `memory` bytes, whatever the number of dates.

    A pixel takes two bytes a date and band; a scene on its way takes as much as five dates, with its classes and
    masks, and the result as much as one.
    """
    per_row = width * 2 * (bands + 1) * (max(1, dates) + 5 * LOADERS + 1)
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

    with rasterio.open(path, sharing=False, driver=FORMAT) as source:
        alike = source.crs == grid.crs and source.transform.e == grid.affine.e
        rows = (source.transform.f - grid.affine.f) / grid.affine.e
        height = int(source.block_shapes[0][0])
    if not alike or rows != int(rows):
        return 0, int(grid.shape[0])
    return int(rows) % height, height


def asset_href(scene: Scene, key: str) -> str:
    """Address of an asset, whole."""
    return str(scene.item.assets[key].get_absolute_href() or scene.item.assets[key].href)
