"""The numbers of one block of a TIFF file, from its bytes.

Decoding is imagecodecs': its libdeflate takes half of the time of zlib and compares the block's checksum.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.files.cog_layout import Level
from minemap_assets.imagery.files.tiff_directories import UnreadableError

_NONE, _LZW, _ZSTD, _DEFLATE = 1, 5, 50000, (8, 32946)
_NO_PREDICTOR, _DIFFERENCES = 1, 2


def decode_block(data: Any, level: Level) -> npt.NDArray[np.generic]:
    """(row, column) of a whole tile, also where it reaches beyond the image; `data` is bytes or a view of some.

    Raises `RetryableError` for bytes that do not decode, and `UnreadableError` for a coding that is not read.
    """
    import imagecodecs

    coding, shape = level.coding, (level.tile_height, level.tile_width)
    kind = np.dtype(coding.dtype)
    size = shape[0] * shape[1] * kind.itemsize
    try:
        raw: Any
        if coding.compression == _NONE:
            raw = data
        elif coding.compression in _DEFLATE:
            raw = imagecodecs.deflate_decode(data, out=bytearray(size))
        elif coding.compression == _ZSTD:
            raw = imagecodecs.zstd_decode(data, out=size)
        elif coding.compression == _LZW:
            raw = imagecodecs.lzw_decode(data, out=size)
        else:
            raise UnreadableError(f"it is compressed in a way that is not read (TIFF compression {coding.compression})")
    except (RuntimeError, ValueError) as error:
        raise RetryableError(str(error) or type(error).__name__) from error
    if len(raw) != size:
        raise RetryableError(f"a block has {len(raw)} bytes where {size} are stated")
    numbers = np.frombuffer(raw, dtype=kind).reshape(shape)
    if coding.predictor == _NO_PREDICTOR:
        return numbers
    if coding.predictor != _DIFFERENCES or kind.kind == "f":
        raise UnreadableError(f"it is stored with a predictor that is not read (TIFF predictor {coding.predictor})")
    native = numbers.astype(kind.newbyteorder("="), copy=not numbers.flags.writeable)
    decoded: npt.NDArray[np.generic] = imagecodecs.delta_decode(native, axis=1, out=native)
    return decoded
