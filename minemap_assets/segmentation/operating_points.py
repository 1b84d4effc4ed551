"""Operating points: thresholds with a purpose, chosen on the stored grid of 0 to 254."""

import math

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


def _middle(scores: list[float]) -> float:
    best = max(scores)
    ties = [place + 1 for place, score in enumerate(scores) if score == best]
    return ties[len(ties) // 2] / TOP
