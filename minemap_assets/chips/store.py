"""The chip array: one Zarr v3 group, one chunk a chip, the same bytes for the same chips."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import zarr

PIXELS = "pixels"
LABELS = "labels"
ZSTD_LEVEL = 3


class ChipStore:
    """Writes chips one by one: `pixels` uint16 (N, band, row, column) and, for training, `labels` uint8."""

    def __init__(self, pixels: "zarr.Array[Any]", labels: "zarr.Array[Any] | None") -> None:
        self._pixels = pixels
        self._labels = labels

    @classmethod
    def create(
        cls, path: Path, product: str, bands: Sequence[str], size: int, upper: int, *, labelled: bool
    ) -> "ChipStore":
        """A new group at `path` with room for `upper` chips; product, bands and size are its attributes."""
        import zarr

        facts = {"product": product, "bands": list(bands), "size": size}
        group = zarr.create_group(path, zarr_format=3, attributes=facts)
        pixels = _array(group, PIXELS, (upper, len(bands), size, size), "uint16")
        return cls(pixels, _array(group, LABELS, (upper, size, size), "uint8") if labelled else None)

    def put(self, chip: int, pixels: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint8] | None) -> None:
        """Write one chip."""
        self._pixels[chip] = pixels
        if self._labels is not None and labels is not None:
            self._labels[chip] = labels

    def finish(self, count: int) -> None:
        """Cut the arrays to the chips that were written."""
        for array in (self._pixels, self._labels):
            if array is not None:
                array.resize((count, *array.shape[1:]))


def _array(group: "zarr.Group", name: str, shape: tuple[int, ...], dtype: str) -> "zarr.Array[Any]":
    from zarr.codecs import ZstdCodec

    return group.create_array(
        name,
        shape=shape,
        chunks=(1, *shape[1:]),
        dtype=dtype,
        compressors=ZstdCodec(level=ZSTD_LEVEL),
        filters=None,
        fill_value=0,
        dimension_names=("chip", "band", "y", "x") if name == PIXELS else ("chip", "y", "x"),
        config={"write_empty_chunks": True},
    )
