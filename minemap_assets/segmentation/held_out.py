"""Held-out ground: what members say of chips that they have not seen, and what follows for calibration and thresholds.

Imports torch: import it late.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.devices import choose_device, choose_precision
from minemap_assets.segmentation.learning.folds import Member
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.normalisation import Normalisation
from minemap_assets.segmentation.operating_points import operating_points
from minemap_assets.segmentation.scale import TOP, stored_threshold
from minemap_assets.segmentation.scoring import Scorer, calibrated, evenly
from minemap_assets.segmentation.site_scoring import site_pictures
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef


@dataclass(frozen=True)
class ProductChoice:
    """Of one product: its calibration, the pixels of held-out ground by stored probability, and what follows from them:
    thresholds by name, and the scores at each.
    """

    calibration: Calibration
    counts: Histogram
    operating_points: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]

    @property
    def has_mine(self) -> bool:
        """True where a mine was labelled on that ground."""
        return self.counts.has_mine


@dataclass(frozen=True)
class HeldOut:
    """The ground that each member is asked about; `chips` are the sets that references count."""

    members: tuple[Member, ...]
    chips: Sequence[ChipSet]
    library: ChipLibrary
    normalisation: Mapping[str, Normalisation]
    reduction: int
    config: SegmentationConfig

    def judge(self, network: MineNetwork) -> float:
        """The highest IoU that any threshold gives on a few held-out chips, mean over products: no calibration and no
        threshold decides which weights are kept.
        """
        each = max(1, self.config.validation_chips // len(self.normalisation))
        scores = []
        for product in self.normalisation:
            refs = evenly(self._unseen(self.members[0], product), each)
            histogram = self._scorer(network, product).histogram(refs, Calibration())
            scores.append(highest_iou(histogram))
        return sum(scores) / len(scores)

    def of(self, networks: Sequence[MineNetwork], product: str) -> ProductChoice:
        """Calibration and thresholds from what each member says of its own unseen ground, all sites of the product."""
        unseen = [self._unseen(member, product) for member in self.members]
        scorers = [self._scorer(network, product) for network in networks]
        total = sum(len(refs) for refs in unseen)
        samples = (s.sample(refs, total) for s, refs in zip(scorers, unseen, strict=True))
        calibration = calibrated(chain.from_iterable(samples))
        histogram = Histogram.empty()
        for scorer, refs in zip(scorers, unseen, strict=True):
            histogram = histogram + self._blended(scorer, refs, calibration)
        points = operating_points(histogram) if histogram.has_mine else {"match_area": 0.5, "max_miou": 0.5}
        scores = {name: histogram.confusion(stored_threshold(at)).scores() for name, at in points.items()}
        return ProductChoice(calibration, histogram, points, scores)

    def _blended(self, scorer: Scorer, refs: Sequence[ChipRef], calibration: Calibration) -> Histogram:
        """Pixels of whole sites by stored probability, each piece of ground once."""

        def probabilities(chips: Iterable[npt.NDArray[np.uint16]]) -> Iterator[npt.NDArray[np.float32]]:
            for margin in scorer.margins(chips):
                yield calibration.probability(margin)

        total = Histogram.empty()
        for picture in site_pictures(self.chips, refs, probabilities):
            total = total + Histogram.of(picture.stored[picture.counted], picture.labels[picture.counted])
        return total

    def _unseen(self, member: Member, product: str) -> tuple[ChipRef, ...]:
        return tuple(ref for ref in member.unseen if ref.product == product)

    def _scorer(self, network: MineNetwork, product: str) -> Scorer:
        device = choose_device(self.config.device)
        return Scorer(
            [network],
            self.library,
            self.normalisation[product],
            self.reduction,
            self.config.batch_predict,
            choose_precision(self.config.precision, device),
        )


def highest_iou(histogram: Histogram) -> float:
    """The highest IoU of the mine class that any threshold gives; 0 where no mine is labelled."""
    if not histogram.has_mine:
        return 0.0
    return max(histogram.confusion(value).iou for value in range(1, TOP + 1))
