"""Tiles of the stand-in's mosaics in full depth, cut from its quads: 256 pixels a side, as GeoTIFF."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.io
from affine import Affine
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

RECORDED = Path(__file__).parents[1] / "recorded" / "planet"
REQUEST = json.loads((RECORDED / "tile_request.json").read_text())
TILE: int = REQUEST["pixels"]
OWN_ZOOM = 15
"""The level with the pixels of NICFI's quads."""


def in_full_depth(query: dict[str, str]) -> bool:
    """Whether a tile is asked for as Planet's own client does it."""
    return all(query.get(name) == value for name, value in REQUEST["query"].items())


def tile_of(root: Path, mosaic: dict[str, Any], zoom: int, x: int, y: int) -> bytes | None:
    """A tile at the mosaic's own level, or one that is a part of a quad or all of it seen from further out; None where
    there is no quad, or where all of it is empty.
    """
    pixels = mosaic["quad_pixels"]
    steps = (pixels // TILE).bit_length() - 1
    inside = zoom - (OWN_ZOOM - steps)
    if not 0 <= inside <= steps:
        return None
    side = 2 ** (OWN_ZOOM - steps)
    path = root / mosaic["id"] / f"{x >> inside}-{side - 1 - (y >> inside)}.tif"
    if not path.exists():
        return None
    size = pixels >> inside
    window = Window((x % 2**inside) * size, (y % 2**inside) * size, size, size)
    with rasterio.open(path) as source:
        seen = source.read(window=window, out_shape=(source.count, TILE, TILE), resampling=Resampling.nearest)
        order = source.descriptions
        place = source.window_transform(window) * Affine.scale(size / TILE)
    if not seen.any():
        return None
    profile = {"driver": "GTiff", "count": len(seen), "height": TILE, "width": TILE, "dtype": seen.dtype.name}
    with rasterio.io.MemoryFile() as memory:
        with memory.open(**profile, compress="DEFLATE", crs="EPSG:3857", transform=place) as target:
            if len(seen) == 5:
                target.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 3, ColorInterp.alpha]
            target.write(np.asarray(seen))
            target.descriptions = order
        found: bytes = memory.read()
        return found
