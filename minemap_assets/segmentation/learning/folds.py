"""Folds: ground that one model of an ensemble does not see, so that it can be asked about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from minemap_assets.segmentation.training_set import ChipRef


@dataclass(frozen=True)
class Member:
    """What one model learns from, and the ground it is asked about afterwards."""

    taught: tuple[ChipRef, ...]
    unseen: tuple[ChipRef, ...]


def members(refs: Sequence[ChipRef], folds: int) -> tuple[Member, ...]:
    """A member for each fold of the chips, which learns from all others; split groups stay whole.

    There are as many folds as groups with mines allow, so that every member sees some and is asked about some; with
    less than two there is one member, which learns from everything and is asked about nothing.
    """
    weights: dict[str, float] = {}
    for ref in refs:
        weights[ref.group] = weights.get(ref.group, 0.0) + ref.mine_fraction
    count = min(folds, sum(1 for weight in weights.values() if weight > 0))
    if count < 2:
        return (Member(tuple(refs), ()),)
    fold_of = dealt(weights, count)
    return tuple(
        Member(tuple(r for r in refs if fold_of[r.group] != fold), tuple(r for r in refs if fold_of[r.group] == fold))
        for fold in range(count)
    )


def dealt(weights: dict[str, float], count: int) -> dict[str, int]:
    """Groups dealt out from the largest on, back and forth: as many to each fold, and about as much mining ground."""
    ordered = sorted(weights, key=lambda name: (-weights[name], name))
    there, back = list(range(count)), list(reversed(range(count)))
    turns = [*there, *back]
    return {group: turns[place % len(turns)] for place, group in enumerate(ordered)}
