"""Raster files: Cloud Optimized GeoTIFFs written the same way every time, and read with checks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster_files import alone, open_raster

TAG_NAMESPACE = "MINEMAP"

BLOCK = 512
"""Pixels of a block a side."""

DEFLATE_LEVELS: Mapping[int, int] = MappingProxyType({1: 5, 2: 1})
"""Levels of deflate by bytes a number. Behind the predictor reflectance is noise, in which the search for repetitions
finds nothing: the lowest level is fastest, and smallest. In probabilities it finds some, and level 6 would take nearly
twice the time of level 5 for 3 % less (`benchmarks/write_cog.py`).
"""


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels (band, row, column) on a grid, with band names and the JSON facts stored beside them."""

    grid: GeoBox
    pixels: npt.NDArray[Any]
    bands: tuple[str, ...]
    facts: Mapping[str, Any]


def write_cog(
    path: Path,
    pixels: npt.NDArray[Any],
    grid: GeoBox,
    bands: Sequence[str],
    *,
    nodata: float | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a (band, row, column) array as a Cloud Optimized GeoTIFF at `path` (not atomic: write to a staging file).

    Deflate with a predictor, 512 px blocks, nearest-neighbour overviews only where the image is larger than a block
    (an average would mix pixels with "not observed"). `facts` is stored as JSON in the file's tags.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    count, height, width = pixels.shape
    profile: dict[str, Any] = {
        "driver": "MEM",
        "count": count,
        "height": height,
        "width": width,
        "dtype": pixels.dtype.name,
        "crs": str(grid.crs),
        "transform": grid.affine,
        "nodata": nodata,
    }
    # The driver compresses every block once where it finds the overviews made. The file is made in memory: GDAL does
    # not tell when the disk is full, Python does.
    fixed = {"GDAL_NUM_THREADS": "1", "GDAL_TIFF_OVR_BLOCKSIZE": str(BLOCK)}
    with rasterio.Env(**fixed), MemoryFile(ext=".tif") as finished:
        with rasterio.open(f"{finished.name}.pixels", "w+", **profile) as source:
            source.write(pixels)
            source.descriptions = tuple(bands)
            if facts is not None:
                source.update_tags(ns=TAG_NAMESPACE, facts=json.dumps(facts, sort_keys=True))
            if factors := _overview_factors(max(height, width)):
                source.build_overviews(factors, Resampling.nearest)
            copy(
                source,
                finished.name,
                driver="COG",
                compress="DEFLATE",
                level=DEFLATE_LEVELS.get(pixels.dtype.itemsize, DEFLATE_LEVELS[2]),
                predictor="YES" if pixels.dtype.kind in "iuf" else "NO",
                blocksize=BLOCK,
                src_mdd=TAG_NAMESPACE,
                overviews="AUTO" if factors else "NONE",
            )
        path.write_bytes(finished.getbuffer())


def _overview_factors(side: int) -> list[int]:
    """Each overview has half the pixels a side of the one before it; the last one fits into a block."""
    factors: list[int] = []
    while -(-side // 2 ** len(factors)) > BLOCK:
        factors.append(2 ** (len(factors) + 1))
    return factors


def read_raster(path: Path) -> Raster:
    """Read a file that `write_cog` wrote. Raises `BadInputError` where it is not a whole raster."""
    from rasterio.errors import RasterioError

    try:
        with alone(), open_raster(str(path.absolute())) as source:
            pixels = source.read()
            facts = json.loads(source.tags(ns=TAG_NAMESPACE).get("facts", "{}"))
            grid = GeoBox(pixels.shape[1:], source.transform, str(source.crs))
            return Raster(grid, pixels, tuple(d or "" for d in source.descriptions), facts)
    except (RasterioError, ValueError, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInputError(f"{path} cannot be read as a raster ({reason}); fetch or make it again") from error


def quicklook(
    pixels: npt.NDArray[np.uint16], low: float = 0.0, high: float = 3000.0, size: int = 256
) -> npt.NDArray[np.uint8]:
    """A small (row, column, 3) picture of three uint16 reflectance bands; 0 (not observed) stays black."""
    step = max(1, max(pixels.shape[1:]) // size)
    small = pixels[:, ::step, ::step].astype(np.float32)
    scaled = np.clip((small - low) / (high - low), 0.0, 1.0) ** 0.8 * 255.0
    return np.moveaxis(scaled.astype(np.uint8), 0, -1)


def png_bytes(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode a (row, column, 3) picture as PNG."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
