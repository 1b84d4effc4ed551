"""The files of an archive: their addresses, and one image brought onto a grid as reflectance x 10,000."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError, BadInputError, MinemapError, RetryableError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.imagery.files.addresses import address, file_at, is_web, shown
from minemap_assets.imagery.files.cloud_polygons import SUFFIX, hidden_by_polygons
from minemap_assets.imagery.files.images import Asset, CloudMask, Image
from minemap_assets.imagery.files.resampling import Sampled, sample, sample_hidden
from minemap_assets.imagery.products import NOT_OBSERVED, Product, product

if TYPE_CHECKING:
    import rasterio.io

_REMOTE_OPTIONS = {
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_TIMEOUT": "60",
}
"""GDAL retries nothing by itself."""

_STATUS = re.compile(r"HTTP \w+ code:? *(\d{3})")


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture on a grid: uint16 (band, row, column), reflectance x 10,000, 0 = not observed.

    `used` says of each of its pieces whether it gave any pixel.
    """

    pixels: npt.NDArray[np.uint16]
    bytes_read: int
    used: tuple[bool, ...]


@dataclass(frozen=True)
class Part:
    """An image and the root of the archive it lies in."""

    root: str
    image: Image

    def hidden(self, grid: GeoBox) -> npt.NDArray[np.bool_] | None:
        """Where the image's cloud masks hide pixels of a grid (row, column); None where it has no mask."""
        hidden = [self._hidden_by(mask, grid) for mask in self.image.clouds]
        return np.asarray(np.logical_or.reduce(hidden), dtype=np.bool_) if hidden else None

    def _hidden_by(self, mask: CloudMask, grid: GeoBox) -> npt.NDArray[np.bool_]:
        path = address(self.root, mask.href)
        _check_size(path, mask.bytes)
        if path.lower().endswith(SUFFIX):
            return hidden_by_polygons(path, grid)
        with opened(path) as source:
            if mask.index > source.count:
                raise _fewer_bands(path, source.count)
            return sample_hidden(source, mask.index, mask.cloud_rule.hides, grid)


@contextmanager
def opened(path: str) -> "Iterator[rasterio.io.DatasetReader]":
    """A file open for reading; what goes wrong inside names it.

    Raises `RetryableError` for a server that does not answer, `AuthenticationError` for one that refuses, and
    `BadInputError` for a file that is not there, cut off or damaged.
    """
    with _unguarded(path) as source, _naming(path, reading=True):
        yield source


@contextmanager
def _unguarded(path: str) -> "Iterator[rasterio.io.DatasetReader]":
    """Like `opened`, but for what goes wrong after it is open: so several may be open at a time."""
    file = file_at(path)
    if file is not None and not file.is_file():
        raise BadInputError(f"{shown(path)} does not exist; put the file back or index the archive again")
    with alone(**(_REMOTE_OPTIONS if file is None else {})):
        with _naming(path, reading=False):
            source = open_raster(path if path.startswith("/vsi") else str(Path(path).absolute()))
        with source:
            yield source


@contextmanager
def _naming(path: str, *, reading: bool) -> Iterator[None]:
    """What goes wrong inside names the file."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        if is_web(path):
            raise _remote_error(path, reason, reading) from error
        raise BadInputError(
            f"{shown(path)} cannot be read, it is cut off or damaged ({reason}); fetch it again"
        ) from error


def _remote_error(path: str, reason: str, reading: bool) -> MinemapError:
    """What a failure over a network means; one in the middle of reading may always be the network's."""
    status = _STATUS.search(reason)
    code = int(status[1]) if status else 0
    if code in {401, 403}:
        return AuthenticationError(f"the server of {path} refuses access ({reason}); check the credentials")
    if code == 429 or code >= 500 or "CURL error" in reason or (reading and not code):
        return RetryableError(f"{path} cannot be read now ({reason})")
    return BadInputError(f"{path} is not there or is no image that is read ({reason}); index the archive again")


