"""Whether a TIFF file is as long as its own directories say, found without reading pixels.

GDAL opens a file that was cut off in transfer without a word, because the directory comes first; the byte ranges of
its tiles and strips tell.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.tiff_directories import DamagedError, Entry, NotTiffError, Tiff, TooShortError

_OFFSETS = (273, 324)
"""Tags StripOffsets and TileOffsets; their byte counts are in the tags of `_COUNTS` at the same place."""
_COUNTS = (279, 325)
_MOST_DIRECTORIES = 10_000
"""A loop of directories is cut here."""


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
            ends = [max(d.end, _pixels_end(tiff, d.entries)) for d in tiff.directories(_MOST_DIRECTORIES)]
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


def _pixels_end(tiff: Tiff, entries: Sequence[Entry]) -> int:
    values = {e.tag: tiff.values(e) for e in entries if e.tag in (*_OFFSETS, *_COUNTS)}
    ends = [0]
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        pairs = zip(values.get(offsets, ()), values.get(counts, ()), strict=False)
        ends += [offset + count for offset, count in pairs if offset]
    return max(ends)
