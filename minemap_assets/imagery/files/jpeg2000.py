"""Whether a JPEG 2000 file is as long as its own tiles say, found without decoding pixels.

GDAL opens a file that was cut off in transfer without a word, and fills what is missing with zeros.

Source: ISO/IEC 15444-1 (ITU-T T.800), annexes A (codestream) and I (boxes of the file format).
"""

import struct
from typing import BinaryIO

from minemap_assets.errors import BadInputError

_SIGNATURE = bytes.fromhex("0000000c6a5020200d0a870a")
_CODESTREAM = b"jp2c"
_SOC, _SIZ, _SOT, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFFD9

_MOST_BOXES = 1_000
_MOST_SEGMENTS = 10_000
_MOST_PARTS = 100_000
"""More tile-parts than this has no image; a band of Sentinel-2 has 121 tiles."""


class _CutOffError(Exception):
    """The file ends too early."""


class _DamagedError(Exception):
    """The file says what no such file can."""


def check_jpeg2000(handle: BinaryIO, size: int, name: str) -> None:
    """Raise `BadInputError`, with the file's name, where a file of `size` bytes is no JPEG 2000 image or not a whole
    one. `handle` stands at its beginning, and is read forwards only.
    """
    try:
        if handle.read(len(_SIGNATURE)) != _SIGNATURE:
            raise BadInputError(f"{name} is not a JPEG 2000 file; fetch it again")
        _go_to_codestream(handle, len(_SIGNATURE), size)
        tiles = _tiles(handle)
        _check_parts(handle, handle.tell() - 2, size, tiles)
    except _CutOffError as error:
        raise BadInputError(f"{name} is cut off; fetch it again") from error
    except _DamagedError as error:
        raise BadInputError(f"{name} is a damaged JPEG 2000 file; fetch it again") from error


def _go_to_codestream(handle: BinaryIO, place: int, size: int) -> None:
    """Go to where the compressed image begins; the file stands at `place`, where a box begins."""
    for _ in range(_MOST_BOXES):
        length, kind = struct.unpack(">I4s", _exactly(handle, 8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", _exactly(handle, 8))
            head = 16
        if kind == _CODESTREAM:
            return
        if length < head:
            raise _DamagedError
        place += length
        _go_to(handle, place, size)
    raise _DamagedError


def _tiles(handle: BinaryIO) -> int:
    """The number of tiles by the main header; leaves the file behind the mark of the first tile-part."""
    if _number(handle) != _SOC or _number(handle) != _SIZ:
        raise _DamagedError
    header = _segment(handle)
    if len(header) < 36:
        raise _DamagedError
    right, bottom, left, top, width, height, tiles_left, tiles_top = struct.unpack(">8I", header[2:34])
    if width == 0 or height == 0 or right <= left or bottom <= top or tiles_left > left or tiles_top > top:
        raise _DamagedError
    for _ in range(_MOST_SEGMENTS):
        if _number(handle) == _SOT:
            across, down = -(-(right - tiles_left) // width), -(-(bottom - tiles_top) // height)
            return int(across * down)
        _segment(handle)
    raise _DamagedError


def _check_parts(handle: BinaryIO, place: int, size: int, tiles: int) -> None:
    """Go from tile-part to tile-part; `place` is where the first one begins, behind whose mark the file stands."""
    seen = set[int]()
    for _ in range(_MOST_PARTS):
        length, tile, extent = struct.unpack(">HHI", _exactly(handle, 8))
        if length != 10 or tile >= tiles or (extent and extent < 14):
            raise _DamagedError
        seen.add(tile)
        if extent == 0:
            # the last one reaches to the end, where the mark of the end stands
            place = size - 2
        else:
            place += extent
        _go_to(handle, place, size)
        mark = handle.read(2)
        if mark != _SOT.to_bytes(2, "big"):
            # some writers leave out the mark of the end
            if (mark != _EOC.to_bytes(2, "big") and mark) or len(seen) < tiles:
                raise _CutOffError
            return
    raise _DamagedError


def _go_to(handle: BinaryIO, place: int, size: int) -> None:
    if place > size:
        raise _CutOffError
    handle.seek(place)


def _segment(handle: BinaryIO) -> bytes:
    """The segment that follows its mark."""
    length = _number(handle)
    if length < 2:
        raise _DamagedError
    return _exactly(handle, length - 2)


def _number(handle: BinaryIO) -> int:
    return int.from_bytes(_exactly(handle, 2), "big")


def _exactly(handle: BinaryIO, count: int) -> bytes:
    data = handle.read(count)
    if len(data) < count:
        raise _CutOffError
    return data