def read_pieces(parts: Sequence[Part], grid: GeoBox, whole: GeoBox, bands: Sequence[str]) -> Tile:
    """The bands of an image, or of pieces of one picture that keep a band in files of one form, as one tile.

    A pixel is not observed where a band has no value: nodata, a 0 where numbers are amounts of light, a number that the
    product cannot hold, or the end of its file. Nor is one that is hidden by the nearest pixel of the cloud masks of
    all pieces. What is missing or hidden in a file has no say in its neighbours. Raises as `opened` does.
    """
    pieces = [[{a.band: a for a in part.image.assets}[band] for band in bands] for part in parts]
    assets = pieces[0]
    kind = product(parts[0].image.product)
    values = np.full((len(bands), *grid.shape), np.nan, dtype=np.float32)
    read, used = 0, np.zeros(len(parts), dtype=np.bool_)
    # Bands of one pixel size share what the masks hide.
    hiding = [cache(part.hidden) for part in parts]
    for href in sorted({asset.href for asset in assets}):
        places = [i for i, asset in enumerate(assets) if asset.href == href]
        files = [(part.root, [piece[i] for i in places]) for part, piece in zip(parts, pieces, strict=True)]
        sampled = _sample_files(files, kind, grid, whole, hiding)
        values[places] = sampled.values
        read += sampled.bytes_read
        used |= sampled.used
    observed = np.isfinite(values).all(axis=0)
    masks = [hidden for hidden in (hides(grid) for hides in hiding) if hidden is not None]
    if len(masks) == len(parts):
        observed &= ~np.logical_and.reduce(masks)
    pixels = np.full(values.shape, NOT_OBSERVED, dtype=np.uint16)
    for place, asset in enumerate(assets):
        # Scaled in one step, so that numbers that are reflectance x 10,000 already keep their last digit, and rounded
        # half up, as the median and the services do.
        stored_as = kind.encoding
        scale, offset = asset.scale / stored_as.scale, (asset.offset - stored_as.offset) / stored_as.scale
        numbers = np.where(observed, values[place], 0.0) * np.float32(scale) + np.float32(offset)
        stored = np.clip(np.floor(numbers + np.float32(0.5)), 1, np.iinfo(np.uint16).max)
        pixels[place] = np.where(observed, stored, NOT_OBSERVED).astype(np.uint16)
    return Tile(pixels, read, tuple((used & pixels.any()).tolist()))


def _sample_files(
    files: Sequence[tuple[str, Sequence[Asset]]],
    kind: Product,
    grid: GeoBox,
    whole: GeoBox,
    hidden: Sequence[Callable[[GeoBox], npt.NDArray[np.bool_] | None]],
) -> Sampled:
    """Bands of one file, or of files that are pieces of one picture; each with the root it lies under."""
    assets = files[0][1]
    paths = [address(root, own[0].href) for root, own in files]
    with ExitStack() as stack:
        sources = [stack.enter_context(_as_indexed(p, own)) for p, (_, own) in zip(paths, files, strict=True)]
        stack.enter_context(_naming(paths[0], reading=True))
        names = dict(zip(map(id, sources), paths, strict=True))
        masks = dict(zip(map(id, sources), hidden, strict=True))
        indexes, missing = [a.index for a in assets], [a.missing(kind) for a in assets]
        return sample(
            sources,
            indexes,
            missing,
            grid,
            whole,
            limits=[kind.limits(a.scale, a.offset) for a in assets],
            guard=lambda s: _naming(names[id(s)], reading=True),
            hide=lambda s, pixels: masks[id(s)](pixels),
        )


@contextmanager
def _as_indexed(path: str, assets: Sequence[Asset]) -> "Iterator[rasterio.io.DatasetReader]":
    _check_size(path, assets[0].bytes)
    with _unguarded(path) as source:
        if max(asset.index for asset in assets) > source.count:
            raise _fewer_bands(path, source.count)
        yield source


def _fewer_bands(path: str, count: int) -> BadInputError:
    return BadInputError(f"{shown(path)} has {count} bands, fewer than its index says; index the archive again")


def _check_size(path: str, expected: int | None) -> None:
    """Raises `BadInputError` for a file that changed after it was indexed."""
    file = file_at(path)
    if expected is not None and file is not None and file.is_file() and file.stat().st_size != expected:
        raise BadInputError(
            f"{file} has {file.stat().st_size} bytes and had {expected} when it was indexed; "
            "fetch it again if it is cut off, else index the archive again"
        )
