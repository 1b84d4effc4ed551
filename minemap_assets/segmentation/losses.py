"""The loss: cross-entropy and soft Dice over labelled pixels. Imports torch: import it late."""

import torch

from minemap_assets.chips.labels import IGNORE
from minemap_assets.segmentation.config import SegmentationConfig


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor, config: SegmentationConfig) -> torch.Tensor:
    """Weighted sum of both parts; zero where no pixel is labelled.

    `logits` (crop, 2, row, column), `labels` int64 (crop, row, column) with 255 = ignore.
    """
    known = labels != IGNORE
    if not bool(known.any()):
        return logits.sum() * 0.0
    loss = logits.new_zeros(())
    if config.cross_entropy_weight:
        weights = logits.new_tensor([1.0, config.mine_weight])
        entropy = torch.nn.functional.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORE)
        loss = loss + config.cross_entropy_weight * entropy
    if config.dice_weight:
        loss = loss + config.dice_weight * soft_dice(logits, labels)
    return loss


def soft_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """One minus the soft Dice coefficient of the mine class over the whole batch (Milletari et al. 2016)."""
    known = (labels != IGNORE).float()
    mine = torch.softmax(logits, dim=1)[:, 1] * known
    truth = (labels == 1).float()
    overlap = (mine * truth).sum()
    return 1.0 - (2.0 * overlap + 1.0) / (mine.sum() + truth.sum() + 1.0)
