"""Patch classifiers: small convolutional networks that say of a square patch whether it shows a mine. Imports torch:
import it late.

Both published architectures of Amazon Mining Watch are shapes of one network: groups of convolutions with a pooling
layer after each, then dense layers (mining-detector, commit bbbcb2d; model_config of its .h5 files).
"""

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

KERAS_EPSILON = 1e-3
"""What Keras adds to the variance of a batch, where PyTorch adds 1e-5."""


class Group(BaseModel):
    """Convolutions of 3 x 3 pixels with ReLU, and the pooling after them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filters: Annotated[int, Field(ge=1, le=1024)]
    convolutions: Annotated[int, Field(ge=1, le=16)]
    pool: Annotated[int, Field(ge=1, le=8)]


class PatchShape(BaseModel):
    """What a patch network looks like. `normalised`: a batch norm follows each ReLU. With two `outputs` the network
    weighs "mine" (the second) against "other".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: Annotated[int, Field(ge=8, le=512)]
    bands: Annotated[int, Field(ge=1, le=256)]
    groups: tuple[Group, ...]
    dense: tuple[int, ...]
    outputs: Literal[1, 2] = 1
    normalised: bool = False
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3

    @property
    def deepest(self) -> int:
        """Pixels on a side after the last pooling."""
        side = self.pixels
        for group in self.groups:
            side //= group.pool
        return side


PIXELS = 48
SMALL = tuple(Group(filters=32, convolutions=3, pool=pool) for pool in (2, 2, 3))
LARGE = tuple(Group(filters=filters, convolutions=3, pool=2) for filters in (32, 64, 128))
DENSE = (64, 64, 32)


def published_2024(bands: int = 12) -> PatchShape:
    """The members of v3.2 to v3.7, and v4.21 with 13 bands."""
    return PatchShape(pixels=PIXELS, bands=bands, groups=SMALL, dense=DENSE)


def published_2026(bands: int = 13) -> PatchShape:
    """The wider network with batch norms."""
    return PatchShape(pixels=PIXELS, bands=bands, groups=LARGE, dense=DENSE, normalised=True)


class PatchNetwork(nn.Module):
    """See `PatchShape`. Reads reflectance (patch, band, row, column), gives log-odds of a mine (patch)."""

    def __init__(self, shape: PatchShape) -> None:
        super().__init__()
        self.shape = shape
        layers: list[nn.Module] = []
        width = shape.bands
        for group in shape.groups:
            for _ in range(group.convolutions):
                layers += [nn.Conv2d(width, group.filters, kernel_size=3, padding=1), nn.ReLU()]
                layers += [nn.BatchNorm2d(group.filters, eps=KERAS_EPSILON)] if shape.normalised else []
                width = group.filters
            layers.append(nn.MaxPool2d(group.pool))
        self.features = nn.Sequential(*layers)
        head: list[nn.Module] = []
        size = width * shape.deepest**2
        for units in shape.dense:
            head += [nn.Linear(size, units), nn.ReLU(), nn.Dropout(shape.dropout)]
            size = units
        self.head = nn.Sequential(*head, nn.Linear(size, shape.outputs))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Log-odds of a mine (patch)."""
        out: torch.Tensor = self.head(self.features(patches).flatten(1))
        return out[:, 0] if self.shape.outputs == 1 else out[:, 1] - out[:, 0]
