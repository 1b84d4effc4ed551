"""The body of EfficientNet-Lite0 (Tan & Le 2019; the Lite variants have neither squeeze-and-excitation nor swish).
Imports torch: import it late.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from minemap_assets.segmentation.networks.shapes import LITE0_CHANNELS

_STEM = 32
_EPSILON = 1e-3


@dataclass(frozen=True)
class _Stage:
    """`repeats` blocks, of which the first has the stride."""

    channels: int
    repeats: int
    kernel: int
    stride: int
    expansion: int


_LEVELS = (
    (_Stage(16, 1, 3, 1, 1),),
    (_Stage(24, 2, 3, 2, 6),),
    (_Stage(40, 2, 5, 2, 6),),
    (_Stage(80, 3, 3, 2, 6), _Stage(112, 3, 5, 1, 6)),
    (_Stage(192, 4, 5, 2, 6), _Stage(320, 1, 3, 1, 6)),
)
"""Stages by level: table 1 of the paper, with the fixed stem of the Lite variants."""


class _SameConv(nn.Conv2d):
    """A strided convolution padded as TensorFlow does, where the weights were made: of an odd padding the larger part
    lies on the right and below.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        rows, columns = (_padding(size, self.kernel_size[0], self.stride[0]) for size in features.shape[-2:])
        padded = functional.pad(features, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


def _padding(size: int, kernel: int, stride: int) -> int:
    """Pixels to add so that ceil(size / stride) come out."""
    return max((-(-size // stride) - 1) * stride + kernel - size, 0)


def _layer(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1, *, linear: bool = False
) -> nn.Module:
    """Convolution, batch norm, and ReLU up to 6 where the layer is not linear."""
    conv: nn.Conv2d
    if stride == 1:
        conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        conv = _SameConv(before, after, kernel, stride=stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(after, eps=_EPSILON)
    return nn.Sequential(conv, norm) if linear else nn.Sequential(conv, norm, nn.ReLU6(inplace=True))


class _Block(nn.Module):
    """An inverted residual (Sandler et al. 2018): wider, a kernel for each channel, narrower."""

    def __init__(self, before: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = before * stage.expansion
        wider = [_layer(before, wide, 1)] if stage.expansion > 1 else []
        apart = _layer(wide, wide, stage.kernel, stride, groups=wide)
        self.layers = nn.Sequential(*wider, apart, _layer(wide, stage.channels, 1, linear=True))
        self.kept = stride == 1 and before == stage.channels

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.layers(features)
        return changed + features if self.kept else changed


class EfficientNetLite0(nn.Module):
    """Features (crop, channel, row, column) at the strides 2, 4, ... of as many `levels` as are asked for, 1 to 5, from
    `bands`; sizes that a stride does not divide are rounded up.
    """

    def __init__(self, bands: int, levels: int) -> None:
        super().__init__()
        self.channels = LITE0_CHANNELS[:levels]
        self.stem = _layer(bands, _STEM, 3, 2)
        before, made = _STEM, []
        for stages in _LEVELS[:levels]:
            blocks = []
            for stage in stages:
                for number in range(stage.repeats):
                    blocks.append(_Block(before, stage, stage.stride if number == 0 else 1))
                    before = stage.channels
            made.append(nn.Sequential(*blocks))
        self.levels = nn.ModuleList(made)

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """A level's features each, from the finest."""
        features, found = self.stem(inputs), []
        for level in self.levels:
            features = level(features)
            found.append(features)
        return found

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Weights of a published EfficientNet-Lite0, whatever their names, by their order and shape; what follows the
        last level is left. Raises `ValueError` where a shape differs.
        """
        own = self.state_dict()
        if len(weights) < len(own):
            raise ValueError(f"{len(weights)} arrays of weights, and not at least {len(own)}")
        for (name, mine), (theirs, values) in zip(own.items(), weights.items(), strict=False):
            if mine.shape != values.shape:
                raise ValueError(f"{theirs} has the shape {tuple(values.shape)}, and not {tuple(mine.shape)}")
            own[name] = values
        self.load_state_dict(own)
