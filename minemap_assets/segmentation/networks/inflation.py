"""Kernels made for some bands, for other ones. Imports torch: import it late."""

from collections.abc import Sequence

import torch

RGB = ("red", "green", "blue")
"""Bands of the pictures that published weights were trained on, in their order."""


def inflated(kernel: torch.Tensor, before: Sequence[str], after: Sequence[str]) -> torch.Tensor:
    """A kernel (channel, band, row, column) over the bands `before` as one over the bands `after`.

    A band of the same name keeps its weights, any other gets their mean over bands; then all are scaled by the ratio of
    the numbers of bands, and what is still lacking is spread evenly, so that an input that is the same in all bands
    gives what it gave.
    """
    if tuple(before) == tuple(after):
        return kernel.clone()
    known = {name: kernel[:, place] for place, name in enumerate(before)}
    mean = kernel.mean(dim=1)
    placed = torch.stack([known.get(name, mean) for name in after], dim=1) * (len(before) / len(after))
    lacking = kernel.sum(dim=1) - placed.sum(dim=1)
    return placed + lacking[:, None] / len(after)
