"""The files of an archive: their addresses, and one image brought onto a grid as reflectance x 10,000."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import AuthenticationError, BadInputError, MinemapError, RetryableError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.images import Asset, CloudMask, Image
from minemap_assets.imagery.files.resampling import Sampled, sample, sample_hidden
from minemap_assets.imagery.products import NOT_OBSERVED, SCALE, Product, product

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
    remote = path.startswith("/vsi")
    if not remote and not Path(path).is_file():
        raise BadInputError(f"{path} does not exist; put the file back or index the archive again")
    with alone(**(_REMOTE_OPTIONS if remote else {})):
        with _naming(path, reading=False):
            source = open_raster(path if remote else str(Path(path).absolute()))
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
        if path.startswith("/vsi"):
            raise _remote_error(path, reason, reading) from error
        raise BadInputError(f"{path} cannot be read, it is cut off or damaged ({reason}); fetch it again") from error


def _remote_error(path: str, reason: str, reading: bool) -> MinemapError:
    """What a failure over a network means; one in the middle of reading may always be the network's."""
    status = _STATUS.search(reason)
    code = int(status[1]) if status else 0
    if code in {401, 403}:
        return AuthenticationError(f"the server of {path} refuses access ({reason}); check the credentials")
    if code == 429 or code >= 500 or "CURL error" in reason or (reading and not code):
        return RetryableError(f"{path} cannot be read now ({reason})")
    return BadInputError(f"{path} is not there or is no GeoTIFF ({reason}); index the archive again")


def read_pieces(parts: Sequence[Part], grid: GeoBox, whole: GeoBox, bands: Sequence[str]) -> Tile:
    """The bands of an image, or of pieces of one picture that keep a band in files of one form, as one tile.

    A pixel is not observed where a band has nodata or a number that the product cannot hold, where the file ends, or
    where every band of the most detailed file is 0; a 0 in some bands only is a dark pixel and becomes 1. Nor is one
    that is hidden by the nearest pixel of the cloud masks of all pieces; hidden pixels of a file have no say in their
    neighbours. Raises as `opened` does.
    """
    pieces = [[{a.band: a for a in part.image.assets}[band] for band in bands] for part in parts]
    assets = pieces[0]
    kind = product(parts[0].image.product)
    values = np.full((len(bands), *grid.shape), np.nan, dtype=np.float32)
    dark = np.zeros(values.shape, dtype=np.bool_)
    detail = np.zeros(len(bands))
    read, used = 0, np.zeros(len(parts), dtype=np.bool_)
    for href in sorted({asset.href for asset in assets}):
        places = [i for i, asset in enumerate(assets) if asset.href == href]
        files = [(part.root, [piece[i] for i in places]) for part, piece in zip(parts, pieces, strict=True)]
        sampled = _sample_files(files, kind, grid, whole, [part.hidden for part in parts])
        values[places], dark[places], detail[places] = sampled.values, sampled.dark, sampled.detail
        read += sampled.bytes_read
        used |= sampled.used
    finest = detail >= detail.max() * 0.99
    seen = np.isfinite(values)
    observed = (seen | dark).all(axis=0) & seen[finest].any(axis=0)
    masks = [hidden for hidden in (part.hidden(grid) for part in parts) if hidden is not None]
    if len(masks) == len(parts):
        observed &= ~np.logical_and.reduce(masks)
    pixels = np.full(values.shape, NOT_OBSERVED, dtype=np.uint16)
    for place, asset in enumerate(assets):
        # Scaled in one step, so that numbers that are reflectance x 10,000 already keep their last digit, and rounded
        # half up, as the median and the services do.
        scale, offset = np.float32(asset.scale * SCALE), np.float32(asset.offset * SCALE)
        numbers = np.where(seen[place], values[place] * scale + offset, 0.0)
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
        indexes, nodata = [a.index for a in assets], [a.nodata for a in assets]
        return sample(
            sources,
            indexes,
            nodata,
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
    return BadInputError(f"{path} has {count} bands, fewer than its index says; index the archive again")


def _check_size(path: str, expected: int | None) -> None:
    """Raises `BadInputError` for a file that changed after it was indexed."""
    if expected is not None and Path(path).is_file() and Path(path).stat().st_size != expected:
        raise BadInputError(
            f"{path} has {Path(path).stat().st_size} bytes and had {expected} when it was indexed; "
            "fetch it again if it is cut off, else index the archive again"
        )
