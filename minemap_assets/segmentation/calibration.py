"""Calibration: from the network's margin to a probability that means what it says.

Platt scaling (Platt 1999): P(mine) = 1 / (1 + exp(-(scale * margin + shift))), where the margin is the mine logit minus
the other one, so that scale 1 and shift 0 are the plain softmax. Fitted by maximum likelihood on pixels of ground that
was not trained on, each site of which counts about as much as any other: what is asked about next is another site.
"""

import numpy as np
import numpy.typing as npt

from minemap_assets.project.settings import StrictModel

Floats = npt.NDArray[np.floating]

BACKGROUND_WEIGHT = 0.02
"""What a pixel that is no mine adds to the size of a site, beside one that is."""

_RIDGE = 1e-4
"""Pull towards the plain softmax a pixel, which keeps the fit finite where classes are perfectly apart."""


class Calibration(StrictModel):
    """Scale and shift of the margin."""

    scale: float = 1.0
    shift: float = 0.0

    def probability(self, margin: Floats) -> npt.NDArray[np.float32]:
        """P(mine), in float32, of margins of any shape."""
        score = np.clip(margin.astype(np.float32) * np.float32(self.scale) + np.float32(self.shift), -40.0, 40.0)
        probability: npt.NDArray[np.float32] = (1.0 / (1.0 + np.exp(-score))).astype(np.float32)
        return probability


def site_weights(site: npt.NDArray[np.int64], mine: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """A weight a pixel, one on average, by which each site counts as much as any other.

    `site` numbers the site of each pixel from 0. A site is as large as its mining ground, mostly; one giant would
    otherwise say alone what probabilities mean on the ground of a hundred others.
    """
    if not len(site):
        return np.zeros(0)
    size = np.bincount(site, mine) + BACKGROUND_WEIGHT * np.bincount(site)
    weight = 1.0 / np.maximum(size, BACKGROUND_WEIGHT)[site]
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def fit(margin: Floats, mine: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64] | None = None) -> Calibration:
    """Maximum-likelihood scale and shift by Newton's method; the plain softmax where only one class is there.

    `weight` is what each pixel counts, one by default.
    """
    if mine.all() or not mine.any():
        return Calibration()
    x = margin.astype(np.float64)
    y = mine.astype(np.float64)
    much = np.ones(len(x)) if weight is None else weight
    at = np.array([1.0, 0.0])
    start = at.copy()
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(at[0] * x + at[1], -40.0, 40.0)))
        w = p * (1.0 - p)
        w *= much
        wrong = (p - y) * much
        slope = np.array([np.mean(wrong * x), np.mean(wrong)]) + _RIDGE * (at - start)
        cross = np.mean(w * x)
        bend = np.array([[np.mean(w * x * x), cross], [cross, np.mean(w)]]) + _RIDGE * np.eye(2)
        step = np.linalg.solve(bend, slope)
        step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        at = at - step
        at[0] = max(at[0], 0.05)
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(scale=float(round(at[0], 6)), shift=float(round(at[1], 6)))
