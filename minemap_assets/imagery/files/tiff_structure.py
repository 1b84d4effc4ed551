"""Whether a TIFF file is as long as its own directories say, found without reading pixels.

GDAL opens a file that was cut off in transfer without a word, because the directory comes first; the byte ranges of
its tiles and strips tell.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.tiff_directories import DamagedError, Entry, NotTiffError, Tiff, TooShortError

_OFFSETS = (273, 324)
"""Tags StripOffsets and TileOffsets; their byte counts are in the tags of `_COUNTS` at the same place."""
_COUNTS = (279, 325)
_MOST_DIRECTORIES = 10_000
"""A loop of directories is cut here."""

_TOGETHER = 1 << 20
"""Byte ranges that are looked at together."""


def expected_size(path: Path) -> int:
    """Bytes that the file must have at least: the end of its last tile, strip or directory.

    Raises `BadInputError` where the file is no TIFF or ends inside a directory.
    """
    with path.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size

        def read(position: int, wanted: int) -> bytes:
            if wanted > size:
                raise DamagedError
            handle.seek(position)
            return handle.read(wanted)

        if size < 4:
            raise _no_tiff(path)
        try:
            tiff = Tiff(read)
            ends = _ends(tiff, size)
        except NotTiffError as error:
            raise _no_tiff(path) from error
        except DamagedError as error:
            raise BadInputError(f"{path} has a damaged directory; fetch it again") from error
        except TooShortError as error:
            raise BadInputError(f"{path} is cut off inside its directory; fetch it again") from error
    return max(tiff.header_end, *ends) if ends else tiff.header_end


def check_whole(path: Path) -> None:
    """Raise `BadInputError` where a file is shorter than its directory says."""
    size, expected = path.stat().st_size, expected_size(path)
    if size < expected:
        raise BadInputError(f"{path} is cut off ({size} of at least {expected} bytes); fetch it again")


def _no_tiff(path: Path) -> BadInputError:
    return BadInputError(f"{path} is not a TIFF file; convert it to GeoTIFF")


def _ends(tiff: Tiff, size: int) -> list[int]:
    """Where each directory and its pixels end. Directories that state more byte ranges than fit into the file lie."""
    ends: list[int] = []
    left = size
    for directory in tiff.directories(_MOST_DIRECTORIES):
        tables = {e.tag: e for e in directory.entries if e.tag in (*_OFFSETS, *_COUNTS)}
        left -= sum(entry.size for entry in tables.values())
        if left < 0 and ends:
            raise DamagedError
        ends.append(max(directory.end, _pixels_end(tiff, tables)))
    return ends


def _pixels_end(tiff: Tiff, tables: Mapping[int, Entry]) -> int:
    end = 0
    for places, sizes in zip(_OFFSETS, _COUNTS, strict=True):
        if places not in tables or sizes not in tables:
            continue
        for first in range(0, min(tables[places].count, tables[sizes].count), _TOGETHER):
            offsets, counts = (tiff.numbers(tables[tag], first, _TOGETHER) for tag in (places, sizes))
            together = min(len(offsets), len(counts))
            stored = offsets[:together] > 0
            if stored.any():
                # in floating point nothing wraps around, and what is off by some bytes is far beyond any file
                end = max(end, _reach(offsets[:together][stored], counts[:together][stored]))
    return end


def _reach(offsets: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint64]) -> int:
    last = int(np.argmax(offsets.astype(np.float64) + counts.astype(np.float64)))
    return int(offsets[last]) + int(counts[last])
