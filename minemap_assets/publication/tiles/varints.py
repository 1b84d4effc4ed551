"""Whole numbers as protocol buffers write them: seven bits a byte, the low ones first."""

import numpy as np
import numpy.typing as npt

_BITS = 7


def sizes(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bytes of each number as a varint. Numbers are from 0 to 2^63 - 1."""
    found = np.ones(len(numbers), dtype=np.int64)
    bits = _BITS
    while bits < 63 and (over := numbers >= (1 << bits)).any():
        found += over
        bits += _BITS
    return found


def varints(numbers: npt.NDArray[np.int64], counted: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.uint8]:
    """The bytes of all numbers after each other; `counted` are their `sizes` where they are known."""
    counts = sizes(numbers) if counted is None else counted
    ends = np.cumsum(counts)
    starts = ends - counts
    written = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    places = np.arange(len(numbers))
    for byte in range(int(counts.max(initial=0))):
        places = places[counts[places] > byte]
        more = np.where(counts[places] > byte + 1, 0x80, 0)
        written[starts[places] + byte] = ((numbers[places] >> (_BITS * byte)) & 0x7F) | more
    return written


def zigzag(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of either sign as numbers from zero, small ones small."""
    return (numbers << 1) ^ (numbers >> 63)


def framed(field: int, message: bytes) -> bytes:
    """A message behind its field and its length."""
    length, head = len(message), bytearray([field])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= _BITS
    head.append(length)
    return bytes(head) + message
