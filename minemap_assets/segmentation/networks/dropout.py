"""Channels left out at random, from a generator of the network's own. Imports torch: import it late."""

import torch
from torch import nn


class ChannelDropout(nn.Module):
    """Like `torch.nn.Dropout2d`, with random numbers that no other thread draws from; torch's own where none is set."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (crop, channel, row, column) as they are, or in training without some of the channels."""
        if not self.training or not self.share:
            return features
        kept = torch.full(features.shape[:2], 1.0 - self.share, device=features.device)
        mask = torch.bernoulli(kept, generator=self.generator) / (1.0 - self.share)
        return features * mask[:, :, None, None].to(features.dtype)
