"""Parts of remote Cloud Optimized GeoTIFFs kept on this machine, so that every block is fetched once.

What belongs here: fetching headers and blocks, checking them, keeping them, and laying them out as a local file that
any reader opens as if it were the remote one. What does not: what the pixels mean (`stac_pixels.py`).

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.sources.cog_layout import Block, Layout, TooShortError, parse_layout
from minemap_assets.imagery.transport import Client, Span
from minemap_assets.lake import digest

if TYPE_CHECKING:
    import rasterio.io

FIRST_BYTES = 32_768
"""Fetched first of every file; more only where its directories are longer."""

_MOST_HEADER_BYTES = 16_777_216
_PADDING = 16
"""Source pixels around a grid that a reader's resampling may touch."""

_LEADER = 4
"""GDAL's COG layout puts a tile's size before it and repeats its last bytes after it; readers may look there."""

_GAP = 65_536
"""Blocks that lie no further apart than this are fetched in one request."""

_LONGEST_SPAN = 33_554_432
_PART = ".part"
_STALE = 86_400.0
"""Seconds after which what a killed process left behind is removed."""

_TRIM_EVERY = 0.02
"""The cache is looked through each time this share of its allowance has been added."""


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
class _Header:
    """The first bytes of a remote file, and what they say."""

    data: bytes
    total: int
    etag: str
    layout: Layout


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
                header = self._header(remote)
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

    def _header(self, remote: RemoteFile) -> _Header:
        path = self.folder(remote) / "header"
        try:
            stated, _, data = path.read_bytes().partition(b"\n")
            facts: Any = json.loads(stated)
            return _Header(data, facts["total"], facts["etag"], parse_layout(data))
        except (OSError, ValueError, KeyError, TooShortError, RetryableError):
            pass
        header = _fetch_header(remote)
        if any(level.has_holes for level in header.layout.levels) and _fetch_header(remote) != header:
            raise RetryableError(f"{remote.url} arrived damaged: its directories were read twice and differ")
        facts = {"url": remote.url, "total": header.total, "etag": header.etag}
        self.keep(path, json.dumps(facts, sort_keys=True).encode() + b"\n" + header.data)
        return header


def _fetch_header(remote: RemoteFile) -> _Header:
    length = FIRST_BYTES
    while True:
        span = remote.client.get_span(remote.url, 0, length, check=_check_header)
        try:
            layout = parse_layout(span.data)
        except TooShortError as error:
            length = error.needed
            continue
        return _Header(span.data[: layout.header_end], span.total, span.etag, layout)


def _check_header(span: Span) -> None:
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
    header: _Header
    target: Path

    def run(self, grid: GeoBox | None) -> LocalFile:
        """Write the file. Raises as `BlockCache.for_grid` does, and `_ChangedError`."""
        with self.target.open("wb") as handle:
            handle.write(self.header.data)
            handle.truncate(self.header.total)
        place = 0 if grid is not None else len(self.header.layout.levels) - 1
        level = self.header.layout.levels[place]
        window = self._window(grid) if grid is not None else (slice(0, level.height), slice(0, level.width))
        blocks = sorted(level.blocks(*window), key=lambda b: b.offset) if window is not None else []
        missing = [block for block in blocks if not self._take(block)]
        for group in _groups(missing):
            first, last = group[0].offset, group[-1].offset + group[-1].size
            everything = sorted(level.blocks(slice(0, level.height), slice(0, level.width)), key=lambda b: b.offset)
            self._fetch([b for b in everything if first <= b.offset and b.offset + b.size <= last], place)
        return LocalFile(self.target, sum(block.size for block in blocks))

    def _window(self, grid: GeoBox) -> tuple[slice, slice] | None:
        """Rows and columns of the file that a reader touches; None where it lies elsewhere."""
        from odc.geo.converters import rio_geobox
        from odc.geo.overlap import compute_reproject_roi
        from rasterio.errors import RasterioError

        try:
            source = _opened(self.target)
        except RasterioError as error:
            raise _DamagedError(f"{self.remote.url} has directories that GDAL cannot read ({error})") from error
        with source:
            if source.crs is None or source.transform.determinant == 0:
                raise _DamagedError(f"{self.remote.url} has no georeference")
            whole = rio_geobox(source)
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

    def _path(self, block: Block) -> Path:
        version = digest([self.header.etag, self.header.total])[:8]
        return self.cache.folder(self.remote) / version / f"{block.offset}-{block.size}"

    def _around(self, block: Block) -> tuple[int, int]:
        """First byte, and the one after the last, of a block with what GDAL puts around it."""
        return max(0, block.offset - _LEADER), min(self.header.total, block.offset + block.size + _LEADER)

    def _take(self, block: Block) -> bool:
        """Copy a block out of the cache; False where it is not there."""
        path = self._path(block)
        start, stop = self._around(block)
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
        first, last = self._around(group[0])[0], self._around(group[-1])[1]

        def check(span: Span) -> None:
            if span.etag == self.header.etag and span.total == self.header.total:
                self._inflate(group, level, span.data, first)
                self._write(first, span.data)
                self._decode(group, level)

        span = self.remote.client.get_span(self.remote.url, first, last - first, check=check)
        if span.etag != self.header.etag or span.total != self.header.total:
            raise _ChangedError
        for block in group:
            start, stop = self._around(block)
            self.cache.keep(self._path(block), span.data[start - first : stop - first])

    def _inflate(self, group: Sequence[Block], level: int, data: bytes, first: int) -> None:
        """Hold deflated blocks against their checksums, which GDAL does not look at. Raises `_DamagedError`."""
        if not self.header.layout.levels[level].deflated:
            return
        try:
            for block in group:
                zlib.decompress(data[block.offset - first : block.offset - first + block.size])
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


def _groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks in order of their place in the file, those close together in one list."""
    group: list[Block] = []
    for block in blocks:
        if group:
            gap = block.offset - (group[-1].offset + group[-1].size)
            if gap > _GAP or block.offset + block.size - group[0].offset > _LONGEST_SPAN:
                yield group
                group = []
        group.append(block)
    if group:
        yield group
