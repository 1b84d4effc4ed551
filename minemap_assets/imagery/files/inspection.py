"""One file of an archive looked at: is it whole, where does it lie, which bands has it, what do its numbers mean."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.vector import WGS84, geodesic_area_km2
from minemap_assets.imagery.files.cloud_rules import CloudRule
from minemap_assets.imagery.files.images import Asset, CloudMask
from minemap_assets.imagery.files.reading import CURL, address, opened
from minemap_assets.imagery.files.scene_names import band_of_file, common_band
from minemap_assets.imagery.files.tiff_structure import check_whole
from minemap_assets.imagery.products import SCALE, Product
from minemap_assets.lake.manifests import digest

if TYPE_CHECKING:
    import rasterio.io

MOST_STRETCHED = 4.0
"""A file whose pixels are this many times longer than wide on the ground was not georeferenced rightly."""

BRIGHTEST = 1.5
"""Floating point numbers up to this are reflectance already."""

_SAMPLE = 256
_PLACE = 64
"""Pixels along a side of each place where values are looked for first."""


@dataclass(frozen=True)
class Numbers:
    """What a person said of the numbers of all files: None where the file is to tell."""

    scale: float | None
    offset: float
    nodata: float | None


@dataclass(frozen=True, eq=False)
class FileFacts:
    """A usable file: its assets, number of bands, CRS, footprint in EPSG:4326, pixel size on the ground and revision.

    `empty` is True where no pixel is observed in any of its bands.
    """

    path: str
    assets: tuple[Asset, ...]
    count: int
    crs: str
    footprint: BaseGeometry
    pixel_metres: float
    revision: str
    empty: bool


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """A usable cloud mask, its footprint in EPSG:4326 and its revision."""

    mask: CloudMask
    footprint: BaseGeometry
    revision: str


def inspect_mask(root: str, path: str, rule: CloudRule) -> MaskFacts:
    """Look at one cloud mask. Raises `BadInputError` with one sentence where it cannot be used."""
    whole, size = _whole(root, path)
    with opened(whole) as source:
        footprint = footprint_wgs84(_grid(source, path))
        mask = CloudMask(href=path, rule=rule.text, bytes=size)
        return MaskFacts(mask, footprint, _revision(source, whole, path))


def inspect(root: str, path: str, kind: Product, bands: Sequence[str] | None, numbers: Numbers) -> FileFacts:
    """Look at one file. Raises `BadInputError` with one sentence where it cannot be used."""
    whole, size = _whole(root, path)
    with opened(whole) as source:
        grid = _grid(source, path)
        footprint = footprint_wgs84(grid)
        metres = _pixel_metres(grid, footprint, path)
        named = _bands(source, path, kind, bands)
        scale = _scale(source, path, numbers)
        declared = source.nodata if numbers.nodata is None else numbers.nodata
        assets = tuple(
            Asset(
                band=band,
                href=path,
                index=index,
                scale=scale,
                offset=numbers.offset,
                nodata=None if declared is None or math.isnan(declared) else float(declared),
                bytes=size,
            )
            for index, band in named.items()
        )
        revision = _revision(source, whole, path)
        empty = _is_empty(source, assets)
        return FileFacts(path, assets, source.count, str(source.crs), footprint, metres, revision, empty)


def _whole(root: str, path: str) -> tuple[str, int | None]:
    """A file's address and its size, None for a remote one. Raises `BadInputError` where it is cut off."""
    whole = address(root, path)
    if whole.startswith("/vsi"):
        return whole, None
    check_whole(Path(whole))
    return whole, Path(whole).stat().st_size


def _is_empty(source: "rasterio.io.DatasetReader", assets: Sequence[Asset]) -> bool:
    """Whether no pixel has a value: by a few places first, and by all pixels where those have none."""
    from rasterio.windows import Window

    height, width = min(_PLACE, source.height), min(_PLACE, source.width)
    places = [
        Window(int((source.width - width) * x), int((source.height - height) * y), width, height)
        for x, y in ((0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
    ]
    for window in (*places, Window(0, 0, source.width, source.height)):
        pixels = source.read([asset.index for asset in assets], window=window)
        for band, asset in zip(pixels, assets, strict=True):
            missing = 0.0 if asset.nodata is None else asset.nodata
            if ((band != missing) & np.isfinite(band)).any():
                return False
    return True


def _revision(source: "rasterio.io.DatasetReader", whole: str, path: str) -> str:
    """Changes with the file: its size and time, the server's ETag, or else a sample of its pixels."""
    if not whole.startswith("/vsi"):
        status = Path(whole).stat()
        return digest([path, status.st_size, status.st_mtime_ns])
    tag = _etag(whole.removeprefix(CURL)) if whole.startswith(CURL) else None
    if tag is not None:
        return digest([path, tag])
    shape = (source.count, min(_SAMPLE, source.height), min(_SAMPLE, source.width))
    pixels = source.read(out_shape=shape)
    return digest([path, source.shape, list(source.transform), hashlib.sha256(pixels.tobytes()).hexdigest()])


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
    if transform.determinant == 0:
        raise BadInputError(f"{path} covers no area; its georeference is wrong")
    return GeoBox((source.height, source.width), transform, str(source.crs))


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


def _bands(
    source: "rasterio.io.DatasetReader", path: str, kind: Product, bands: Sequence[str] | None
) -> dict[int, str]:
    """Common name of each usable band by its index from 1."""
    from rasterio.enums import ColorInterp

    named = band_of_file(path)
    count = source.count - int(source.colorinterp[-1] == ColorInterp.alpha and source.count != len(bands or ()))
    if named is not None and (count == 1 or (count == 2 and bands is None)):
        # A second band is a data mask, as the Copernicus Browser adds one, and the first is 0 where it hides.
        names: list[str | None] = [named.band]
    elif bands is not None:
        if count != len(bands):
            raise BadInputError(f"{path} has {count} bands where {len(bands)} were named ({', '.join(bands)})")
        names = list(bands)
    else:
        names = [common_band(text or "") for text in source.descriptions[:count]]
        if not any(names):
            names = [colour.name for colour in source.colorinterp[:count]]
    usable = {i + 1: name for i, name in enumerate(names) if name in kind.bands}
    if not usable:
        raise BadInputError(f"{path} does not say which of its {count} bands is which; name its bands in order")
    return {index: name for index, name in usable.items() if name is not None}


def _scale(source: "rasterio.io.DatasetReader", path: str, numbers: Numbers) -> float:
    if numbers.scale is not None:
        return numbers.scale
    kind = np.dtype(source.dtypes[0])
    if kind.kind in "iu":
        if kind.itemsize == 1:
            raise BadInputError(
                f"{path} is an 8-bit picture, not reflectance; give its scale if its numbers are linear"
            )
        declared = float(source.scales[0])
        return declared if declared != 1.0 else 1.0 / SCALE
    if kind.kind != "f":
        raise BadInputError(f"{path} holds numbers of type {kind.name}; use integers or floating point reflectance")
    shape = (source.count, min(_SAMPLE, source.height), min(_SAMPLE, source.width))
    pixels = source.read(out_shape=shape, masked=True).compressed()
    pixels = pixels[np.isfinite(pixels)]
    high = float(np.percentile(pixels, 98)) if pixels.size else 0.0
    if high > BRIGHTEST:
        raise BadInputError(f"{path} has floating point numbers up to {high:.4g}, not reflectance; give its scale")
    return 1.0
