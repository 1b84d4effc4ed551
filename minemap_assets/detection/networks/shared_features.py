"""The first layers of a published patch network, computed once for a whole tile instead of once a patch.

A pixel that is farther from a patch's edge than the convolutions reach has the same features in every patch. The others
hang on the zeros that each patch is padded with: along one edge, which all patches of a row (or column) of patches
share, or along two at a corner, which is the patch's own. All are computed apart and put together, so that each number
is the sum of the same products as in the patch alone. Imports torch: import it late.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from minemap_assets.detection.networks.patch_networks import PatchNetwork

ROWS_AT_A_TIME = 96
"""Rows of a tile whose features are computed at a time: what the layers leave behind stays small."""


@dataclass(frozen=True)
class _Edge:
    """How many pixels of a patch's edge are computed apart, and how many of the image these are made from."""

    kept: int
    read: int


class SharedFeatures:
    """The first group of a network over a whole image, and what comes after it over patches."""

    def __init__(self, network: PatchNetwork, stride: int) -> None:
        shape = network.shape
        first = shape.groups[0]
        layers = list(network.features)
        count = first.convolutions * (3 if shape.normalised else 2)
        self._layers, self._rest = layers[:count], nn.Sequential(*layers[count + 1 :], nn.Flatten(1), network.head)
        self._pool, self._side, self._stride = first.pool, shape.pixels, stride
        reach = first.convolutions
        kept = -(-reach // first.pool) * first.pool
        self._edge = _Edge(kept, kept + reach)
        self._two = shape.outputs == 2

    @staticmethod
    def fits(network: nn.Module, stride: int) -> bool:
        """Whether a network's first group can be shared by patches so far apart."""
        if not isinstance(network, PatchNetwork):
            return False
        first, side = network.shape.groups[0], network.shape.pixels
        return stride % first.pool == 0 and side % first.pool == 0 and side >= 4 * (first.convolutions + first.pool)

    def margins(
        self, image: torch.Tensor, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], batch: int
    ) -> torch.Tensor:
        """Log-odds (patch) of patches whose north-western pixels are given, in an image (1, band, row, column) that
        begins and ends with one.
        """
        middle = self._pooled(self._whole(image))
        edges = self._edges(image)
        corners = self._corners(image, rows, columns)
        found = [
            self._rest(
                self._assembled(middle, edges, corners, rows, columns, range(n, min(n + batch, len(rows))), batch)
            )
            for n in range(0, len(rows), batch)
        ]
        out = torch.cat(found)[: len(rows)] if found else torch.zeros(0, 1)
        return out[:, 1] - out[:, 0] if self._two else out[:, 0]

    def _whole(self, image: torch.Tensor) -> torch.Tensor:
        """Features of every pixel, as far from edges as they are inside a patch, in bands of rows."""
        height, reach = image.shape[2], self._edge.read - self._edge.kept
        parts = []
        for top in range(0, height, ROWS_AT_A_TIME):
            bottom = min(top + ROWS_AT_A_TIME, height)
            above, below = min(reach, top), min(reach, height - bottom)
            part = self._convolved(image[:, :, top - above : bottom + below], (1, 1, 1, 1))
            parts.append(part[:, :, above : above + bottom - top])
        return torch.cat(parts, 2)

    def _edges(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Pooled features along the northern, southern, western and eastern edges of every row or column of patches."""
        height, width, side, read = image.shape[2], image.shape[3], self._side, self._edge.read
        tops, lefts = (range(0, size - side + 1, self._stride) for size in (height, width))
        north = torch.cat([image[:, :, top : top + read] for top in tops])
        south = torch.cat([image[:, :, top + side - read : top + side] for top in tops])
        west = torch.cat([image[:, :, :, left : left + read] for left in lefts])
        east = torch.cat([image[:, :, :, left + side - read : left + side] for left in lefts])
        return tuple(
            self._pooled(self._convolved(strip, pads))
            for strip, pads in (
                (north, (1, 1, 1, 0)),
                (south, (1, 1, 0, 1)),
                (west, (1, 0, 1, 1)),
                (east, (0, 1, 1, 1)),
            )
        )

    def _corners(
        self, image: torch.Tensor, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
    ) -> tuple[torch.Tensor, ...]:
        """Pooled features at the four corners of each patch: north-west, north-east, south-west, south-east."""
        read, last = self._edge.read, self._side - self._edge.read
        windows = image[0].unfold(1, read, 1).unfold(2, read, 1)
        down, across = torch.from_numpy(rows).to(image.device), torch.from_numpy(columns).to(image.device)
        found = []
        for south in (False, True):
            for east in (False, True):
                patches = windows[:, down + last * south, across + last * east].permute(1, 0, 2, 3)
                pads = (int(not east), int(east), int(not south), int(south))
                found.append(self._pooled(self._convolved(patches.contiguous(), pads)))
        return tuple(found)

    def _convolved(self, pixels: torch.Tensor, pads: tuple[int, int, int, int]) -> torch.Tensor:
        """The first group without its pooling; `pads` are zeros in the west, east, north and south of each layer."""
        out = pixels.contiguous(memory_format=torch.channels_last)
        same = pads == (1, 1, 1, 1)
        for layer in self._layers:
            if isinstance(layer, nn.Conv2d):
                filled = out if same else functional.pad(out, pads)
                out = functional.conv2d(filled, layer.weight, layer.bias, padding=1 if same else 0)
            elif isinstance(layer, nn.ReLU):
                out = out.relu_()
            else:
                out = layer(out)
        return out

    def _pooled(self, features: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(features, self._pool)

    def _assembled(
        self,
        middle: torch.Tensor,
        edges: Sequence[torch.Tensor],
        corners: Sequence[torch.Tensor],
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        chosen: range,
        batch: int,
    ) -> torch.Tensor:
        """Pooled features (patch, filter, row, column) of some patches, and zeros up to a whole batch: sums of products
        are taken in another order where the batch has another size.
        """
        side, kept = self._side // self._pool, self._edge.kept // self._pool
        out = middle.new_zeros(batch, middle.shape[1], side, side).contiguous(memory_format=torch.channels_last)
        inner, end = slice(kept, side - kept), side - kept
        north, south, west, east = edges
        for place, number in enumerate(chosen):
            top, left = (int(at[number]) // self._pool for at in (rows, columns))
            row, column = (int(at[number]) // self._stride for at in (rows, columns))
            across, down = slice(left + kept, left + end), slice(top + kept, top + end)
            one = out[place]
            one[:, inner, inner] = middle[0, :, down, across]
            one[:, :kept, inner] = north[row, :, :, across]
            one[:, end:, inner] = south[row, :, :, across]
            one[:, inner, :kept] = west[column, :, down]
            one[:, inner, end:] = east[column, :, down]
            one[:, :kept, :kept] = corners[0][number]
            one[:, :kept, end:] = corners[1][number]
            one[:, end:, :kept] = corners[2][number]
            one[:, end:, end:] = corners[3][number]
        return out
