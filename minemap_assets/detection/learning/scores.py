"""Scores of a patch classifier on labelled ground that it was not trained on."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def average_precision(scores: Floats, mine: Bools) -> float:
    """Area under precision by recall, in steps: the mean precision at the rank of each mine (ties count together)."""
    if not mine.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ranked, labels = scores[order], mine[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, [True]))
    found = np.cumsum(labels)[last]
    gained = np.diff(np.concatenate([[0], found]))
    return float(np.sum(gained * found / (last + 1)) / labels.sum())


def threshold_at(scores: Floats, mine: Bools, specificity: float) -> float:
    """The lowest score from which at least the share `specificity` of what is no mine lies below it."""
    others = np.sort(scores[~mine])
    if not len(others):
        return 0.0
    below = math.ceil(specificity * len(others) - 1e-9)
    if below == 0:
        return float(others[0])
    return float(np.nextafter(others[below - 1], np.inf))


def sensitivity_at(scores: Floats, mine: Bools, specificity: float) -> float:
    """Share of mines that score at least the threshold of that specificity."""
    if not mine.any():
        return math.nan
    return float(np.mean(scores[mine] >= threshold_at(scores, mine, specificity)))
