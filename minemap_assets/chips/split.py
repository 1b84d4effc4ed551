"""Split: which ground is trained on, which chooses the model, and which tests it.

What belongs here: the assignment of split groups. What does not: what a group is (`sites`: windows that overlap share
one). A group's share comes from its own name and the seed, so the same ground stays on one side in every product and
region, and adding a site moves no other.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")


def position(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the group's name and the seed."""
    hashed = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64


def split_groups(groups: Iterable[str], seed: int, validation_share: float, test_share: float) -> dict[str, Split]:
    """The split of every group; each group is whole.

    Shares hold on average. Of three or more groups no split with a share above zero stays empty: the group whose
    position is nearest moves over. Two groups make train and validation, one is train.
    """
    names = sorted(set(groups))
    places = {name: position(name, seed) for name in names}
    if len(names) < 3:
        ordered = sorted(names, key=lambda name: (places[name], name))
        return dict(zip(ordered, ("validation", "train") if len(ordered) == 2 else ("train",), strict=True))
    edges: dict[Split, tuple[float, float]] = {
        "test": (0.0, test_share),
        "validation": (test_share, test_share + validation_share),
        "train": (test_share + validation_share, 1.0),
    }
    chosen = {name: _inside(places[name], edges) for name in names}
    for split in SPLITS:
        low, high = edges[split]
        if high > low and split not in chosen.values():
            counts = {s: sum(1 for c in chosen.values() if c == s) for s in SPLITS}
            movable = [name for name in names if counts[chosen[name]] > 1]
            chosen[min(movable, key=lambda name: (abs(places[name] - (low + high) / 2), name))] = split
    return chosen


def _inside(place: float, edges: dict[Split, tuple[float, float]]) -> Split:
    return next(split for split, (low, high) in edges.items() if low <= place < high)
