"""Parts of remote Cloud Optimized GeoTIFFs kept on this machine, so that every block is fetched once.

A block gets its name in the cache only after it has been decoded, by renaming; several processes may share a cache.
The local file has the remote file's size, its directories and the blocks that a grid needs; the rest are holes, and
reading one of those is an error, never a silent 0.
"""

import json
import os
import shutil
import tempfile
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.files.cog_layout import Block, Layout, extent, parse_layout
from minemap_assets.imagery.files.tiff_directories import TooShortError
from minemap_assets.lake.manifests import digest
from minemap_assets.net.client import ByteRange, Client

if TYPE_CHECKING:
    import rasterio.io

FIRST_BYTES = 32_768
"""Fetched first of every file; more only where its directories are longer."""

_MOST_HEADER_BYTES = 16_777_216
_PADDING = 16
"""Source pixels around a grid that a reader's resampling may touch."""

_PART = ".part"
_STALE = 86_400.0
"""Seconds after which what a killed process left behind is removed."""

_INFLATED = 2_097_152
"""Bytes of a block of 1024 x 1024 numbers: room to begin with when a block is inflated."""

_TRIM_EVERY = 0.02
"""The cache is looked through each time this share of its allowance has been added."""


Window = tuple[slice, slice]
"""Rows and columns of a file."""


@dataclass(frozen=True)
class RemoteFile:
    """A remote file: its address, and something that changes when its bytes do (as far as a catalogue says)."""

    client: Client
    url: str
    version: str = ""

    @property
    def key(self) -> str:
        """Name of the file in the cache."""
        return digest([self.url, self.version])


@dataclass(frozen=True)
class LocalFile:
    """A local stand-in for a remote file; `bytes_used` counts its blocks, kept or fetched."""

    path: Path
    bytes_used: int


@dataclass(frozen=True)
class Header:
    """The first bytes of a remote file, and what they say."""

    data: bytes
    total: int
    etag: str
    layout: Layout

    @property
    def is_doubtful(self) -> bool:
        """True where blocks seem not to be stored: damaged directories look alike, so it is fetched twice."""
        return any(level.has_holes for level in self.layout.levels)

    @property
    def requests(self) -> tuple[int, ...]:
        """Bytes that each of the requests for it asks for."""
        first = [FIRST_BYTES] if self.layout.header_end <= FIRST_BYTES else [FIRST_BYTES, self.layout.header_end]
        return tuple(min(size, self.total) for size in first * (2 if self.is_doubtful else 1))


class _ChangedError(Exception):
    """The remote file is another than the one whose header is known."""


class _DamagedError(RetryableError):
    """Bytes arrived that do not decode; either they or the header that says where they lie are damaged."""


