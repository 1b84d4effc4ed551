"""SegFormer (Xie et al. 2021) through transformers, for any number of bands. Imports torch: import it late."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import nn
from transformers import SegformerForSemanticSegmentation

from minemap_assets.segmentation.networks.folding import fold
from minemap_assets.segmentation.networks.initialisation import fan_in
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.networks.pretrained import filled, transformers_config, written
from minemap_assets.segmentation.networks.shapes import SegformerShape


class Segformer(MineNetwork):
    """See `SegformerShape`; `inner` is transformers' own module with the classes other and mine."""

    def __init__(self, shape: SegformerShape, bands: int) -> None:
        super().__init__()
        self.shape, self.bands = shape, bands
        self._config = transformers_config(shape, bands)
        self.inner = SegformerForSemanticSegmentation(self._config)
        fan_in(self.inner)
        nn.init.normal_(self._classifier.weight, std=1.0 / math.sqrt(self._classifier.in_channels))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Margins (crop, row, column)."""
        coarse = self.inner(pixel_values=inputs).logits
        apart = coarse[:, 1:2] - coarse[:, 0:1]
        fine = nn.functional.interpolate(apart, size=inputs.shape[-2:], mode="bilinear", align_corners=False)
        return fine[:, 0]

    def first_layers(self) -> Iterator[nn.Conv2d]:
        """The convolutions that read the bands."""
        yield next(m for m in self.encoder.modules() if isinstance(m, nn.Conv2d))

    def last_layers(self) -> Iterator[nn.Parameter]:
        """Weights of the decoder."""
        return self.inner.decode_head.parameters()

    def start_at(self, share: float) -> None:
        """Set the last bias: everything is a mine with probability `share`."""
        bias = self._classifier.bias
        if bias is None:
            raise ValueError("the classifier of a SegFormer has a bias")
        half = 0.5 * math.log(share / (1.0 - share))
        with torch.no_grad():
            bias.copy_(torch.tensor([-half, half]))

    def folded(self) -> MineNetwork:
        """With a decode head that does the same work in fewer steps."""
        fold(self.inner)
        return self

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights by the names that transformers gives them in files."""
        return written(self.inner)

    def take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Use what `weights` gave of a network of the same shape."""
        self.inner = filled(SegformerForSemanticSegmentation, self._config, weights)

    def start_like(self, other: MineNetwork) -> None:
        """Copy the weights of another SegFormer, without its decoder where that has another width."""
        if not isinstance(other, Segformer):
            raise TypeError(f"a SegFormer cannot start like a {type(other).__name__}")
        self.encoder.load_state_dict(other.encoder.state_dict())
        if self._config.decoder_hidden_size == other._config.decoder_hidden_size:
            self.inner.decode_head.load_state_dict(other.inner.decode_head.state_dict())

    @property
    def encoder(self) -> nn.Module:
        """All but the decoder."""
        return self.inner.base_model

    @property
    def _classifier(self) -> nn.Conv2d:
        return next(m for m in reversed(list(self.inner.decode_head.modules())) if isinstance(m, nn.Conv2d))
