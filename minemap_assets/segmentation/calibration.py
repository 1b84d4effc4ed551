"""Calibration: from the network's margin to a probability that means what it says.

Platt scaling (Platt 1999): P(mine) = 1 / (1 + exp(-(scale * margin + shift))), where the margin is the mine logit minus
the other one, so that scale 1 and shift 0 are the plain softmax. Fitted by maximum likelihood on validation pixels.
"""

import numpy as np
import numpy.typing as npt

from minemap_assets.project.settings import StrictModel

Floats = npt.NDArray[np.floating]

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


def fit(margin: Floats, mine: npt.NDArray[np.bool_]) -> Calibration:
    """Maximum-likelihood scale and shift by Newton's method; the plain softmax where only one class is there."""
    if mine.all() or not mine.any():
        return Calibration()
    x = margin.astype(np.float64)
    y = mine.astype(np.float64)
    at = np.array([1.0, 0.0])
    start = at.copy()
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(at[0] * x + at[1], -40.0, 40.0)))
        w = p * (1.0 - p)
        slope = np.array([np.mean((p - y) * x), np.mean(p - y)]) + _RIDGE * (at - start)
        cross = np.mean(w * x)
        bend = np.array([[np.mean(w * x * x), cross], [cross, np.mean(w)]]) + _RIDGE * np.eye(2)
        step = np.linalg.solve(bend, slope)
        step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        at = at - step
        at[0] = max(at[0], 0.05)
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(scale=float(round(at[0], 6)), shift=float(round(at[1], 6)))