class BlockCache:
    """Headers and blocks of remote files under one folder. Safe from several threads and processes."""

    def __init__(self, root: Path, allowance: int) -> None:
        """`allowance` bounds the folder's size in bytes; the blocks used longest ago go first."""
        self._root = root
        self._allowance = allowance
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._added = 0

    def scratch(self) -> "tempfile.TemporaryDirectory[str]":
        """A folder for local files, removed by the caller."""
        folder = self._root / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            if _is_stale(left):
                shutil.rmtree(left, ignore_errors=True)
        return tempfile.TemporaryDirectory(dir=folder)

    def for_grid(self, remote: RemoteFile, grid: GeoBox, target: Path) -> LocalFile:
        """Lay out at `target` what a reader needs to bring the file onto a grid at full resolution.

        Raises as `Client.request` does; a file that keeps arriving damaged is a `RetryableError`.
        """
        return self._lay_out(remote, grid, target)

    def overview(self, remote: RemoteFile, target: Path) -> LocalFile:
        """Lay out at `target` the whole of the coarsest level. Raises as `for_grid` does."""
        return self._lay_out(remote, None, target)

    def _lay_out(self, remote: RemoteFile, grid: GeoBox | None, target: Path) -> LocalFile:
        with self._guard:
            lock = self._locks[remote.key]
        with lock:
            for last in (False, True):
                header = self.header(remote)
                try:
                    return _Layer(self, remote, header, target).run(grid)
                except _ChangedError:
                    self._forget(remote)
                except RetryableError as error:
                    damaged = isinstance(error, _DamagedError) or isinstance(error.__cause__, _DamagedError)
                    if damaged:
                        self._forget(remote)
                    if last or not damaged:
                        raise
        raise RetryableError(f"{remote.url} keeps changing while it is read")

    def folder(self, remote: RemoteFile) -> Path:
        """Where a remote file's parts are kept."""
        return self._root / remote.key[:2] / remote.key

    def path(self, remote: RemoteFile, header: Header, block: Block) -> Path:
        """Where a block is kept, or would be."""
        version = digest([header.etag, header.total])[:8]
        return self.folder(remote) / version / f"{block.offset}-{block.size}"

    def keep(self, path: Path, data: bytes) -> None:
        """Put bytes at a path of the cache, at once or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=_PART)
        with os.fdopen(handle, "wb") as part:
            part.write(data)
        Path(name).replace(path)
        with self._guard:
            self._added += len(data)
            full = self._added > self._allowance * _TRIM_EVERY
            if full:
                self._added = 0
        if full:
            self.trim()

    def trim(self) -> None:
        """Remove the blocks used longest ago until the rest is within the allowance."""
        found = []
        for path in self._root.glob("??/*/**/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file() and (path.suffix != _PART or _is_stale(path)):
                found.append((status.st_mtime_ns, str(path), status.st_size))
        excess = sum(size for *_, size in found) - self._allowance
        for _, name, size in sorted(found):
            if excess <= 0:
                break
            Path(name).unlink(missing_ok=True)
            excess -= size

    def _forget(self, remote: RemoteFile) -> None:
        (self.folder(remote) / "header").unlink(missing_ok=True)

    def kept_header(self, remote: RemoteFile) -> Header | None:
        """A file's header where it is kept."""
        try:
            stated, _, data = (self.folder(remote) / "header").read_bytes().partition(b"\n")
            facts: Any = json.loads(stated)
            return Header(data, facts["total"], facts["etag"], parse_layout(data))
        except (OSError, ValueError, KeyError, TooShortError, RetryableError):
            return None

    def header(self, remote: RemoteFile) -> Header:
        """A file's header, fetched where it is not kept. Raises as `for_grid` does."""
        kept = self.kept_header(remote)
        if kept is not None:
            return kept
        header = _fetch_header(remote)
        if header.is_doubtful and _fetch_header(remote) != header:
            raise RetryableError(f"{remote.url} arrived damaged: its directories were read twice and differ")
        facts = {"url": remote.url, "total": header.total, "etag": header.etag}
        self.keep(self.folder(remote) / "header", json.dumps(facts, sort_keys=True).encode() + b"\n" + header.data)
        return header

    def ground(self, remote: RemoteFile, header: Header) -> GeoBox:
        """The ground that a file shows. Raises `RetryableError` where its header is damaged."""
        with self.scratch() as folder:
            return _ground(remote, header, Path(folder) / "header.tif")


def _fetch_header(remote: RemoteFile) -> Header:
    length = FIRST_BYTES
    while True:
        span = remote.client.get_range(remote.url, 0, length, check=_check_header)
        try:
            layout = parse_layout(span.data)
        except TooShortError as error:
            length = error.needed
            continue
        return Header(span.data[: layout.header_end], span.total, span.etag, layout)


def _check_header(span: ByteRange) -> None:
    """Raise `RetryableError` where the file is no COG, is shorter than its directories say, or arrived damaged."""
    try:
        layout = parse_layout(span.data)
    except TooShortError as error:
        if error.needed > min(_MOST_HEADER_BYTES, span.total):
            raise RetryableError("its directories reach beyond its end") from error
        return
    if layout.end > span.total:
        raise RetryableError(f"it is cut off ({span.total} of at least {layout.end} bytes)")


