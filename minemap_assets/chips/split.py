"""Split: which ground is trained on, which chooses the model, and which tests it."""

import hashlib
from collections.abc import Mapping
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")

LEAST, MOST = 0.5, 1.5
"""How far a held-out split may be from its share, as a factor, before groups are moved."""


def position(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the group's name and the seed."""
    hashed = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64


def split_groups(weights: Mapping[str, int], seed: int, validation_share: float, test_share: float) -> dict[str, Split]:
    """The split of every group, each one whole; `weights` are the groups' sizes in chips.

    Of three or more groups no split with a share above zero stays empty. Two groups make train and validation, one is
    train; none make none.
    """
    places = {name: position(name, seed) for name in sorted(weights)}
    if len(places) < 3:
        ordered = sorted(places, key=lambda name: (places[name], name))
        pair: tuple[Split, Split] = ("validation", "train")
        return dict(zip(ordered, pair[2 - len(ordered) :], strict=True))
    shares: dict[Split, float] = {"test": test_share, "validation": validation_share}
    centres: dict[Split, float] = {"test": test_share / 2, "validation": test_share + validation_share / 2}
    chosen: dict[str, Split] = {}
    for name, place in places.items():
        held_out: Split = "test" if place < test_share else "validation"
        chosen[name] = held_out if place < test_share + validation_share else "train"
    for split, share in shares.items():
        _relieve(chosen, weights, split, MOST * share)
    for split, share in shares.items():
        distances = {name: abs(place - centres[split]) for name, place in places.items()}
        _fill(chosen, weights, split, share, distances)
    return chosen


def _relieve(chosen: dict[str, Split], weights: Mapping[str, int], split: Split, most: float) -> None:
    """Move the largest groups of a split that holds too much to train."""
    total = sum(weights.values())
    members = sorted((n for n, s in chosen.items() if s == split), key=lambda n: (weights[n], n))
    while members and sum(weights[n] for n in members) > most * total:
        chosen[members.pop()] = "train"


def _fill(
    chosen: dict[str, Split], weights: Mapping[str, int], split: Split, share: float, distances: Mapping[str, float]
) -> None:
    """Move groups from train to a split that holds too little: the nearest that fits, or else the smallest."""
    total = sum(weights.values())
    while share > 0:
        held = sum(weights[n] for n, s in chosen.items() if s == split)
        spare = [n for n, s in chosen.items() if s == "train"]
        if held == 0 and len(spare) < 2:
            spare = _of_fullest(chosen)
        fitting = [n for n in spare if held + weights[n] <= MOST * share * total]
        if held >= LEAST * share * total or len(spare) < 2 or (held > 0 and not fitting):
            return
        if fitting:
            chosen[min(fitting, key=lambda n: (distances[n], n))] = split
        else:
            chosen[min(spare, key=lambda n: (weights[n], distances[n], n))] = split


def _of_fullest(chosen: dict[str, Split]) -> list[str]:
    """Groups of the split that has most of them."""
    counts = {split: sum(1 for s in chosen.values() if s == split) for split in SPLITS}
    fullest = max(SPLITS, key=lambda split: counts[split])
    return [name for name, split in chosen.items() if split == fullest]
