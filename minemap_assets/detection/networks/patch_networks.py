"""Patch classifiers: small convolutional networks that say of a square patch whether it shows a mine. Imports torch:
import it late.
"""

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional

from minemap_assets.detection.networks.shapes import EncoderShape, NetworkShape, PatchShape
from minemap_assets.segmentation.networks.dropout import ChannelDropout
from minemap_assets.segmentation.networks.efficientnet import EfficientNetLite0

KERAS_EPSILON = 1e-3
"""What Keras adds to the variance of a batch, where PyTorch adds 1e-5."""

LIMIT = 6.0
"""Normalised values are cut to this many spreads, so that one bright cloud does not rule a patch."""


class PatchClassifier(nn.Module, ABC):
    """Reads physical numbers (patch, band, row, column), 0 where nothing was observed; gives log-odds of a mine
    (patch).
    """

    shape: NetworkShape

    @abstractmethod
    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Log-odds of a mine (patch)."""


class PatchNetwork(PatchClassifier):
    """See `PatchShape`."""

    def __init__(self, shape: PatchShape) -> None:
        super().__init__()
        self.shape: PatchShape = shape
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


class EncoderNetwork(PatchClassifier):
    """See `EncoderShape`."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape: EncoderShape = shape
        self.encoder = EfficientNetLite0(shape.bands, shape.levels)
        self.dropout = ChannelDropout(shape.dropout)
        self.head = nn.Linear(2 * self.encoder.channels[-1], 1)
        self.register_buffer("mean", torch.tensor(shape.mean)[None, :, None, None])
        self.register_buffer("spread", torch.tensor(shape.spread)[None, :, None, None])

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Log-odds of a mine (patch)."""
        seen = patches != 0
        scaled = ((patches - self.get_buffer("mean")) / self.get_buffer("spread")).clamp(-LIMIT, LIMIT)
        inputs = torch.where(seen, scaled, torch.zeros_like(scaled))
        if self.shape.enlarge > 1:
            inputs = functional.interpolate(
                inputs, scale_factor=float(self.shape.enlarge), mode="bilinear", align_corners=False
            )
        features = self.encoder(inputs)[-1]
        pooled = torch.cat([features.mean((-2, -1), keepdim=True), features.amax((-2, -1), keepdim=True)], 1)
        out: torch.Tensor = self.head(self.dropout(pooled).flatten(1))
        return out[:, 0]


def built(shape: NetworkShape) -> PatchClassifier:
    """A network of a shape, with random weights."""
    return PatchNetwork(shape) if isinstance(shape, PatchShape) else EncoderNetwork(shape)
