"""Folding the decode head for prediction: the same numbers for a fraction of the work. Imports torch: import it late.

SegFormer's head projects each stage to a common width, enlarges all four to the finest, joins them and mixes them with
a 1x1 convolution and a batch norm. In evaluation each step but the enlarging is linear a pixel, and bilinear enlarging
commutes with that, so a stage's projection, its slice of the mixing and the norm are one small 1x1 convolution before
enlarging.
"""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import SegformerForSemanticSegmentation


class FoldedHead(nn.Module):
    """Drop-in for the decode head of a network in evaluation mode."""

    def __init__(self, stages: Sequence[nn.Conv2d], bias: torch.Tensor, classifier: nn.Conv2d) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.bias = nn.Parameter(bias[None, :, None, None])
        self.classifier = classifier

    def forward(self, encoder_hidden_states: Sequence[torch.Tensor], **_: object) -> torch.Tensor:
        """Logits at the finest stage's size, from each stage's features (crop, channel, row, column)."""
        size = encoder_hidden_states[0].shape[-2:]
        total = self.bias
        for stage, states in zip(self.stages, encoder_hidden_states, strict=True):
            mixed = stage(states)
            if mixed.shape[-2:] != size:
                mixed = nn.functional.interpolate(mixed, size=size, mode="bilinear", align_corners=False)
            total = total + mixed
        logits: torch.Tensor = self.classifier(torch.relu(total))
        return logits


@torch.no_grad()
def fold(model: SegformerForSemanticSegmentation) -> None:
    """Replace the model's head by its folded form, in place; a head of another build is left as it is, and so is one in
    training.

    Layers are found by their kind and order, because their names have changed between versions of transformers.
    """
    head = model.decode_head
    projections = [m for m in head.modules() if isinstance(m, nn.Linear)]
    convolutions = [m for m in head.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in head.modules() if isinstance(m, nn.BatchNorm2d)]
    width = projections[0].out_features if projections else 0
    known = len(convolutions) == 2 and len(norms) == 1 and convolutions[0].in_channels == width * len(projections)
    if not known or model.training or not model.config.reshape_last_stage:
        return
    mixing, classifier = convolutions
    scale, shift = _norm_as_scale(norms[0])
    total = shift.clone()
    if mixing.bias is not None:
        total += scale * mixing.bias
    stages = []
    for place, projection in enumerate(projections):
        # Stages are joined from coarse to fine: the first projection meets the last slice.
        start = (len(projections) - 1 - place) * width
        part = scale[:, None] * mixing.weight[:, start : start + width, 0, 0]
        total += part @ projection.bias
        stages.append(_pointwise(part @ projection.weight))
    model.decode_head = FoldedHead(stages, total, classifier).eval()  # type: ignore[assignment]


def _norm_as_scale(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot be folded")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _pointwise(weight: torch.Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], kernel_size=1, bias=False)
    layer.weight.copy_(weight[:, :, None, None])
    return layer