@dataclass
class _Layer:
    """One local file being laid out."""

    cache: BlockCache
    remote: RemoteFile
    header: Header
    target: Path

    def run(self, grid: GeoBox | None) -> LocalFile:
        """Write the file. Raises as `BlockCache.for_grid` does, and `_ChangedError`."""
        ground = _ground(self.remote, self.header, self.target)
        place = 0 if grid is not None else len(self.header.layout.levels) - 1
        level = self.header.layout.levels[place]
        if grid is None:
            blocks = list(level.everything())
        else:
            window = touched(ground, grid)
            blocks = list(level.blocks(*window)) if window is not None else []
        for span in level.spans([block for block in blocks if not self._take(block)]):
            self._fetch(span, place)
        return LocalFile(self.target, sum(block.size for block in blocks))

    def _take(self, block: Block) -> bool:
        """Copy a block out of the cache; False where it is not there."""
        path = self.cache.path(self.remote, self.header, block)
        start, stop = extent([block], self.header.total)
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return False
        if len(data) != stop - start:
            return False
        self._write(start, data)
        return True

    def _write(self, start: int, data: bytes) -> None:
        with self.target.open("r+b") as handle:
            handle.seek(start)
            handle.write(data)

    def _fetch(self, group: Sequence[Block], level: int) -> None:
        """Fetch blocks that lie together, decode each, and keep them."""
        first, last = extent(group, self.header.total)

        def check(span: ByteRange) -> None:
            if span.etag == self.header.etag and span.total == self.header.total:
                self._write(first, span.data)
                if self.header.layout.levels[level].deflated:
                    self._inflate(group, span.data, first)
                else:
                    self._decode(group, level)

        span = self.remote.client.get_range(self.remote.url, first, last - first, check=check)
        if span.etag != self.header.etag or span.total != self.header.total:
            raise _ChangedError
        for block in group:
            start, stop = extent([block], self.header.total)
            path = self.cache.path(self.remote, self.header, block)
            self.cache.keep(path, span.data[start - first : stop - first])

    def _inflate(self, group: Sequence[Block], data: bytes, first: int) -> None:
        """Hold deflated blocks against their checksums, which GDAL does not look at. Raises `_DamagedError`."""
        try:
            for block in group:
                start = block.offset - first
                zlib.decompress(memoryview(data)[start : start + block.size], bufsize=_INFLATED)
        except zlib.error as error:
            raise _DamagedError(f"{self.remote.url} arrived damaged ({error})") from error

    def _decode(self, group: Sequence[Block], level: int) -> None:
        """Read every pixel of some blocks of the local file. Raises `_DamagedError` where one does not decode."""
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        shape = self.header.layout.levels[level]
        try:
            with _opened(self.target, level) as source:
                for block in group:
                    left, top = block.column * shape.tile_width, block.row * shape.tile_height
                    width, height = (
                        min(shape.tile_width, shape.width - left),
                        min(shape.tile_height, shape.height - top),
                    )
                    source.read(window=Window(left, top, width, height))
        except RasterioError as error:
            reason = str(error.__cause__ or error)
            raise _DamagedError(f"{self.remote.url} arrived damaged ({reason})") from error


def touched(whole: GeoBox, grid: GeoBox) -> Window | None:
    """Rows and columns of a file that a reader touches to bring it onto a grid; None where it lies elsewhere."""
    from odc.geo.overlap import compute_reproject_roi

    area = compute_reproject_roi(whole, grid)
    rows, columns = area.roi_src
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return None
    padding = _PADDING * max(1, int(area.read_shrink))
    height, width = whole.shape
    return (
        slice(max(0, rows.start - padding), min(int(height), rows.stop + padding)),
        slice(max(0, columns.start - padding), min(int(width), columns.stop + padding)),
    )


def _ground(remote: RemoteFile, header: Header, target: Path) -> GeoBox:
    """The ground that a file shows; its header is laid out at `target`. Raises `_DamagedError`."""
    from odc.geo.converters import rio_geobox
    from rasterio.errors import RasterioError

    with target.open("wb") as handle:
        handle.write(header.data)
        handle.truncate(header.total)
    try:
        source = _opened(target)
    except RasterioError as error:
        raise _DamagedError(f"{remote.url} has directories that GDAL cannot read ({error})") from error
    with source:
        whole = None if source.crs is None or source.transform.determinant == 0 else rio_geobox(source)
    if not isinstance(whole, GeoBox):
        raise _DamagedError(f"{remote.url} has no georeference")
    return whole


def _is_stale(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _STALE
    except FileNotFoundError:
        return False


def _opened(path: Path, level: int = 0) -> "rasterio.io.DatasetReader":
    """A local file that is read as it lies on the disk, at one of its levels (0 is the finest)."""
    import rasterio

    options = {} if level == 0 else {"OVERVIEW_LEVEL": level - 1}
    return rasterio.open(path, sharing=False, **options)
