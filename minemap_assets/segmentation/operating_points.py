"""Operating points: thresholds with a purpose, chosen on the stored grid of 0 to 254."""

import math
import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.scale import TOP


def match_area(histogram: Histogram) -> float:
    """The threshold at which the predicted area comes nearest to the labelled one (paper, section Methods, thresholds).

    As in the paper it is chosen on the whole reference year but the test ground; here on what each model says of ground
    that it was not trained on. Of equally near thresholds the middle one.
    """
    labelled = int(histogram.mine.sum())
    both = histogram.mine + histogram.other
    distance = [abs(int(both[value:].sum()) - labelled) for value in range(1, TOP + 1)]
    return _middle([-d for d in distance])


def max_miou(histogram: Histogram) -> float:
    """The threshold with the highest mean intersection over union; of equally good ones the middle one."""
    scores = [histogram.confusion(value).miou for value in range(1, TOP + 1)]
    return _middle([-math.inf if math.isnan(s) else s for s in scores])


def operating_points(held_out: Histogram) -> dict[str, float]:
    """Both thresholds by name, from pixels of ground that was not trained on."""
    return {"match_area": match_area(held_out), "max_miou": max_miou(held_out)}


_RECALL = re.compile(r"recall\s*>=\s*(?P<value>\d{1,3}(\.\d{1,9})?)")
_F_BETA = re.compile(r"f(?P<value>\d{1,3}(\.\d{1,9})?)")


def is_computed(point: str) -> bool:
    """True for the name of an operating point that follows from counts: `recall>=0.9`, `f1`, `f0.5`."""
    return bool(_RECALL.fullmatch(point) or _F_BETA.fullmatch(point))


def computed_point(point: str, held_out: Histogram) -> float:
    """The threshold that `recall>=R` or `f<beta>` means on pixels of ground that was not trained on.

    Raises `BadInputError` for a recall or beta that cannot be, and where no threshold above 0 reaches what is asked.
    """
    found = _RECALL.fullmatch(point) or _F_BETA.fullmatch(point)
    if found is None:
        raise BadInputError(f"{point!r} is no operating point; write `recall>=0.9`, or `f2` for an F score")
    value = Fraction(found["value"])
    return at_recall(held_out, value) if found.re is _RECALL else best_f(held_out, value)


def at_recall(held_out: Histogram, least: Fraction) -> float:
    """The highest threshold above 0 at which at least the share `least` of labelled mine pixels is found.

    Raises `BadInputError` where `least` is not above 0 and at most 1, and where no threshold finds as many.
    """
    if not 0 < least <= 1:
        raise BadInputError(f"a recall of {float(least):g} is asked for; it lies above 0, and 1 at most")
    found, mines = _at_or_above(held_out.mine), int(held_out.mine.sum())
    enough = [value for value in range(1, TOP + 1) if int(found[value]) >= least * mines]
    if not mines or not enough:
        most = int(found[1]) / mines if mines else 0.0
        raise BadInputError(
            f"no threshold finds {float(least):.4g} of the held-out mine pixels, the lowest finds {most:.4f}; "
            "ask for less recall"
        )
    return enough[-1] / TOP


def best_f(held_out: Histogram, beta: Fraction) -> float:
    """The threshold above 0 with the highest F score, in which recall counts `beta` times as much as precision (van
    Rijsbergen 1979); of equally good ones the middle one.

    Raises `BadInputError` where `beta` is 0, and where no threshold finds a mine pixel.
    """
    if beta <= 0:
        raise BadInputError("the beta of an F score is 0; it lies above 0, such as f0.5, f1 or f2")
    found, false = _at_or_above(held_out.mine), _at_or_above(held_out.other)
    mines, square = int(held_out.mine.sum()), float(beta * beta)
    scores = [
        (1.0 + square) * int(found[value]) / max(int(found[value]) + int(false[value]) + square * mines, 1.0)
        for value in range(1, TOP + 1)
    ]
    if max(scores) <= 0.0:
        raise BadInputError("no threshold finds a mine pixel on held-out ground, so that no F score is better than 0")
    return _middle(scores)


def _at_or_above(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each stored value, the pixels that have it or a higher one."""
    return np.asarray(counts[::-1].cumsum()[::-1], dtype=np.int64)


def _middle(scores: list[float]) -> float:
    best = max(scores)
    ties = [place + 1 for place, score in enumerate(scores) if score == best]
    return ties[len(ties) // 2] / TOP
