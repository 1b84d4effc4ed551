"""Where the blocks of a Cloud Optimized GeoTIFF lie, told from its first bytes, and in which spans they are fetched.

What belongs here: reading TIFF directories from memory. What does not: fetching bytes and decoding pixels
(`stac_blocks.py`); files that lie here whole (`tiff_structure.py`).

Source: TIFF 6.0 specification, section 2; BigTIFF as in libtiff.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from minemap_assets.errors import RetryableError

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION = 254, 256, 257, 259
_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS = 322, 323, 324, 325
_WANTED = frozenset({_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS})
_DEFLATE = frozenset({8, 32946})
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MASK = 4
_MOST_DIRECTORIES = 64

_LEADER = 4
"""GDAL's COG layout puts a tile's size before it and repeats its last bytes after it; readers may look there."""

_GAP = 65_536
"""Blocks that lie no further apart than this are fetched in one request."""

_LONGEST_SPAN = 33_554_432


class TooShortError(Exception):
    """The directories reach beyond the bytes at hand; `needed` is how many there must be at least."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} bytes needed")
        self.needed = needed


@dataclass(frozen=True)
class Block:
    """A tile by its column and row among the tiles of its level, and the bytes it takes up."""

    column: int
    row: int
    offset: int
    size: int


@dataclass(frozen=True)
class Level:
    """One resolution: image and tile size in pixels, and each tile's bytes in row-major order. `deflated` tiles are
    zlib streams.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    deflated: bool = False

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile_width)

    @property
    def has_holes(self) -> bool:
        """True where a tile is not stored."""
        return any(size == 0 for size in self.sizes)

    def blocks(self, rows: slice, columns: slice) -> Iterator[Block]:
        """The stored tiles that a window of pixels touches."""
        for row in range(rows.start // self.tile_height, -(-rows.stop // self.tile_height)):
            for column in range(columns.start // self.tile_width, -(-columns.stop // self.tile_width)):
                place = row * self.across + column
                if self.sizes[place]:
                    yield Block(column, row, self.offsets[place], self.sizes[place])

    def everything(self) -> Iterator[Block]:
        """All stored tiles."""
        return self.blocks(slice(0, self.height), slice(0, self.width))

    def spans(self, wanted: Iterable[Block]) -> Iterator[tuple[Block, ...]]:
        """What one request each brings, in the order of the file: blocks that are wanted, and those between them."""
        stored = sorted(self.everything(), key=_place)
        for group in _groups(sorted(wanted, key=_place)):
            first, last = group[0].offset, group[-1].offset + group[-1].size
            yield tuple(b for b in stored if first <= b.offset and b.offset + b.size <= last)


@dataclass(frozen=True)
class Layout:
    """The levels of a file, the finest first; bytes before `header_end` hold all directories, `end` is the least size
    the whole file must have.
    """

    levels: tuple[Level, ...]
    header_end: int
    end: int


def extent(blocks: Sequence[Block], total: int) -> tuple[int, int]:
    """First byte, and the one after the last, of neighbouring blocks with what GDAL puts around them, in a file of
    `total` bytes.
    """
    return max(0, blocks[0].offset - _LEADER), min(total, blocks[-1].offset + blocks[-1].size + _LEADER)


def parse_layout(data: bytes) -> Layout:
    """The layout of the file that begins with `data`.

    Raises `TooShortError` where more bytes are needed, and `RetryableError` where these are no directories of a tiled
    TIFF (which bytes damaged on their way would not be either).
    """
    return _Parser(data).layout()


def _place(block: Block) -> int:
    return block.offset


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
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


class _Parser:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._reach = 0
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None:
            raise RetryableError("this is no TIFF file")
        self._order = order
        magic = self._unpack(2, "H")[0]
        if magic not in (42, 43):
            raise RetryableError("this is no TIFF file")
        self._big = magic == 43

    def layout(self) -> Layout:
        position = self._unpack(8, "Q")[0] if self._big else self._unpack(4, "I")[0]
        levels: list[Level] = []
        end = 0
        for _ in range(_MOST_DIRECTORIES):
            if position == 0:
                break
            tags, position = self._directory(position)
            level = _level(tags)
            end = max([end, *(o + s for o, s in zip(level.offsets, level.sizes, strict=True))])
            if not tags.get(_SUBFILE, (0,))[0] & _MASK:
                levels.append(level)
        if not levels or position:
            raise RetryableError("its directories are damaged")
        return Layout(tuple(sorted(levels, key=lambda level: -level.width)), self._reach, max(end, self._reach))

    def _directory(self, position: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """Values of the tags that matter, and where the next directory is."""
        count_form, entry_size = ("Q", 20) if self._big else ("H", 12)
        count = self._unpack(position, count_form)[0]
        first = position + struct.calcsize(f"<{count_form}")
        if count > 4096:
            raise RetryableError("its directories are damaged")
        self._need(first + count * entry_size)
        tags = {}
        for number in range(count):
            tag, values = self._entry(first + number * entry_size)
            if values is not None:
                tags[tag] = values
        return tags, self._unpack(first + count * entry_size, "Q" if self._big else "I")[0]

    def _entry(self, position: int) -> tuple[int, tuple[int, ...] | None]:
        tag, kind = self._unpack(position, "HH")
        count = self._unpack(position + 4, "Q" if self._big else "I")[0]
        place, room = (position + 12, 8) if self._big else (position + 8, 4)
        size = _SIZES.get(kind, 0) * count
        if not size:
            raise RetryableError("its directories are damaged")
        if size > room:
            place = self._unpack(place, "Q" if self._big else "I")[0]
            self._need(place + size)
        if tag not in _WANTED:
            return tag, None
        if kind not in _CODES:
            raise RetryableError("its directories are damaged")
        return tag, self._unpack(place, f"{count}{_CODES[kind]}")

    def _unpack(self, position: int, form: str) -> tuple[int, ...]:
        whole = self._order + form
        self._need(position + struct.calcsize(whole))
        return struct.unpack_from(whole, self._data, position)

    def _need(self, end: int) -> None:
        self._reach = max(self._reach, end)
        if end > len(self._data):
            raise TooShortError(end)


def _level(tags: Mapping[int, Sequence[int]]) -> Level:
    try:
        width, height, tile_width, tile_height = (int(tags[t][0]) for t in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT))
        deflated = tags.get(_COMPRESSION, (1,))[0] in _DEFLATE
        level = Level(width, height, tile_width, tile_height, tuple(tags[_OFFSETS]), tuple(tags[_COUNTS]), deflated)
    except KeyError as error:
        raise RetryableError("it is not stored in tiles") from error
    if min(width, height, tile_width, tile_height) < 1:
        raise RetryableError("its directories are damaged")
    tiles = level.across * -(-height // tile_height)
    if not len(level.offsets) == len(level.sizes) == tiles:
        raise RetryableError("it does not have one run of bytes a tile")
    return level
