"""Evaluation: how good the model is on ground it was not trained on, and how good a mere threshold would be."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.split import Split
from minemap_assets.geo.pictures import sentence_picture
from minemap_assets.geo.vector import write_parquet
from minemap_assets.imagery.products import product as known_product
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress
from minemap_assets.segmentation.artefact import Model, ProductCard, load_model
from minemap_assets.segmentation.baseline import best_rule
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.evaluation.drawing import PICTURE
from minemap_assets.segmentation.evaluation.product_scores import Ground, ProductScores
from minemap_assets.segmentation.evaluation.site_scores import SiteScore
from minemap_assets.segmentation.evaluation.table import Method, metric_frame, reliability_frame, site_frame
from minemap_assets.segmentation.metrics import ALL, METRICS, MODEL_METHOD, SITE_SCORES
from minemap_assets.segmentation.site_scoring import labelled_cells
from minemap_assets.segmentation.training_set import ChipLibrary, LabelledChip, TrainingSet, assemble
from minemap_assets.segmentation.verdict import judge

RELIABILITY = "reliability.parquet"

BASELINE_CHIPS = 1000
"""Chips that the threshold is chosen on at most: its few numbers change no more with further ones."""

PUBLISHED = (
    "on its own ground and imagery, which are not these: SegFormer-B5 test mIoU 65.49 % at 0.625 and 63.85 % at 0.55, "
    "U-Net 56.69 %"
)
"""What the published maps scored, for comparison."""

NOTHING_HELD_OUT = "No mine was held out: there is nothing to show."

HEADLINE = ("iou", "iou_low", "iou_high", "miou", "area_ratio", "boundary_f1", "calibration_error")
"""Scores of all ground that the summary tells."""


def evaluate_model(
    model_partition: Partition,
    chips: Sequence[ChipSet],
    config: SegmentationConfig,
    writer: PartitionWriter,
    *,
    regions: Sequence[str] = (),
    progress: Progress = no_progress,
) -> Outcome:
    """Write `metrics.parquet`, `site_scores.parquet`, `reliability.parquet` and a picture, from whole sites.

    Scores are of test ground, of validation ground where no model was trained on it, and, as `folds`, of training
    ground as those models of an ensemble show it that had not seen it. Baseline rows carry the best threshold of a
    single band or index, chosen on training chips of the product. `regions` names the region of each chip set. Raises
    `BadInputError` where model and chips do not fit each other.
    """
    from minemap_assets.segmentation.evaluation.asker import Asker
    from minemap_assets.segmentation.learning.ensemble import reproducible

    model = load_model(model_partition)
    training_set = assemble(chips)
    rows: list[dict[str, Any]] = []
    scored: list[SiteScore] = []
    shown = sentence_picture(NOTHING_HELD_OUT)
    with reproducible(config.seed, config.threads):
        asker = Asker(model, config, chips, training_set)
        for done, product in enumerate(training_set.products):
            progress(done, len(training_set.products), "evaluating product", product)
            ground = Ground(chips, labelled_cells(chips, product), regions)
            card = model.product(product)
            taught = _taught(training_set, card, product, chips)
            rule = best_rule(taught, training_set.bands, known_product(product).encoding)
            found = ProductScores(ground, rule, Method(MODEL_METHOD, card.operating_points), config.seed)
            questions = list(asker.questions(product))
            for split in dict.fromkeys(q.split for q in questions):
                found.ask([q for q in questions if q.split == split])
            rows += found.rows
            scored += found.scored
            if not done:
                shown = found.picture(questions) or shown
    frame = metric_frame(rows)
    writer.write(METRICS, lambda path: write_parquet(frame, path))
    writer.write(SITE_SCORES, lambda path: write_parquet(site_frame(scored), path))
    writer.write(RELIABILITY, lambda path: write_parquet(reliability_frame(scored), path))
    writer.write(PICTURE, lambda path: path.write_bytes(shown))
    verdict = judge(frame, model.version)
    return Outcome({"verdict": f"{verdict.grade}: {verdict.sentence}"} | _summary(rows, model, training_set))


def _taught(
    training_set: TrainingSet, card: ProductCard, product: str, chips: Sequence[ChipSet]
) -> Iterator[LabelledChip]:
    """Chips that the model was trained on, spread evenly over their order."""
    splits: tuple[Split, ...] = ("train",) if card.chosen_on == "validation" else ("train", "validation")
    refs = [ref for split in splits for ref in training_set.of(split, product)]
    library = ChipLibrary(chips, 0)
    return (library.read(ref) for ref in refs[:: max(1, -(-len(refs) // BASELINE_CHIPS))])


def _summary(rows: list[dict[str, Any]], model: Model, training_set: TrainingSet) -> dict[str, Any]:
    headline = {
        f"{r['product']} {r['split']} {r['operating_point']}": {name: _plain(r[name]) for name in HEADLINE}
        for r in rows
        if r["stratum"] == ALL
    }
    return {
        "model_version": model.version,
        "rows": len(rows),
        "scores": headline,
        "published": PUBLISHED,
        "notes": list(training_set.notes),
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
