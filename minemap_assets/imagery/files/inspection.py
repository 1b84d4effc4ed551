"""One file of an archive looked at: is it whole, where does it lie, which bands has it, what do its numbers mean."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import numpy as np
import shapely
from affine import Affine, AffineError
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.raster_files import JPEG2000_SUFFIX
from minemap_assets.geo.vector import WGS84, geodesic_area_km2
from minemap_assets.imagery.files.addresses import CURL, address, file_at, is_web, member_of
from minemap_assets.imagery.files.band_names import bands_of
from minemap_assets.imagery.files.cloud_rules import CloudRule
from minemap_assets.imagery.files.emptiness import is_empty
from minemap_assets.imagery.files.images import Asset, CloudMask
from minemap_assets.imagery.files.jpeg2000 import check_jpeg2000
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.files.tiff_structure import check_whole
from minemap_assets.imagery.files.zip_members import byte_size, open_bytes, read_to_end
from minemap_assets.imagery.products import SCALE, Product
from minemap_assets.lake.manifests import digest

if TYPE_CHECKING:
    import rasterio.io
    import rasterio.windows

MOST_STRETCHED = 4.0
"""A file whose pixels are this many times longer than wide on the ground was not georeferenced rightly."""

BRIGHTEST = 1.5
"""Floating point numbers up to this are reflectance already."""

FINEST = 20.0
"""A file's pixels may be this many times finer than the product's; of finer ones a site needs too many at a time."""

COARSEST = 100.0
"""A file's pixels may be this many times coarser than the product's; coarser ones show no mine."""

FARTHEST = 1e8
"""Largest coordinate of a file in the unit of its CRS: no projection goes that far from its origin."""

_SAMPLE = 256
_DENSEST = 2**28
"""Pixels of the largest image of which a sample may be spread over all of it."""

_SHOWN = 120
"""Characters of somebody else's error."""


@dataclass(frozen=True)
class Numbers:
    """What a person said of the numbers of all files: None where the file is to tell. Where `nodata` says which number
    is missing, 0 is a number like others.
    """

    scale: float | None
    offset: float
    nodata: float | None


@dataclass(frozen=True, eq=False)
class FileFacts:
    """A usable file: its assets, number of bands, CRS, footprint in EPSG:4326, pixel size on the ground and revision.

    `empty` is True where no pixel is observed in any of its bands; `unused` are the bands that are left out, in words.
    """

    path: str
    assets: tuple[Asset, ...]
    count: int
    crs: str
    footprint: BaseGeometry
    pixel_metres: float
    revision: str
    empty: bool
    unused: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """A usable cloud mask, its footprint in EPSG:4326 and its revision."""

    mask: CloudMask
    footprint: BaseGeometry
    revision: str


def inspect_mask(root: str, path: str, rule: CloudRule, index: int = 1) -> MaskFacts:
    """Look at one band of a cloud mask. Raises `BadInputError` with one sentence where it cannot be used."""
    whole, size = _whole(root, path)
    with sensible(path), opened(whole) as source:
        if index > source.count:
            raise BadInputError(
                f"{path} has {source.count} bands where a cloud mask has {index} or more; fetch it again"
            )
        footprint = footprint_wgs84(_grid(source, path))
        mask = CloudMask(href=path, index=index, rule=rule.text, bytes=size)
        return MaskFacts(mask, footprint, _revision(source, whole, path))


def inspect(root: str, path: str, kind: Product, bands: Sequence[str] | None, numbers: Numbers) -> FileFacts:
    """Look at one file. Raises `BadInputError` with one sentence where it cannot be used."""
    whole, size = _whole(root, path)
    with sensible(path), opened(whole) as source:
        grid = _grid(source, path)
        footprint = footprint_wgs84(grid)
        metres = _pixel_metres(grid, footprint, path)
        _check_detail(path, metres, kind)
        named = bands_of(source, path, kind, bands)
        scale = _scale(source, path, numbers, list(named.usable))
        declared = source.nodata if numbers.nodata is None else numbers.nodata
        assets = tuple(
            Asset(
                band=band,
                href=path,
                index=index,
                scale=scale,
                offset=numbers.offset,
                nodata=None if declared is None or not math.isfinite(declared) else float(declared),
                zero=bool(numbers.nodata),
                bytes=size,
            )
            for index, band in named.usable.items()
        )
        revision = _revision(source, whole, path)
        count, crs = source.count, str(source.crs)
    with sensible(path):
        empty = is_empty(whole, assets, kind)
    return FileFacts(path, assets, count, crs, footprint, metres, revision, empty, named.unused)


def _check_detail(path: str, metres: float, kind: Product) -> None:
    what = "finer" if metres * FINEST < kind.resolution else "coarser"
    if what == "finer" or metres > COARSEST * kind.resolution:
        raise BadInputError(
            f"{path} has pixels of {metres:.3g} m, far {what} than the {kind.resolution:g} m of {kind.name}; its "
            "georeference is wrong, or it is no image of this product"
        )


def _whole(root: str, path: str) -> tuple[str, int | None]:
    """A file's address, and the size of it or of the ZIP archive that holds it, None for a remote one.

    Raises `BadInputError` where it is cut off.
    """
    whole = address(root, path)
    file = file_at(whole)
    if file is None:
        return whole, None
    if path.lower().endswith(JPEG2000_SUFFIX):
        with open_bytes(whole) as handle:
            check_jpeg2000(handle, byte_size(whole), path)
            if member_of(whole) is not None:
                read_to_end(handle)
    elif member_of(whole) is None:
        check_whole(Path(whole))
    return whole, file.stat().st_size


