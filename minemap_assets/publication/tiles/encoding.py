"""Layers of vector tiles as bytes (Mapbox Vector Tile Specification 2.1), for all features of many tiles at once.

Everything but text and 32 bit numbers is varints in a tile, so features are laid out as one array of numbers whose
bytes are written together; only what surrounds the features is put together tile by tile.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from minemap_assets.publication.tiles.commands import Commands, Ints
from minemap_assets.publication.tiles.properties import ABSENT, Properties
from minemap_assets.publication.tiles.varints import framed, sizes, varints

EXTENT = 4096
"""Units across a tile."""

_LAYER, _NAME, _FEATURE, _KEY = 0x1A, 0x0A, 0x12, 0x1A
_TAGS, _TYPE, _GEOMETRY = 0x12, 0x18, 0x22
_END = bytes([0x28]) + varints(np.array([EXTENT])).tobytes() + bytes([0x78, 2])
"""Extent and version of a layer."""


def layers(name: str, tiles: Ints, commands: Commands, described: Properties) -> dict[int, bytes]:
    """The layer of each tile that has features: `tiles` is the tile of each feature, and never falls.

    The bytes of the layers of one tile, after each other, are the tile.
    """
    if not len(tiles):
        return {}
    tags, tag_starts, held = _tags(tiles, described)
    features, ends = _features(commands, tags, tag_starts)
    named, keys = framed(_NAME, name.encode()), b"".join(framed(_KEY, key.encode()) for key in described.names)
    numbers, firsts = np.unique(tiles, return_index=True)
    bounds = np.concatenate([[0], ends])[np.append(firsts, len(tiles))]
    found = {}
    for place, tile in enumerate(numbers.tolist()):
        own = features[bounds[place] : bounds[place + 1]].tobytes()
        found[tile] = framed(_LAYER, b"".join([named, own, keys, *held[place], _END]))
    return found


def _tags(tiles: Ints, described: Properties) -> tuple[Ints, Ints, list[npt.NDArray[np.object_]]]:
    """Keys and values of features as pairs of numbers, where those of each feature begin, and each tile's values."""
    feature, key = np.nonzero(described.codes != ABSENT)
    width = max(len(described.values), 1)
    different, places = np.unique(tiles[feature] * width + described.codes[feature, key], return_inverse=True)
    numbers = np.unique(tiles)
    bounds = np.searchsorted(different, np.append(numbers * width, (numbers[-1] + 1) * width))
    first = bounds[np.searchsorted(numbers, tiles[feature])]
    tags = np.column_stack([key, places - first]).astype(np.int64).ravel()
    counts = np.bincount(feature, minlength=len(tiles))
    held = [described.values[different[a:b] % width] for a, b in pairwise(bounds)]
    return tags, np.concatenate([[0], np.cumsum(2 * counts)]), held


def _features(commands: Commands, tags: Ints, tag_starts: Ints) -> tuple[npt.NDArray[np.uint8], Ints]:
    """All features as bytes, and where each ends."""
    tag_counts, shape_counts = np.diff(tag_starts), np.diff(commands.starts)
    tag_bytes, shape_bytes = _total(tags, tag_starts), _total(commands.numbers, commands.starts)
    lengths = tag_bytes + shape_bytes + sizes(tag_bytes) + sizes(shape_bytes) + 4
    starts = np.concatenate([[0], np.cumsum(tag_counts + shape_counts + 8)])
    begin, shape_begin = starts[:-1], starts[:-1] + 4 + tag_counts
    numbers = np.empty(int(starts[-1]), dtype=np.int64)
    numbers[begin], numbers[begin + 1] = _FEATURE, lengths
    numbers[begin + 2], numbers[begin + 3] = _TAGS, tag_bytes
    numbers[shape_begin], numbers[shape_begin + 1] = _TYPE, commands.kind
    numbers[shape_begin + 2], numbers[shape_begin + 3] = _GEOMETRY, shape_bytes
    numbers[_spread(begin + 4, tag_starts)] = tags
    numbers[_spread(shape_begin + 4, commands.starts)] = commands.numbers
    counted = sizes(numbers)
    return varints(numbers, counted), np.cumsum(counted)[starts[1:] - 1]


def _spread(begins: Ints, starts: Ints) -> Ints:
    """Places of numbers whose groups, one after the other at `starts`, go to `begins`."""
    return np.arange(int(starts[-1])) + np.repeat(begins - starts[:-1], np.diff(starts))


def _total(numbers: Ints, starts: Ints) -> Ints:
    """Bytes of each group of numbers."""
    upto = np.concatenate([[0], np.cumsum(sizes(numbers))])
    return np.asarray(upto[starts[1:]] - upto[starts[:-1]], dtype=np.int64)
