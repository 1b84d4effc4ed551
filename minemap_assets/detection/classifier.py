"""The patch classifier of a project: published weights that were imported, or one trained on sampling points."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minemap_assets.detection.artefact import CLASSIFIER, ClassifierCard, open_classifier, write_card
from minemap_assets.detection.config import DetectionConfig
from minemap_assets.detection.judging import Judgement, band_baseline, judged
from minemap_assets.detection.learning.labelled_chips import LabelledChips
from minemap_assets.detection.learning.patch_learner import margins
from minemap_assets.detection.learning.patch_recipe import PatchRecipe
from minemap_assets.detection.learning.training import train
from minemap_assets.detection.networks.files import save_networks
from minemap_assets.detection.networks.keras_files import read_keras
from minemap_assets.detection.networks.patch_networks import PatchClassifier
from minemap_assets.detection.point_chips import PointChips
from minemap_assets.detection.published import WeightsFacts
from minemap_assets.imagery.products import product
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.learning.checkpoints import Checkpoints

UNJUDGED = "cannot be judged: no sampling points are registered to score it on"

OWN_LICENCE = "that of the labels and the imagery"

_LITE0 = "; its encoder started from EfficientNet-Lite0 (Apache-2.0)"


def build_imported(weights: bytes, facts: WeightsFacts, points: PointChips | None, writer: PartitionWriter) -> Outcome:
    """Write the folder `classifier` from imported weights, judged on points where there are some."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "weights.h5"
        path.write_bytes(weights)
        networks = read_keras(path)
    found = None if points is None else _of_imported(networks, points.chips)
    card = ClassifierCard(
        product=facts.product,
        bands=facts.bands,
        members=_names(networks),
        verdict=UNJUDGED if found is None else found.verdict,
        thresholds=None if found is None else found.thresholds,
        metrics={} if found is None else found.metrics,
        origin=f"imported from {facts.origin}",
        licence=facts.licence,
        attribution=facts.attribution,
        inputs={"weights": facts.sha256},
    )
    return _published(networks, card, points, writer)


def build_trained(
    points: PointChips,
    inputs: Mapping[str, str],
    config: DetectionConfig,
    writer: PartitionWriter,
    *,
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Train on points, and write the folder `classifier`; `inputs` are hashes of what is learnt from.

    Calibration, thresholds and verdict come from each point as the member scores it that has not seen its place. A run
    that was killed goes on from its last checkpoint, and `tell` hears so. Raises `BadInputError` where a class, or a
    second place with mines, is missing.
    """
    import torch

    chips = points.chips
    recipe = PatchRecipe(
        members=config.members,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        levels=config.levels,
        enlarge=config.enlarge,
        warmup=min(30, config.steps // 10),
        initial=bool(config.initial_weights),
    )
    checkpoints = Checkpoints(writer, config.checkpoint_minutes, about={"torch": str(torch.__version__)}, tell=tell)
    trained = train(chips, recipe, config.seed, config.threads, checkpoints, progress)
    calibration = trained.calibration(chips.mine)
    scores = calibration.probability(trained.margins).astype(np.float64)
    found = judged(scores, chips.mine, chips.places, band_baseline(_means(chips), chips.mine))
    card = ClassifierCard(
        product=chips.product,
        bands=chips.bands,
        members=_names(trained.networks),
        calibration=calibration,
        thresholds=found.thresholds,
        verdict=found.verdict,
        origin=f"trained on {len(chips)} sampling points{_LITE0 if recipe.initial else ''}",
        licence=OWN_LICENCE,
        metrics=found.metrics,
        inputs=dict(inputs),
        settings=config.training_settings(),
    )
    outcome = _published(trained.networks, card, points, writer)
    checkpoints.drop()
    return outcome


def _names(networks: Sequence[PatchClassifier]) -> tuple[str, ...]:
    return tuple(f"member {number + 1}" for number in range(len(networks)))


def _of_imported(networks: Sequence[PatchClassifier], chips: LabelledChips) -> Judgement:
    """Scores of the ensemble on points, which somebody else's training may have seen."""
    side = networks[0].shape.pixels
    kind = product(chips.product)
    members = [Calibration().probability(margins(network, chips, kind, side)) for network in networks]
    scores: npt.NDArray[np.float64] = np.stack(members).mean(axis=0, dtype=np.float64)
    baseline = band_baseline(_means(chips), chips.mine)
    return judged(scores, chips.mine, chips.places, baseline, unseen="of this project, as far as is known unseen")


def _means(chips: LabelledChips) -> npt.NDArray[np.float64]:
    """Mean (point, band) of what was observed of each chip."""
    physical = product(chips.product).encoding.physical(chips.pixels)
    means: npt.NDArray[np.float64] = np.nan_to_num(np.nanmean(physical, axis=(2, 3), dtype=np.float64))
    return means


def _published(
    networks: Sequence[PatchClassifier], card: ClassifierCard, points: PointChips | None, writer: PartitionWriter
) -> Outcome:
    folder = writer.path(CLASSIFIER)
    folder.mkdir(parents=True, exist_ok=True)
    save_networks(networks, folder)
    write_card(card, folder)
    version = open_classifier(folder).version
    writer.add(CLASSIFIER)
    return Outcome(
        {
            "verdict": card.verdict,
            "version": version,
            "origin": card.origin,
            "licence": card.licence,
            "attribution": card.attribution,
            "product": card.product,
            "bands": list(card.bands),
            "members": len(networks),
            "patch_pixels": networks[0].shape.pixels,
            "points": 0 if points is None else len(points.chips),
            "points_in_mines": 0 if points is None else int(points.chips.mine.sum()),
            "points_not_observed": 0 if points is None else points.unseen,
            "thresholds": None if card.thresholds is None else card.thresholds.model_dump(),
            "metrics": card.metrics,
        }
    )
