"""The loss: cross-entropy and soft Dice over labelled pixels, the hardest first. Imports torch: import it late."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from minemap_assets.segmentation.recipes import Recipe


@dataclass(frozen=True)
class LossRule:
    """How much each part counts; `mine_weight` and `other_weight` are those of the classes in cross-entropy, and of
    each crop only the `hard_share` of pixels with the highest cross-entropy count (Shrivastava et al. 2016).
    """

    cross_entropy_weight: float = 1.0
    dice_weight: float = 1.0
    mine_weight: float = 1.0
    other_weight: float = 1.0
    hard_share: float = 1.0

    @classmethod
    def of(cls, recipe: Recipe, mine_weight: float, other_weight: float) -> "LossRule":
        """The rule of a recipe."""
        return cls(
            recipe.cross_entropy_weight, recipe.dice_weight, mine_weight, other_weight, hard_share=recipe.hard_share
        )


def segmentation_loss(margin: torch.Tensor, mine: torch.Tensor, known: torch.Tensor, rule: LossRule) -> torch.Tensor:
    """Weighted sum of both parts; zero where no pixel is labelled.

    `margin` float32, `mine` the share of each pixel that is mine, and `known` bool, all (crop, row, column).
    """
    if not bool(known.any()):
        return margin.sum() * 0.0
    loss = margin.new_zeros(())
    if rule.cross_entropy_weight:
        loss = loss + rule.cross_entropy_weight * cross_entropy(margin, mine, known, rule)
    if rule.dice_weight:
        loss = loss + rule.dice_weight * soft_dice(margin, mine, known)
    return loss


def cross_entropy(margin: torch.Tensor, mine: torch.Tensor, known: torch.Tensor, rule: LossRule) -> torch.Tensor:
    """Mean over the known pixels that count, each weighted by its class."""
    weight = (mine * rule.mine_weight + (1.0 - mine) * rule.other_weight) * known
    plain = functional.binary_cross_entropy_with_logits(margin, mine, reduction="none")
    if rule.hard_share < 1.0:
        weight = weight * hardest(plain.detach(), known, rule.hard_share)
    return (plain * weight).sum() / weight.sum().clamp_min(1e-9)


def hardest(loss: torch.Tensor, known: torch.Tensor, share: float) -> torch.Tensor:
    """True for the share of each crop's known pixels with the highest loss, at least one; ties with the last count."""
    ranked = torch.where(known, loss, torch.full_like(loss, -1.0)).flatten(1)
    counts = (known.flatten(1).sum(dim=1) * share).ceil().clamp_min(1).long()
    ordered = ranked.sort(dim=1, descending=True).values
    least = ordered.gather(1, (counts - 1)[:, None])
    return (ranked >= least).view_as(known) & known


def soft_dice(margin: torch.Tensor, mine: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """One minus the soft Dice coefficient of the mine class over the whole batch (Milletari et al. 2016)."""
    said = torch.sigmoid(margin) * known
    truth = mine * known
    overlap = (said * truth).sum()
    return 1.0 - (2.0 * overlap + 1.0) / (said.sum() + truth.sum() + 1.0)
