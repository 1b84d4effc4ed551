"""Who is asked about which ground, so that nobody is asked about what it was trained on. Imports torch: import it
late.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.segmentation.artefact import Model
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.devices import choose_device, choose_precision
from minemap_assets.segmentation.evaluation.question import Question
from minemap_assets.segmentation.learning.folds import members
from minemap_assets.segmentation.metrics import FOLDS
from minemap_assets.segmentation.networks.files import load_networks
from minemap_assets.segmentation.networks.interface import MineNetwork
from minemap_assets.segmentation.prediction import Predictor
from minemap_assets.segmentation.scoring import Scorer
from minemap_assets.segmentation.site_scoring import ProbabilityOf
from minemap_assets.segmentation.training_set import ChipLibrary, TrainingSet

Pixels = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]


class Asker:
    """A model and the ground that there is to ask it about."""

    def __init__(
        self, model: Model, config: SegmentationConfig, chips: Sequence[ChipSet], training_set: TrainingSet
    ) -> None:
        self._model = model
        self._config = config
        self._chips = chips
        self._training_set = training_set
        self._predictor = Predictor(model, config)

    def questions(self, product: str) -> Iterator[Question]:
        """Test ground first; then validation ground, or each fold of the training ground. Empty ones are left out."""
        asked = [Question("test", self._training_set.of("test", product), self._whole(product))]
        chosen_on = self._model.product(product).chosen_on
        if chosen_on == "validation":
            asked.append(Question("validation", self._training_set.of("validation", product), self._whole(product)))
        if chosen_on == FOLDS:
            asked += self._folds(product)
        return (question for question in asked if question.refs)

    def _whole(self, product: str) -> ProbabilityOf:
        bands = self._training_set.bands
        return lambda chips: self._predictor.probabilities(product, bands, chips)

    def _folds(self, product: str) -> Iterator[Question]:
        """Each member about the fold that it was trained without; nothing where the folds cannot be told any more."""
        taught = (*self._training_set.of("train"), *self._training_set.of("validation"))
        dealt = members(taught, int(self._model.card.recipe.get("folds", 1)))
        networks = load_networks(self._model.folder, len(self._model.card.bands))
        if len(dealt) == len(networks):
            for member, network in zip(dealt, networks, strict=True):
                refs = tuple(ref for ref in member.unseen if ref.product == product)
                yield Question(FOLDS, refs, self._one(network, product))

    def _one(self, network: MineNetwork, product: str) -> ProbabilityOf:
        about, device = self._model.product(product), choose_device(self._config.device)
        scorer = Scorer(
            [network.to(device)],
            ChipLibrary(self._chips, 0),
            about.normalisation,
            self._model.card.reduction,
            self._config.batch_predict,
            choose_precision(self._config.precision, device),
        )

        def probabilities(chips: Iterable[Pixels]) -> Iterator[Floats]:
            return (about.calibration.probability(margin) for margin in scorer.margins(chips))

        return probabilities
