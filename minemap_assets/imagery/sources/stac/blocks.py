"""Parts of remote Cloud Optimized GeoTIFFs, each block fetched once by all who share a cache.

A block gets its name in the cache only after it has been decoded; several processes may share the cache.
"""

import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import MinemapError, RetryableError
from minemap_assets.imagery.files.block_decoding import decode_block
from minemap_assets.imagery.files.cog_layout import Block, Layout, Level, parse_layout
from minemap_assets.imagery.files.tiff_directories import TooShortError, UnreadableError
from minemap_assets.imagery.files.warping import Window
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.manifests import digest
from minemap_assets.net.client import ByteRange, Client

FIRST_BYTES = 32_768
"""Fetched first of every file; more only where its directories are longer."""

_MOST_HEADER_BYTES = 16_777_216

_REMEMBERED = 1024
"""Headers kept in memory."""

_OFTEN = 6
"""So often the same damaged bytes arrive before they are taken for what the service has."""


@dataclass(frozen=True)
class RemoteFile:
    """A remote file: its address, and something that changes when its bytes do (as far as a catalogue says)."""

    client: Client
    url: str
    version: str = ""

    @cached_property
    def key(self) -> str:
        """Name of the file in the cache."""
        return digest([self.url, self.version])


@dataclass(frozen=True)
class Header:
    """The first bytes of a remote file, and what they say."""

    data: bytes
    total: int
    etag: str
    layout: Layout

    @cached_property
    def version(self) -> str:
        """Changes with the file's bytes."""
        return digest([self.etag, self.total])[:8]

    @property
    def is_doubtful(self) -> bool:
        """True where blocks seem not to be stored: damaged directories look alike, so it is fetched twice."""
        return any(level.has_holes for level in self.layout.levels)

    @property
    def requests(self) -> tuple[int, ...]:
        """Bytes that each of the requests for it asks for."""
        first = [FIRST_BYTES] if self.layout.header_end <= FIRST_BYTES else [FIRST_BYTES, self.layout.header_end]
        return tuple(min(size, self.total) for size in first * (2 if self.is_doubtful else 1))


@dataclass(frozen=True, eq=False)
class Part:
    """Numbers (row, column) of a part of a file; `used` is how many bytes each piece of it takes up that was needed,
    kept or fetched, by a name of its own.
    """

    numbers: npt.NDArray[Any]
    used: Mapping[str, int]


class _ChangedError(Exception):
    """The remote file is another than the one whose header is known."""


class _DamagedError(RetryableError):
    """Bytes arrived that do not decode; either they or the header that says where they lie are damaged."""


class BlockCache:
    """Headers and blocks of remote files. Safe from several threads and processes."""

    def __init__(self, kept: KeptFiles) -> None:
        self._kept = kept
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._headers: LoadingCache[str, Header] = LoadingCache(_REMEMBERED)

    def ground(self, remote: RemoteFile) -> GeoBox:
        """The ground that a file shows. Raises as `read` does."""
        return self.header(remote).layout.ground

    def nodata(self, remote: RemoteFile) -> float | None:
        """The number that a file says means no data. Raises as `read` does."""
        return self.header(remote).layout.nodata

    def block_rows(self, remote: RemoteFile) -> int:
        """Rows of a file that are stored together. Raises as `read` does."""
        return self.header(remote).layout.levels[0].tile_height

    def read(self, remote: RemoteFile, window: Window | None = None) -> Part:
        """A part of a file at full resolution, or all of its coarsest level; 0 where a block is not stored.

        Raises as `Client.request` does, `UnreadableError` where the fault is the file's own, and `RetryableError` where
        it keeps arriving damaged.
        """
        with self._guard:
            lock = self._locks[remote.key]
        with lock:
            for last in (False, True):
                try:
                    return _Reading(self, remote, self.header(remote), window).run()
                except _ChangedError:
                    self._forget(remote)
                except RetryableError as error:
                    damaged = isinstance(error, _DamagedError) or isinstance(error.__cause__, _DamagedError)
                    if damaged:
                        self._forget(remote)
                    if last or not damaged:
                        raise
        raise RetryableError(f"{remote.url} keeps changing while it is read")

    def header(self, remote: RemoteFile) -> Header:
        """A file's header, fetched where it is not kept. Raises as `read` does."""
        return self._headers.get(remote.key, lambda: self._header(remote))

    def _header(self, remote: RemoteFile) -> Header:
        kept = self.kept_header(remote)
        if kept is not None:
            return kept
        header = _fetch_header(remote)
        if header.is_doubtful and _fetch_header(remote) != header:
            raise RetryableError(f"{remote.url} arrived damaged: its directories were read twice and differ")
        facts = {"url": remote.url, "total": header.total, "etag": header.etag}
        self._kept.keep(
            self._folder(remote) / "header", json.dumps(facts, sort_keys=True).encode() + b"\n" + header.data
        )
        return header

    def kept_header(self, remote: RemoteFile) -> Header | None:
        """A file's header where it is kept."""
        stated, _, data = (self._kept.take(self._folder(remote) / "header") or b"").partition(b"\n")
        try:
            facts: Any = json.loads(stated)
            return Header(data, facts["total"], facts["etag"], parse_layout(data))
        except (ValueError, KeyError, TooShortError, MinemapError):
            return None

    def has(self, remote: RemoteFile, header: Header, block: Block) -> bool:
        """Whether a block is kept."""
        return self._path(remote, header, block).is_file()

    def take(self, remote: RemoteFile, header: Header, block: Block) -> bytes | None:
        """The bytes of a block where they are kept."""
        data = self._kept.take(self._path(remote, header, block))
        return data if data is not None and len(data) == block.size else None

    def keep(self, remote: RemoteFile, header: Header, block: Block, data: memoryview) -> None:
        """Keep the bytes of a block."""
        self._kept.keep(self._path(remote, header, block), data)

    def _folder(self, remote: RemoteFile) -> Path:
        return self._kept.root / "stac" / remote.key[:2] / remote.key

    def _path(self, remote: RemoteFile, header: Header, block: Block) -> Path:
        return Path(f"{self._folder(remote)}/{header.version}/{block.offset}-{block.size}")

    def _forget(self, remote: RemoteFile) -> None:
        self._headers.forget(remote.key)
        (self._folder(remote) / "header").unlink(missing_ok=True)