@contextmanager
def sensible(path: str) -> Iterator[None]:
    """What a file says of itself can be worked with. Raises `BadInputError` naming it where that fails inside."""
    from rasterio.errors import RasterioError

    try:
        yield
    except (MinemapError, RasterioError):
        raise
    except (
        *(ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, MemoryError),
        *(AffineError, shapely.errors.ShapelyError),
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInputError(
            f"{path} says of itself what cannot be ({type(error).__name__}: {reason[:_SHOWN]}); fetch or make it again"
        ) from error


def _revision(source: "rasterio.io.DatasetReader", whole: str, path: str) -> str:
    """Changes with the file: its size and time, the server's ETag, or else a sample of its pixels."""
    if not is_web(whole):
        return file_revision(whole, path)
    tag = _etag(whole.removeprefix(CURL)) if whole.startswith(CURL) else None
    if tag is not None:
        return digest([path, tag])
    pixels = _sample(source, range(1, source.count + 1)).data
    return digest([path, source.shape, list(source.transform), hashlib.sha256(pixels.tobytes()).hexdigest()])


def file_revision(whole: str, path: str) -> str:
    """Changes with a file on this machine, or with the ZIP archive that holds it; `whole` is its address for GDAL."""
    status = (file_at(whole) or Path(whole)).stat()
    return digest([path, status.st_size, status.st_mtime_ns])


def _etag(url: str) -> list[str] | None:
    """What a web server says of a file's version; None where it says nothing."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=60) as answer:
            names = ("ETag", "Last-Modified", "Content-Length")
            said = [answer.headers[name] or "" for name in names]
            return said if said[0] or said[1] else None
    except OSError:
        return None


def _grid(source: "rasterio.io.DatasetReader", path: str) -> GeoBox:
    if source.crs is None:
        raise BadInputError(f"{path} has no coordinate reference system; assign the right one (gdal_edit -a_srs)")
    if source.transform.is_identity:
        raise BadInputError(f"{path} has no georeference; assign one (gdal_edit -a_ullr)")
    transform = source.transform
    if not _is_possible(transform, source.width, source.height):
        raise BadInputError(f"{path} lies nowhere on Earth; its georeference is wrong")
    if transform.determinant == 0:
        raise BadInputError(f"{path} covers no area; its georeference is wrong")
    return GeoBox((source.height, source.width), transform, str(source.crs))


def _is_possible(transform: Affine, width: int, height: int) -> bool:
    corners = [transform @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    return all(abs(value) <= FARTHEST for corner in corners for value in corner)


def _pixel_metres(grid: GeoBox, footprint: BaseGeometry, path: str) -> float:
    area = geodesic_area_km2(footprint) * 1e6
    if not footprint.is_valid or not math.isfinite(area) or area <= 0:
        raise BadInputError(f"{path} covers no area on the ground; its georeference is wrong")
    size = math.sqrt(area / (grid.shape[0] * grid.shape[1]))
    latitude = math.radians(min(89.0, abs(footprint.centroid.y))) if grid.crs == WGS84 else 0.0
    across = math.hypot(grid.affine.a, grid.affine.d) * math.cos(latitude)
    down = math.hypot(grid.affine.b, grid.affine.e)
    stretch = max(across / down, down / across)
    if stretch > MOST_STRETCHED:
        raise BadInputError(
            f"{path} has pixels {stretch:.1f} times longer on one side than on the other, so columns or rows are "
            "missing; fetch it again"
        )
    return size


def _scale(source: "rasterio.io.DatasetReader", path: str, numbers: Numbers, indexes: Sequence[int]) -> float:
    if numbers.scale is not None:
        return numbers.scale
    kind = np.dtype(source.dtypes[0])
    if kind.kind in "iu":
        if kind.itemsize == 1:
            raise BadInputError(
                f"{path} is an 8-bit picture, not reflectance; give its scale if its numbers are linear"
            )
        declared = float(source.scales[0])
        if not math.isfinite(declared) or declared == 0:
            raise BadInputError(f"{path} declares the scale {declared:g}, which gives no reflectance; give its scale")
        return declared if declared != 1.0 else 1.0 / SCALE
    if kind.kind != "f":
        raise BadInputError(f"{path} holds numbers of type {kind.name}; use integers or floating point reflectance")
    pixels = _sample(source, indexes).compressed()
    pixels = pixels[np.isfinite(pixels)]
    high = float(np.percentile(pixels, 98)) if pixels.size else 0.0
    if high > BRIGHTEST:
        raise BadInputError(f"{path} has floating point numbers up to {high:.4g}, not reflectance; give its scale")
    return 1.0


def _sample(source: "rasterio.io.DatasetReader", indexes: Sequence[int]) -> "np.ma.MaskedArray[Any, Any]":
    """Some numbers of the bands, from all over the image, or from its middle where it is too large for that."""
    from rasterio.windows import Window

    height, width = min(_SAMPLE, source.height), min(_SAMPLE, source.width)
    window = Window(0, 0, source.width, source.height)
    if source.width * source.height > _DENSEST:
        window = Window((source.width - width) // 2, (source.height - height) // 2, width, height)
    shape = (len(indexes), height, width)
    pixels: np.ma.MaskedArray[Any, Any] = source.read(list(indexes), window=window, out_shape=shape, masked=True)
    return pixels
