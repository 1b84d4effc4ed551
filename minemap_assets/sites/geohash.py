"""Ids made from positions alone."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
PRECISION = 10
"""Ten characters are cells of about 1.2 x 0.6 m at the equator."""

_BITS = 5
"""A character's bits: longitude and latitude in turn, longitude first."""

Degrees = Sequence[float] | npt.NDArray[np.float64]


def encode(longitudes: Degrees, latitudes: Degrees, precision: int = PRECISION) -> list[str]:
    """Geohashes (Niemeyer 2008) of points in degrees."""
    total = _BITS * precision
    columns = _cells(longitudes, 180.0, (total + 1) // 2)
    rows = _cells(latitudes, 90.0, total // 2)
    codes = np.zeros((len(columns), precision), dtype=np.int64)
    for bit in range(total):
        source, left = (columns, (total + 1) // 2) if bit % 2 == 0 else (rows, total // 2)
        value = source >> (left - 1 - bit // 2) & 1
        codes[:, bit // _BITS] = codes[:, bit // _BITS] * 2 + value
    names: list[str] = np.array(list(ALPHABET))[codes].view(f"U{precision}").ravel().tolist()
    return names


def position_ids(
    prefix: str, longitudes: Degrees, latitudes: Degrees, sizes: Degrees, precision: int = PRECISION
) -> list[str]:
    """One id for each position: the prefix and its geohash.

    Only things with the same centre, to about a metre at the default precision, can share one; the largest then keeps
    the plain id and the others get `-2`, `-3` in order of falling size, whatever order they came in.
    """
    hashes = [f"{prefix}{text}" for text in encode(longitudes, latitudes, precision)]
    ids = list(hashes)
    seen: dict[str, int] = {}
    for n in sorted(range(len(hashes)), key=lambda n: (-sizes[n], longitudes[n], latitudes[n])):
        seen[hashes[n]] = seen.get(hashes[n], 0) + 1
        if seen[hashes[n]] > 1:
            ids[n] = f"{hashes[n]}-{seen[hashes[n]]}"
    return ids


def _cells(degrees: Degrees, limit: float, bits: int) -> npt.NDArray[np.int64]:
    """Number of the cell among 2**bits between -limit and limit that holds each value."""
    scaled = (np.asarray(degrees, dtype=np.float64) + limit) / (2 * limit) * 2**bits
    return np.asarray(np.clip(np.floor(scaled), 0, 2**bits - 1), dtype=np.int64)