def _judge(error: RetryableError, data: Any, arrived: Counter[str]) -> None:
    """Raises `UnreadableError` where the same damaged bytes have arrived so often that the file itself is damaged."""
    found = hashlib.sha256(data).hexdigest()
    arrived[found] += 1
    if arrived[found] >= _OFTEN:
        raise UnreadableError(f"{error}, {_OFTEN} times alike: the file itself is damaged") from error


def _fetch_header(remote: RemoteFile) -> Header:
    length = FIRST_BYTES
    arrived: Counter[str] = Counter()
    found: list[Layout] = []

    def check(span: ByteRange) -> None:
        try:
            layout = _checked_layout(span)
        except RetryableError as error:
            _judge(RetryableError(f"{remote.url} arrived damaged: {error}"), span.data, arrived)
            raise
        except UnreadableError as error:
            raise UnreadableError(f"{remote.url} cannot be read: {error}") from error
        if isinstance(layout, int):
            needed.append(layout)
        else:
            found.append(layout)

    needed: list[int] = []
    while not found:
        span = remote.client.get_range(remote.url, 0, length, check=check)
        length = needed.pop() if needed else length
    return Header(bytes(span.data[: found[-1].header_end]), span.total, span.etag, found[-1])


def _checked_layout(span: ByteRange) -> Layout | int:
    """What a file holds, or the number of bytes that are needed to tell.

    Raises `RetryableError` where the file is no COG, is shorter than its directories say, or arrived damaged.
    """
    try:
        layout = parse_layout(bytes(span.data))
    except TooShortError as error:
        if error.needed > min(_MOST_HEADER_BYTES, span.total):
            raise RetryableError("its directories reach beyond its end") from error
        return error.needed
    if layout.end > span.total:
        raise RetryableError(f"it is cut off ({span.total} of at least {layout.end} bytes)")
    return layout


class _Reading:
    """One part of a file being read."""

    def __init__(self, cache: BlockCache, remote: RemoteFile, header: Header, window: Window | None) -> None:
        self._cache, self._remote, self._header = cache, remote, header
        self._level: Level = header.layout.levels[-1 if window is None else 0]
        self._window = window = window or Window(0, 0, self._level.width, self._level.height)
        self._numbers = np.zeros(
            (window.height, window.width), dtype=np.dtype(self._level.coding.dtype).newbyteorder("=")
        )

    def run(self) -> Part:
        """Raises as `BlockCache.read` does, and `_ChangedError`."""
        blocks = list(self._level.blocks(*self._window.slices))
        for span in self._level.spans([block for block in blocks if not self._take(block)]):
            self._fetch(span)
        return Part(self._numbers, {f"{self._remote.key}/{block.offset}": block.size for block in blocks})

    def _take(self, block: Block) -> bool:
        """Put a block in from the cache; False where it is not there, or not as it arrived."""
        data = self._cache.take(self._remote, self._header, block)
        if data is None:
            return False
        try:
            self._place(block, data)
        except _DamagedError:
            return False
        return True

    def _fetch(self, group: Sequence[Block]) -> None:
        """Fetch blocks that lie together, decode each, and keep them."""
        first, last = group[0].offset, max(block.end for block in group)
        arrived: Counter[str] = Counter()

        def check(span: ByteRange) -> None:
            if span.etag != self._header.etag or span.total != self._header.total:
                return
            data = memoryview(span.data)
            try:
                for block in group:
                    self._place(block, data[block.offset - first : block.end - first])
            except _DamagedError as error:
                _judge(error, data, arrived)
                raise

        span = self._remote.client.get_range(self._remote.url, first, last - first, check=check)
        if span.etag != self._header.etag or span.total != self._header.total:
            raise _ChangedError
        data = memoryview(span.data)
        for block in group:
            self._cache.keep(self._remote, self._header, block, data[block.offset - first : block.end - first])

    def _place(self, block: Block, data: bytes | memoryview) -> None:
        """Decode a block and put it where it belongs. Raises `_DamagedError` where it does not decode."""
        try:
            numbers = decode_block(data, self._level)
        except RetryableError as error:
            raise _DamagedError(f"{self._remote.url} arrived damaged ({error})") from error
        except UnreadableError as error:
            raise UnreadableError(f"{self._remote.url} cannot be read: {error}") from error
        level, rows, columns = self._level, *self._window.slices
        top, left = block.row * level.tile_height, block.column * level.tile_width
        first_row, last_row = max(rows.start, top), min(rows.stop, top + level.tile_height)
        first_column, last_column = max(columns.start, left), min(columns.stop, left + level.tile_width)
        if first_row < last_row and first_column < last_column:
            there = self._numbers[first_row - rows.start : last_row - rows.start]
            there[:, first_column - columns.start : last_column - columns.start] = numbers[
                first_row - top : last_row - top, first_column - left : last_column - left
            ]
