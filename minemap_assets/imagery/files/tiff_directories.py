"""The directories of a TIFF or BigTIFF, from bytes in memory or in a file; no pixels are decoded.

Source: TIFF 6.0 specification, section 2; BigTIFF as in libtiff.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import PermanentError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = frozenset({1, 3, 4, 13, 16, 18})
"""Types of whole numbers that are not negative."""

_TEXT, _DOUBLE = 2, 12
_MOST_ENTRIES = 4096

Read = Callable[[int, int], bytes]
"""The bytes at a position, as many as are asked for, or fewer where there are no more."""


class UnreadableError(PermanentError):
    """A file is whole but stored in a way that is not read here, or holds damage that is its own."""


class NotTiffError(Exception):
    """The bytes do not begin as a TIFF does."""


class DamagedError(Exception):
    """A directory says what no directory can."""


class TooShortError(Exception):
    """The directories reach beyond the bytes at hand; `needed` is how many there must be at least."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} bytes needed")
        self.needed = needed


@dataclass(frozen=True)
class Entry:
    """One tag of a directory; its values take up `size` bytes at `place` (0 where their type is unknown)."""

    tag: int
    kind: int
    count: int
    place: int
    size: int

    @property
    def end(self) -> int:
        """The byte after the values."""
        return self.place + self.size


@dataclass(frozen=True)
class Directory:
    """One image's tags; `end` is the byte after the directory itself, `following` where the next one is, or 0."""

    entries: tuple[Entry, ...]
    end: int
    following: int


class Tiff:
    """Goes from directory to directory. All methods raise `TooShortError` and `DamagedError`."""

    def __init__(self, read: Read) -> None:
        """Raises `NotTiffError`."""
        self._read = read
        start = self._bytes(0, 4)
        self._order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        magic = struct.unpack(f"{self._order}H", start[2:])[0] if self._order else 0
        if magic not in (42, 43):
            raise NotTiffError
        # BigTIFF counts entries, values and positions in 8 bytes
        self._count, self._position, self._room = ("Q", "Q", 8) if magic == 43 else ("H", "I", 4)
        self.header_end = 2 * self._room
        self._first = self._unpack(self._room, self._position)[0]

    def directories(self, most: int) -> Iterator[Directory]:
        """The directories in order, at most so many and each once, because damaged ones may go in a circle."""
        position, seen = self._first, set[int]()
        for _ in range(most):
            if position == 0 or position in seen:
                return
            seen.add(position)
            directory = self._directory(position)
            yield directory
            position = directory.following

    def values(self, entry: Entry) -> tuple[int, ...]:
        """The whole numbers of an entry."""
        return tuple(self.numbers(entry, 0, entry.count).tolist())

    def numbers(self, entry: Entry, first: int, count: int) -> npt.NDArray[np.uint64]:
        """So many of the whole numbers of an entry, from the one at a place on; fewer at its end."""
        if entry.kind not in _CODES:
            raise DamagedError
        kind = np.dtype(f"{self._order}u{_SIZES[entry.kind]}")
        wanted = max(0, min(count, entry.count - first))
        data = self._bytes(entry.place + first * kind.itemsize, wanted * kind.itemsize)
        return np.frombuffer(data, dtype=kind).astype(np.uint64)

    def doubles(self, entry: Entry) -> tuple[float, ...]:
        """The numbers in double precision of an entry."""
        if entry.kind != _DOUBLE:
            raise DamagedError
        return tuple(np.frombuffer(self._bytes(entry.place, entry.size), dtype=f"{self._order}f8").tolist())

    def text(self, entry: Entry) -> str:
        """The text of an entry."""
        if entry.kind != _TEXT:
            raise DamagedError
        return self._bytes(entry.place, entry.size).rstrip(b"\0").decode(errors="replace")

    @property
    def order(self) -> str:
        """Order of the bytes of a number, as numpy writes it."""
        return self._order

    def _directory(self, position: int) -> Directory:
        count = self._unpack(position, self._count)[0]
        if count > _MOST_ENTRIES:
            raise DamagedError
        first = position + struct.calcsize(f"<{self._count}")
        size = 4 + 2 * self._room
        entries = tuple(self._entry(first + number * size) for number in range(count))
        end = first + count * size
        return Directory(entries, end + self._room, self._unpack(end, self._position)[0])

    def _entry(self, position: int) -> Entry:
        tag, kind, count = self._unpack(position, f"HH{self._position}")
        size = _SIZES.get(kind, 0) * count
        place = position + 4 + self._room
        if size > self._room:
            place = self._unpack(place, self._position)[0]
        return Entry(tag, kind, count, place, size)

    def _unpack(self, position: int, form: str) -> tuple[int, ...]:
        whole = self._order + form
        return struct.unpack(whole, self._bytes(position, struct.calcsize(whole)))

    def _bytes(self, position: int, size: int) -> bytes:
        data = self._read(position, size)
        if len(data) < size:
            raise TooShortError(position + size)
        return data
