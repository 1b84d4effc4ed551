"""Scoring: a network against labelled chips. Imports torch: import it late."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.network import MineSegformer
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.prediction import margins
from minemap_assets.segmentation.scale import to_stored
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef

SAMPLE_PIXELS = 2_000_000
"""Most pixels that a calibration is fitted on."""


@dataclass(frozen=True, eq=False)
class ScoredChip:
    """A chip's margins float32 and labels uint8 (row, column)."""

    ref: ChipRef
    margin: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MarginSample:
    """Margins of labelled pixels, and whether each is mine."""

    margin: npt.NDArray[np.float32]
    mine: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scorer:
    """Runs chips of one product through a network."""

    network: MineSegformer
    library: ChipLibrary
    normalisation: Normalisation
    batch: int

    def chips(self, refs: Sequence[ChipRef]) -> Iterator[ScoredChip]:
        """Margins and labels of chips, in order."""
        found = margins(self.network, (self.library.read(r).pixels for r in refs), self.normalisation, self.batch)
        for ref, margin in zip(refs, found, strict=True):
            yield ScoredChip(ref, margin, self.library.read(ref).labels)

    def histogram(self, refs: Sequence[ChipRef], calibration: Calibration) -> Histogram:
        """Pixels by stored probability."""
        total = Histogram.empty()
        for chip in self.chips(refs):
            total = total + Histogram.of(to_stored(calibration.probability(chip.margin)), chip.labels)
        return total

    def sample(self, refs: Sequence[ChipRef]) -> MarginSample:
        """Every so many-th labelled pixel, at most `SAMPLE_PIXELS`."""
        margin: list[npt.NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)]
        mine: list[npt.NDArray[np.bool_]] = [np.zeros(0, dtype=np.bool_)]
        for chip in self.chips(refs):
            step = max(1, -(-chip.labels.size * len(refs) // SAMPLE_PIXELS))
            known = np.flatnonzero(chip.labels <= 1)[::step]
            margin.append(chip.margin.reshape(-1)[known])
            mine.append(chip.labels.reshape(-1)[known] == 1)
        return MarginSample(np.concatenate(margin), np.concatenate(mine))


def evenly(refs: Sequence[ChipRef], most: int) -> tuple[ChipRef, ...]:
    """At most so many of the chips, spread evenly over their order."""
    if len(refs) <= most:
        return tuple(refs)
    return tuple(refs[int(place)] for place in np.linspace(0, len(refs) - 1, most).round())
