"""A folder of small images and outlines of mines in them, as a person would bring both."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.transform import from_origin

EPSG = "EPSG:32630"
WEST, NORTH = 720_000.0, 670_000.0
"""Upper left corner of the first image, in metres: 6 degrees north, 1 degree west."""

PIXELS, METRES = 400, 10.0
SIDE = PIXELS * METRES
APART = 2 * SIDE


def write_images(folder: Path, count: int = 1, *, bands: int = 4, names: Sequence[str] = ()) -> Path:
    """`count` images of that many bands in a row, each `SIDE` metres wide, named `img_0.tif` or as `names` say."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / (names[number] if names else f"img_{number}.tif")
        about = {"count": bands, "dtype": "uint16", "height": PIXELS, "width": PIXELS, "crs": EPSG}
        corner = from_origin(WEST + number * APART, NORTH, METRES, METRES)
        with rasterio.open(path, "w", driver="GTiff", transform=corner, compress="deflate", **about) as target:
            target.write(rng.integers(500, 2500, (bands, PIXELS, PIXELS), dtype=np.uint16))
    return folder


def mine(number: int, metres: float = 300.0) -> shapely.Polygon:
    """A square mine in the middle of an image, in degrees."""
    x, y = WEST + number * APART + SIDE / 2, NORTH - SIDE / 2
    square = shapely.box(x - metres / 2, y - metres / 2, x + metres / 2, y + metres / 2)
    found = gpd.GeoSeries([square], crs=EPSG).to_crs("EPSG:4326")[0]
    assert isinstance(found, shapely.Polygon)
    return found


def write_masks(folder: Path, count: int) -> Path:
    """A mask for each image, with a mine in its middle."""
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((PIXELS, PIXELS), dtype=np.uint8)
    mask[190:210, 190:210] = 1
    for number in range(count):
        corner = from_origin(WEST + number * APART, NORTH, METRES, METRES)
        about = {"count": 1, "dtype": "uint8", "height": PIXELS, "width": PIXELS, "crs": EPSG}
        with rasterio.open(folder / f"mask_{number}.tif", "w", driver="GTiff", transform=corner, **about) as target:
            target.write(mask, 1)
    return folder
