"""Whether a TIFF file is as long as its own directory says, found without reading pixels.

What belongs here: walking the directories of a TIFF or BigTIFF. What does not: decoding anything.

GDAL opens a file that was cut off in transfer without a word, because the directory comes first; the byte ranges of
its tiles and strips tell (TIFF 6.0 specification, section 2; BigTIFF as in libtiff).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from minemap_assets.errors import BadInputError

_OFFSETS = (273, 324)
"""Tags StripOffsets and TileOffsets; their byte counts are in the tags of `_COUNTS` at the same place."""
_COUNTS = (279, 325)
_FORMATS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_DIRECTORIES = 10_000
"""A loop of directories is cut here."""


def expected_size(path: Path) -> int:
    """Bytes that the file must have at least: the end of its last tile, strip or directory.

    Raises `BadInputError` where the file is no TIFF or ends inside a directory.
    """
    with path.open("rb") as handle:
        return _Walker(handle, path).end()


def check_whole(path: Path) -> None:
    """Raise `BadInputError` where a file is shorter than its directory says."""
    size, expected = path.stat().st_size, expected_size(path)
    if size < expected:
        raise BadInputError(f"{path} is cut off ({size} of at least {expected} bytes); fetch it again")


@dataclass(frozen=True)
class _Entry:
    """One entry of a directory; `raw` holds its values, or their position where they do not fit."""

    tag: int
    kind: int
    count: int
    raw: bytes


class _Walker:
    """Goes from directory to directory of an open file."""

    def __init__(self, handle: BinaryIO, path: Path) -> None:
        self._handle = handle
        self._path = path
        start = handle.read(4)
        self._order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        magic = struct.unpack(f"{self._order}H", start[2:])[0] if self._order and len(start) == 4 else 0
        if magic not in (42, 43):
            raise BadInputError(f"{path} is not a TIFF file; convert it to GeoTIFF")
        self._big = magic == 43
        if self._big:
            handle.read(4)
        self._first = self._position()

    def end(self) -> int:
        """The last byte that any directory needs, plus one."""
        position, end = self._first, self._handle.tell()
        for _ in range(_MOST_DIRECTORIES):
            if position == 0:
                break
            self._handle.seek(position)
            entries = [self._entry() for _ in range(self._read("Q" if self._big else "H")[0])]
            position = self._position()
            end = max(end, self._handle.tell(), self._pixels_end(entries))
        return end

    def _pixels_end(self, entries: Sequence[_Entry]) -> int:
        values = {e.tag: self._values(e) for e in entries if e.tag in (*_OFFSETS, *_COUNTS)}
        ends = [0]
        for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
            pairs = zip(values.get(offsets, ()), values.get(counts, ()), strict=False)
            ends += [offset + count for offset, count in pairs if offset]
        return max(ends)

    def _values(self, entry: _Entry) -> tuple[int, ...]:
        code = _FORMATS.get(entry.kind)
        if code is None:
            raise BadInputError(f"{self._path} has a damaged directory; fetch it again")
        form = f"{entry.count}{code}"
        size = struct.calcsize(self._order + form)
        if size <= len(entry.raw):
            return struct.unpack(self._order + form, entry.raw[:size])
        self._handle.seek(struct.unpack(self._order + ("Q" if self._big else "I"), entry.raw)[0])
        return self._read(form)

    def _entry(self) -> _Entry:
        tag, kind, count = self._read("HHQ" if self._big else "HHI")
        return _Entry(tag, kind, count, self._bytes(8 if self._big else 4))

    def _position(self) -> int:
        return self._read("Q" if self._big else "I")[0]

    def _read(self, form: str) -> tuple[int, ...]:
        data = self._bytes(struct.calcsize(self._order + form))
        return struct.unpack(self._order + form, data)

    def _bytes(self, size: int) -> bytes:
        if size > self._path.stat().st_size:
            raise BadInputError(f"{self._path} has a damaged directory; fetch it again")
        data = self._handle.read(size)
        if len(data) < size:
            raise BadInputError(f"{self._path} is cut off inside its directory; fetch it again")
        return data
