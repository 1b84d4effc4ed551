"""What a Cloud Optimized GeoTIFF of one band holds and where, told from its first bytes; in which spans it is fetched.

Bytes are fetched elsewhere (`imagery/sources/stac/blocks.py`), and decoded in `block_decoding.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.files.geo_keys import GEO_TAGS, ground_of_tags
from minemap_assets.imagery.files.tiff_directories import (
    DamagedError,
    Directory,
    NotTiffError,
    Tiff,
    TooShortError,
    UnreadableError,
)

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_SAMPLES, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS, _FORMAT = 277, 317, 322, 323, 324, 325, 339
_NODATA = 42113
_WANTED = frozenset({_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PREDICTOR}) | frozenset(
    {_TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _COUNTS, _FORMAT}
)
_KINDS = {1: "u", 2: "i", 3: "f"}
"""Kinds of numbers by SampleFormat, as numpy calls them."""

_MASK = 4
_MOST_DIRECTORIES = 64

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

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.offset + self.size


@dataclass(frozen=True)
class Coding:
    """How numbers are stored in a block: numpy's name of their type, and the TIFF tags Compression and Predictor."""

    dtype: str
    compression: int = 1
    predictor: int = 1


@dataclass(frozen=True)
class Level:
    """One resolution: image and tile size in pixels, and each tile's bytes in row-major order."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    coding: Coding

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
            yield tuple(b for b in stored if group[0].offset <= b.offset and b.end <= group[-1].end)


@dataclass(frozen=True)
class Layout:
    """The levels of a file, the finest first, the ground that it shows, and the number that it says means no data.

    Bytes before `header_end` hold all directories, `end` is the least size the whole file must have.
    """

    levels: tuple[Level, ...]
    ground: GeoBox
    nodata: float | None
    header_end: int
    end: int


def _place(block: Block) -> int:
    return block.offset


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks in order of their place in the file, those close together in one list."""
    group: list[Block] = []
    for block in blocks:
        if group and (block.offset - group[-1].end > _GAP or block.end - group[0].offset > _LONGEST_SPAN):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def parse_layout(data: bytes) -> Layout:
    """The layout of the file that begins with `data`.

    Raises `TooShortError` where more bytes are needed, `RetryableError` where these are no directories of a tiled TIFF
    (which bytes damaged on their way would not be either), and `UnreadableError` for several bands in one file.
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
    ground, nodata = None, None
    reach, end, following = tiff.header_end, 0, 0
    for directory in tiff.directories(_MOST_DIRECTORIES):
        following = directory.following
        reach = max(reach, _reach(directory))
        if reach > len(data):
            raise TooShortError(reach)
        entries = {entry.tag: entry for entry in directory.entries}
        tags = {tag: tiff.values(entry) for tag, entry in entries.items() if tag in _WANTED}
        level = _level(tags, tiff.order)
        end = max([end, *(o + s for o, s in zip(level.offsets, level.sizes, strict=True))])
        if not tags.get(_SUBFILE, (0,))[0] & _MASK:
            levels.append(level)
        if ground is None and GEO_TAGS & entries.keys():
            ground = ground_of_tags(tiff, entries, (level.height, level.width))
            nodata = _number(tiff.text(entries[_NODATA])) if _NODATA in entries else None
    if not levels or following:
        raise DamagedError
    if ground is None:
        raise RetryableError("it has no georeference")
    return Layout(tuple(sorted(levels, key=lambda level: -level.width)), ground, nodata, reach, max(end, reach))


def _reach(directory: Directory) -> int:
    """The byte after a directory and all its values."""
    if not all(entry.size for entry in directory.entries):
        raise DamagedError
    return max([directory.end, *(entry.end for entry in directory.entries)])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError as error:
        raise DamagedError from error


def _level(tags: Mapping[int, Sequence[int]], order: str) -> Level:
    try:
        width, height, tile_width, tile_height = (int(tags[t][0]) for t in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT))
        offsets, sizes = tuple(tags[_OFFSETS]), tuple(tags[_COUNTS])
    except KeyError as error:
        raise RetryableError("it is not stored in tiles") from error
    if min(width, height, tile_width, tile_height) < 1:
        raise DamagedError
    level = Level(width, height, tile_width, tile_height, offsets, sizes, _coding(tags, order))
    tiles = level.across * -(-height // tile_height)
    if not len(level.offsets) == len(level.sizes) == tiles:
        raise RetryableError("it does not have one run of bytes a tile")
    return level


def _coding(tags: Mapping[int, Sequence[int]], order: str) -> Coding:
    samples, bits = tags.get(_SAMPLES, (1,))[0], tags.get(_BITS, (1,))[0]
    if samples != 1:
        raise UnreadableError(f"it has {samples} bands, where files of one band each are read")
    kind = _KINDS.get(tags.get(_FORMAT, (1,))[0])
    if kind is None or bits not in (8, 16, 32, 64):
        raise UnreadableError(f"it stores numbers of {bits} bits in a way that is not read")
    return Coding(f"{order}{kind}{bits // 8}", tags.get(_COMPRESSION, (1,))[0], tags.get(_PREDICTOR, (1,))[0])
