"""The threshold that separates two classes best, from how many pixels of each have which value."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Edge:
    """Values in bins from `bin` on (or, where not `above`, in the bins before it) are taken for the class."""

    bin: int
    above: bool
    iou: float


def best_edge(inside: npt.ArrayLike, outside: npt.ArrayLike, first: int = 0) -> Edge:
    """The edge with the highest intersection over union, from pixel counts by bin inside and outside the class.

    The lower edges of all bins from `first` on are tried; where two are as good, values above are taken, and then
    the lowest edge.
    """
    in_class, others = np.asarray(inside, dtype=np.float64), np.asarray(outside, dtype=np.float64)
    found = [_best(in_class, others, first, above=above) for above in (True, False)]
    return max(found, key=lambda edge: edge.iou)


def _best(inside: npt.NDArray[np.float64], outside: npt.NDArray[np.float64], first: int, *, above: bool) -> Edge:
    hit, false = (np.concatenate([[0.0], np.cumsum(counts)[:-1]]) for counts in (inside, outside))
    if above:
        hit, false = inside.sum() - hit, outside.sum() - false
    scores = (hit / np.maximum(inside.sum() + false, 1.0))[first:]
    best = int(np.argmax(scores))
    return Edge(first + best, above, float(scores[best]))
