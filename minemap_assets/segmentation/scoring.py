"""Scoring: networks against labelled chips. Imports torch: import it late."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from minemap_assets.segmentation.calibration import Calibration, fit, site_weights
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.prediction import margins
from minemap_assets.segmentation.scale import to_stored
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef

SAMPLE_PIXELS = 2_000_000
"""About how many pixels a calibration is fitted on at most."""


@dataclass(frozen=True, eq=False)
class ScoredChip:
    """A chip's margins float32 and labels uint8 (row, column)."""

    ref: ChipRef
    margin: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MarginSample:
    """Margins of labelled pixels of one site, and whether each is mine."""

    site_id: str
    margin: npt.NDArray[np.float32]
    mine: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scorer:
    """Runs chips of one product through networks whose margins are averaged."""

    networks: Sequence[MineNetwork]
    library: ChipLibrary
    normalisation: Normalisation
    reduction: int
    batch: int
    precision: torch.dtype

    def margins(self, chips: Iterable[npt.NDArray[np.uint16]]) -> Iterator[npt.NDArray[np.float32]]:
        """Margins (row, column) of chips (band, row, column), in order."""
        return margins(self.networks, chips, self.normalisation, self.reduction, self.batch, self.precision)

    def chips(self, refs: Sequence[ChipRef]) -> Iterator[ScoredChip]:
        """Margins and labels of chips, in order."""
        found = self.margins(self.library.read(r).pixels for r in refs)
        for ref, margin in zip(refs, found, strict=True):
            yield ScoredChip(ref, margin, self.library.read(ref).labels)

    def histogram(self, refs: Sequence[ChipRef], calibration: Calibration) -> Histogram:
        """Pixels by stored probability."""
        total = Histogram.empty()
        for chip in self.chips(refs):
            total = total + Histogram.of(to_stored(calibration.probability(chip.margin)), chip.labels)
        return total

    def sample(self, refs: Sequence[ChipRef], chips: int) -> Iterator[MarginSample]:
        """Every so many-th labelled pixel of each chip, so many that `chips` chips give at most `SAMPLE_PIXELS`."""
        for chip in self.chips(refs):
            step = max(1, -(-chip.labels.size * chips // SAMPLE_PIXELS))
            known = np.flatnonzero(chip.labels <= 1)[::step]
            mine = chip.labels.reshape(-1)[known] == 1
            yield MarginSample(chip.ref.site_id, chip.margin.reshape(-1)[known], mine)


def calibrated(samples: Iterable[MarginSample]) -> Calibration:
    """The calibration that fits samples of any number of sites; the plain softmax where there are none."""
    parts = list(samples)
    if not parts:
        return Calibration()
    numbers = {site: n for n, site in enumerate(dict.fromkeys(part.site_id for part in parts))}
    site = np.concatenate([np.full(len(part.mine), numbers[part.site_id], dtype=np.int64) for part in parts])
    mine = np.concatenate([part.mine for part in parts])
    return fit(np.concatenate([part.margin for part in parts]), mine, site_weights(site, mine))


def evenly(refs: Sequence[ChipRef], most: int) -> tuple[ChipRef, ...]:
    """At most so many of the chips, spread evenly over their order."""
    if len(refs) <= most:
        return tuple(refs)
    return tuple(refs[int(place)] for place in np.linspace(0, len(refs) - 1, most).round())
