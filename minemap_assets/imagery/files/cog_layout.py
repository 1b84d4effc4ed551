"""Where the blocks of a Cloud Optimized GeoTIFF lie, told from its first bytes, and in which spans they are fetched.

Bytes are fetched and pixels decoded elsewhere (`imagery/sources/stac/blocks.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.files.tiff_directories import DamagedError, Directory, NotTiffError, Tiff, TooShortError

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION = 254, 256, 257, 259
_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS = 322, 323, 324, 325
_WANTED = frozenset({_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS})
_DEFLATE = frozenset({8, 32946})
_MASK = 4
_MOST_DIRECTORIES = 64

_LEADER = 4
"""GDAL's COG layout puts a tile's size before it and repeats its last bytes after it; readers may look there."""

_GAP = 65_536
"""Blocks that lie no further apart than this are fetched in one request."""

_LONGEST_SPAN = 33_554_432


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
    try:
        return _layout(data)
    except NotTiffError as error:
        raise RetryableError("this is no TIFF file") from error
    except DamagedError as error:
        raise RetryableError("its directories are damaged") from error


def _layout(data: bytes) -> Layout:
    tiff = Tiff(lambda position, size: data[position : position + size])
    levels: list[Level] = []
    reach, end, following = tiff.header_end, 0, 0
    for directory in tiff.directories(_MOST_DIRECTORIES):
        following = directory.following
        reach = max(reach, _reach(directory))
        if reach > len(data):
            raise TooShortError(reach)
        tags = {entry.tag: tiff.values(entry) for entry in directory.entries if entry.tag in _WANTED}
        level = _level(tags)
        end = max([end, *(o + s for o, s in zip(level.offsets, level.sizes, strict=True))])
        if not tags.get(_SUBFILE, (0,))[0] & _MASK:
            levels.append(level)
    if not levels or following:
        raise DamagedError
    return Layout(tuple(sorted(levels, key=lambda level: -level.width)), reach, max(end, reach))


def _reach(directory: Directory) -> int:
    """The byte after a directory and all its values, which GDAL reads too."""
    if not all(entry.size for entry in directory.entries):
        raise DamagedError
    return max([directory.end, *(entry.end for entry in directory.entries)])


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
