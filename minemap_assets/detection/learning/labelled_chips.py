"""Labelled chips: what a patch classifier learns from and is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.learning.folds import dealt


@dataclass(frozen=True, eq=False)
class LabelledChips:
    """Stored numbers uint16 (chip, band, row, column), 0 = not observed, of one product; whether each shows a mine, and
    the place that it belongs to: chips of one place stay together.
    """

    pixels: npt.NDArray[np.uint16]
    mine: npt.NDArray[np.bool_]
    places: tuple[str, ...]
    product: str
    bands: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.mine)

    def of(self, chosen: npt.NDArray[np.int64]) -> "LabelledChips":
        """Some of them."""
        places = tuple(self.places[number] for number in chosen)
        return LabelledChips(self.pixels[chosen], self.mine[chosen], places, self.product, self.bands)


def folds(chips: LabelledChips, count: int) -> npt.NDArray[np.int64]:
    """The fold of each chip: places stay whole, and mines are dealt out evenly.

    There are as many folds as places with mines allow. Raises `BadInputError` where they are less than two, or one
    class is missing.
    """
    if chips.mine.all() or not chips.mine.any():
        raise BadInputError("a patch classifier learns from points of both classes, mine and other; only one is there")
    weights: dict[str, float] = {}
    for place, mine in zip(chips.places, chips.mine.tolist(), strict=True):
        weights[place] = weights.get(place, 0.0) + (1.0 if mine else 0.05)
    places = {place for place, mine in zip(chips.places, chips.mine.tolist(), strict=True) if mine}
    count = min(count, len(places))
    if count < 2:
        raise BadInputError(
            "all points of mines lie in one place, so that none can be held out; label mines at least 55 km apart, or "
            "name their places in a column `place`"
        )
    fold_of = dealt(weights, count)
    return np.array([fold_of[place] for place in chips.places], dtype=np.int64)


def drawn(mine: npt.NDArray[np.bool_], among: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """A bootstrap draw of `among`, of each class as many as there are; both classes are always there."""
    rng = np.random.default_rng([seed, 7])
    classes: Sequence[npt.NDArray[np.int64]] = [among[mine[among]], among[~mine[among]]]
    return np.concatenate([rng.choice(some, len(some)) for some in classes if len(some)])
