"""U-Net (Ronneberger et al. 2015) with batch norm, and a plain or a pretrained way down. Imports torch: import it
late.
"""

import math
from collections.abc import Iterator
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from minemap_assets.segmentation.networks.dropout import ChannelDropout
from minemap_assets.segmentation.networks.efficientnet import EfficientNetLite0
from minemap_assets.segmentation.networks.initialisation import fan_in
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.shapes import UNetShape


class _Layer(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class _Block(nn.Sequential):
    """Two layers, then channels left out."""

    def __init__(self, before: int, after: int, dropout: float = 0.0) -> None:
        super().__init__(_Layer(before, after), _Layer(after, after), ChannelDropout(dropout))


class _PlainEncoder(nn.Module):
    """The way down of the original behind a stem: a block a level, half the size from level to level."""

    def __init__(self, before: int, shape: UNetShape) -> None:
        super().__init__()
        self.channels = widths = shape.widths
        kernel = 2 * (shape.stem // 2) + (3 if shape.stem == 1 else 1)
        self.stem = _Layer(before, widths[0], kernel=kernel, stride=shape.stem)
        deeper = len(widths) // 2
        ways = enumerate(zip((widths[0], *widths), widths, strict=False))
        self.down = nn.ModuleList(_Block(a, b, shape.dropout if n >= deeper else 0.0) for n, (a, b) in ways)

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        features, found = self.stem(inputs), []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2, ceil_mode=True))
            found.append(features)
        return found


class UNet(MineNetwork):
    """See `UNetShape`."""

    def __init__(self, shape: UNetShape, bands: int) -> None:
        super().__init__()
        self.shape, self.bands = shape, bands
        widths, self.plain = shape.widths, shape.encoder == "plain"
        self.detail = _Layer(bands, shape.detail) if shape.detail else None
        self.encoder: _PlainEncoder | EfficientNetLite0
        self.bridge: nn.Sequential | None = None
        if shape.encoder == "plain":
            self.encoder = _PlainEncoder(shape.detail or bands, shape)
        else:
            self.encoder = EfficientNetLite0(bands, len(widths))
            deepest = self.encoder.channels[-1]
            self.bridge = nn.Sequential(_Layer(deepest, widths[-1], kernel=1), ChannelDropout(shape.dropout))
        ways = zip(self.encoder.channels, widths, widths[1:], strict=False)
        self.up = nn.ModuleList(_Block(skip + below, after) for skip, after, below in ways)
        self.join = _Layer(widths[0] + shape.detail, shape.detail) if shape.detail else None
        self.head = nn.Conv2d(shape.detail or widths[0], 1, kernel_size=1)
        fan_in(self)
        if not self.head.weight.is_meta:
            # the margin begins with a spread of about one, whatever the width
            nn.init.normal_(self.head.weight, std=1.0 / math.sqrt(self.head.in_channels))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Margins (crop, row, column)."""
        fine = inputs if self.detail is None else self.detail(inputs)
        skipped = self.encoder(fine if self.plain else inputs)
        features = skipped.pop()
        if self.bridge is not None:
            features = self.bridge(features)
        for block in reversed(self.up):
            skip = skipped.pop()
            features = block(torch.cat([_enlarged(features, skip), skip], dim=1))
        if self.join is not None:
            features = self.join(torch.cat([_enlarged(features, fine), fine], dim=1))
        return _enlarged(self.head(features), inputs)[:, 0]

    def first_layers(self) -> Iterator[nn.Conv2d]:
        """The convolutions that read the bands."""
        if self.detail is not None:
            yield cast(nn.Conv2d, self.detail[0])
        if self.detail is None or not self.plain:
            yield next(m for m in self.encoder.modules() if isinstance(m, nn.Conv2d))

    def last_layers(self) -> Iterator[nn.Parameter]:
        """Weights of the decoder."""
        for part in (None if self.plain else self.detail, self.bridge, self.up, self.join, self.head):
            if part is not None:
                yield from part.parameters()

    def start_at(self, share: float) -> None:
        """Set the last bias: everything is a mine with probability `share`."""
        nn.init.constant_(cast(nn.Parameter, self.head.bias), math.log(share / (1.0 - share)))

    def folded(self) -> MineNetwork:
        """With batch norms inside the convolutions."""
        from minemap_assets.segmentation.networks.fusing import fuse_norms

        fuse_norms(self)
        return self

    def draw_from(self, generator: torch.Generator) -> bool:
        """Leave channels out by the numbers of a generator; always True."""
        for part in self.modules():
            if isinstance(part, ChannelDropout):
                part.generator = generator
        return True


def _enlarged(features: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
