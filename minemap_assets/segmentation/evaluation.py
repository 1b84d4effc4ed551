"""Evaluation: how good the model is on ground it was not trained on, and how good a mere threshold would be."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.split import Split
from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.artefact import Model, load_model
from minemap_assets.segmentation.baseline import Rule, best_rule
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.metrics import ALL_GROUPS, BASELINE, METRICS, MODEL_METHOD, Confusion, Histogram
from minemap_assets.segmentation.scale import stored_threshold
from minemap_assets.segmentation.training_set import ChipLibrary, ChipRef, TrainingSet, assemble
from minemap_assets.segmentation.verdict import judge

HELD_OUT: tuple[Split, Split] = ("test", "validation")


@dataclass(frozen=True)
class Row:
    """What one score is of: `group` is empty for all ground of the split; `method` is model or baseline."""

    method: str
    split: str
    product: str
    group: str
    operating_point: str
    threshold: float
    rule: str
    chips: int


def evaluate_model(
    model_partition: Partition, chips: Sequence[ChipSet], config: SegmentationConfig, writer: PartitionWriter
) -> Outcome:
    """Write `metrics.parquet`: test and validation, by product and by split group, at every operating point.

    Baseline rows carry the best threshold of a single band or index, chosen on the training chips of the product.
    Raises `BadInputError` where model and chips do not fit each other.
    """
    from minemap_assets.segmentation.learning import reproducible

    model = load_model(model_partition)
    training_set = assemble(chips)
    library = ChipLibrary(chips, config.chip_cache_megabytes)
    rows: list[dict[str, Any]] = []
    with reproducible(config.seed, config.threads):
        for product in training_set.products:
            rule = best_rule((library.read(r) for r in training_set.of("train", product)), training_set.bands)
            for split in HELD_OUT:
                refs = training_set.of(split, product)
                rows += _model_rows(model, refs, library, config)
                rows += _baseline_rows(rule, refs, library)
    frame = _frame(rows)
    writer.write(METRICS, lambda path: write_parquet(frame, path))
    verdict = judge(frame, model.version)
    return Outcome({"verdict": f"{verdict.grade}: {verdict.sentence}"} | _summary(rows, model, training_set))


def _model_rows(
    model: Model, refs: Sequence[ChipRef], library: ChipLibrary, config: SegmentationConfig
) -> list[dict[str, Any]]:
    from minemap_assets.segmentation.prediction import Predictor
    from minemap_assets.segmentation.scoring import Scorer

    if not refs:
        return []
    card = model.product(refs[0].product)
    scorer = Scorer(Predictor(model, config).network, library, card.normalisation, config.batch_predict)
    by_group: dict[str, Histogram] = {}
    for group, members in _groups(refs).items():
        by_group[group] = scorer.histogram(members, card.calibration)
    whole = sum(by_group.values(), Histogram.empty())
    rows = []
    for name, threshold in sorted(card.operating_points.items()):
        lowest = stored_threshold(threshold)
        for group, histogram in [(ALL_GROUPS, whole), *by_group.items()]:
            rows.append(_row(_about(refs, group, name, threshold), histogram.confusion(lowest)))
    return rows


def _baseline_rows(rule: Rule, refs: Sequence[ChipRef], library: ChipLibrary) -> list[dict[str, Any]]:
    if not refs:
        return []
    by_group = {g: rule.histogram(library.read(r) for r in members) for g, members in _groups(refs).items()}
    whole = sum(by_group.values(), Histogram.empty(2))
    return [
        _row(_about(refs, group, BASELINE, rule.feature.value(rule.edge), rule.text), histogram.confusion(1))
        for group, histogram in [(ALL_GROUPS, whole), *by_group.items()]
    ]


def _groups(refs: Sequence[ChipRef]) -> dict[str, list[ChipRef]]:
    groups: dict[str, list[ChipRef]] = defaultdict(list)
    for ref in refs:
        groups[ref.group].append(ref)
    return dict(sorted(groups.items()))


def _about(refs: Sequence[ChipRef], group: str, point: str, threshold: float, rule: str = "") -> Row:
    count = sum(1 for r in refs if group in (ALL_GROUPS, r.group))
    method = BASELINE if rule else MODEL_METHOD
    return Row(method, refs[0].split, refs[0].product, group, point, threshold, rule, count)


def _row(about: Row, counts: Confusion) -> dict[str, Any]:
    return {**asdict(about), "pixels": counts.pixels, **counts.scores()}


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    empty = Row("", "", "", "", "", 0.0, "", 0)
    columns = list(_row(empty, Confusion(0, 0, 0, 0)))
    return pd.DataFrame(rows, columns=columns)


def _summary(rows: list[dict[str, Any]], model: Model, training_set: TrainingSet) -> dict[str, Any]:
    headline = {
        f"{r['product']} {r['split']} {r['operating_point']}": {
            "iou": _plain(r["iou"]),
            "miou": _plain(r["miou"]),
            "area_ratio": _plain(r["area_ratio"]),
        }
        for r in rows
        if r["group"] == ALL_GROUPS
    }
    return {"model_version": model.version, "rows": len(rows), "scores": headline, "notes": list(training_set.notes)}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
