"""The trained model: from labelled chips to a model folder with weights, calibration and operating points."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.artefact import LOG, MODEL, ModelCard, ProductCard, content_version, write_card
from minemap_assets.segmentation.calibration import fit
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.metrics import Confusion
from minemap_assets.segmentation.normalisation import Normalisation, measure
from minemap_assets.segmentation.operating_points import operating_points
from minemap_assets.segmentation.scale import stored_threshold
from minemap_assets.segmentation.training_set import ChipLibrary, TrainingSet, assemble

if TYPE_CHECKING:
    from minemap_assets.segmentation.learning import Trained
    from minemap_assets.segmentation.network import MineSegformer


def train_model(
    chips: Sequence[ChipSet],
    config: SegmentationConfig,
    writer: PartitionWriter,
    inputs: Mapping[str, str],
    *,
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train on the labelled chips of any number of regions and products, and write the folder `model`.

    A run that was killed goes on from its last checkpoint, which lies beside the model until that is whole; `tell`
    hears so in a sentence, and `clock` counts the seconds between checkpoints.
    `inputs` are hashes of what is trained on, kept in the model card. Raises `BadInputError` where no chip holds a
    labelled mine pixel, or the chip sets do not fit together. Where a side of the split lacks mines, its part is taken
    by training chips and the card's notes say so.
    """
    import torch

    from minemap_assets.segmentation.checkpoints import Checkpoints
    from minemap_assets.segmentation.learning import reproducible, train
    from minemap_assets.segmentation.network import save_network
    from minemap_assets.segmentation.prediction import choose_device

    training_set = assemble(chips)
    library = ChipLibrary(chips, config.chip_cache_megabytes)
    computer = {"torch": str(torch.__version__), "device": choose_device(config.device).type}
    checkpoints = Checkpoints(writer, config.checkpoint_minutes, about=computer, clock=clock, tell=tell)
    folder = writer.path(MODEL)
    folder.mkdir(parents=True, exist_ok=True)
    with reproducible(config.seed, config.threads):
        normalisation = {p: _measure(training_set, library, p, config) for p in training_set.products}
        trained = train(training_set, library, normalisation, config, progress, checkpoints)
        products: dict[str, ProductCard] = {}
        for done, p in enumerate(training_set.products):
            progress(done, len(training_set.products), "calibrating product", p)
            products[p] = _product_card(trained.network, training_set, p, library, normalisation[p], config)
    card = ModelCard(
        bands=training_set.bands,
        products=products,
        best_step=trained.best_step,
        validation_miou=round(trained.validation_miou, 6),
        inputs=dict(sorted(inputs.items())),
        settings=config.training_settings(),
        notes=training_set.notes,
    )
    save_network(trained.network, folder)
    write_card(card, folder)
    _write_log(trained, folder / LOG)
    version = content_version(folder)
    writer.add(MODEL)
    checkpoints.drop()
    return Outcome(_summary(card, training_set, version))


def _measure(
    training_set: TrainingSet, library: ChipLibrary, product: str, config: SegmentationConfig
) -> Normalisation:
    from minemap_assets.segmentation.scoring import evenly

    refs = training_set.of("train", product) or training_set.held_out(product) or training_set.of("test", product)
    chosen = evenly(refs, config.normalisation_chips)
    return measure((library.read(r).pixels for r in chosen), len(training_set.bands))


def _product_card(
    network: "MineSegformer",
    training_set: TrainingSet,
    product: str,
    library: ChipLibrary,
    normalisation: Normalisation,
    config: SegmentationConfig,
) -> ProductCard:
    from minemap_assets.segmentation.scoring import Scorer, evenly

    scorer = Scorer(network, library, normalisation, config.batch_predict)
    refs = evenly(training_set.held_out(product), config.calibration_chips)
    trained_on = [r for r in evenly(training_set.of("train", product), config.calibration_chips) if r not in refs]
    sample = scorer.sample(refs)
    calibration = fit(sample.margin, sample.mine)
    histogram = scorer.histogram(refs, calibration)
    reference = histogram + scorer.histogram(trained_on, calibration)
    points = operating_points(histogram, reference) if histogram.has_mine else {"match_area": 0.5, "max_miou": 0.5}
    return ProductCard(
        normalisation=normalisation,
        calibration=calibration,
        operating_points=points,
        chosen_on=refs[0].split if refs else "nothing",
        metrics={name: _scores(histogram.confusion(stored_threshold(at))) for name, at in points.items()},
    )


def _scores(counts: Confusion) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in counts.scores().items()}


def _write_log(trained: "Trained", path: Path) -> None:
    rows = [
        {
            "step": row.step,
            "loss": row.loss,
            "learning_rate": row.learning_rate,
            "validation_iou": row.validation_iou,
            "validation_miou": row.validation_miou,
        }
        for row in trained.log
    ]
    write_parquet(pd.DataFrame(rows), path)


def _summary(card: ModelCard, training_set: TrainingSet, version: str) -> dict[str, object]:
    return {
        "version": version,
        "steps": card.settings["steps"],
        "best_step": card.best_step,
        "validation_miou": card.validation_miou,
        "train_chips": len(training_set.of("train")),
        "validation_chips": len(training_set.of("validation")),
        "test_chips": len(training_set.of("test")),
        "products": {name: dict(about.operating_points) for name, about in card.products.items()},
        "notes": list(card.notes),
    }
