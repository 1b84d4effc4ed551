"""Small archives drawn by hand, for the tests of the archive source and its index."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import ColorInterp

from minemap_assets.geo.grid import square_grid

UTM = 32720
GRID = square_grid(500_000.0, 8_900_000.0, 64, UTM, 10.0)
"""A grid of 64 x 64 pixels of 10 m, its corner at (499680, 8900320)."""

BANDS4 = ("blue", "green", "red", "nir")


def write_tif(
    path: Path,
    pixels: npt.NDArray[np.generic],
    transform: Affine,
    crs: str | None = f"EPSG:{UTM}",
    *,
    bands: Sequence[str] = (),
    nodata: float | None = None,
    compress: str | None = None,
    alpha: bool = False,
) -> Path:
    """Write (band, row, column) pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype.name,
        crs=crs,
        transform=transform,
        nodata=nodata,
        compress=compress,
    ) as target:
        if alpha:
            target.colorinterp = [ColorInterp.gray] + [ColorInterp.undefined] * (count - 2) + [ColorInterp.alpha]
        target.write(pixels)
        if bands:
            target.descriptions = (*bands, *([None] * (count - len(bands))))
    return path


def centres(shape: tuple[int, int], transform: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """x and y of the pixel centres."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (
        transform.a * columns + transform.b * rows + transform.c,
        transform.d * columns + transform.e * rows + transform.f,
    )


def field(
    function: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    shape: tuple[int, int],
    transform: Affine,
    crs: int,
) -> npt.NDArray[np.float64]:
    """A function of easting and northing (EPSG:32720), evaluated at the pixel centres of a raster in any CRS."""
    x, y = Transformer.from_crs(crs, UTM, always_xy=True).transform(*centres(shape, transform))
    return function(np.asarray(x), np.asarray(y))


def on_grid(
    function: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    grid: GeoBox = GRID,
) -> npt.NDArray[np.float64]:
    """The function at the centres of a grid."""
    return function(*centres((int(grid.shape[0]), int(grid.shape[1])), grid.affine))


def ramp(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear: 2 a pixel to the east, 3 a pixel to the south."""
    return 3000.0 + (x - 500_000.0) * 0.2 - (y - 8_900_000.0) * 0.3


def stack(base: npt.NDArray[np.float64], bands: int = 4) -> npt.NDArray[np.uint16]:
    """Bands that lie 100 apart."""
    return np.rint(np.stack([base + 100 * i for i in range(bands)])).astype(np.uint16)
