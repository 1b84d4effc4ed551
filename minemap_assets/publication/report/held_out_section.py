"""The first section: what the model is worth on ground that it had not seen, and whether the figures may be cited."""

import numpy as np
import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.curve_charts import Curve, Score, held_out_chart, scores_chart
from minemap_assets.publication.report.document import (
    Block,
    Column,
    Figure,
    Prose,
    Section,
    Table,
    missing,
    records,
    warning,
)
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.standing import Release, Standing
from minemap_assets.segmentation.artefact import ModelCard
from minemap_assets.segmentation.metrics import ALL, BASELINE, FOLDS, MODEL_METHOD, REGION, SIZE
from minemap_assets.segmentation.scale import TOP
from minemap_assets.segmentation.verdict import POINT, Grade

SPLITS = {
    "test": "test ground, which neither trained nor chose the model",
    "validation": "validation ground, which chose the model and did not train it",
    FOLDS: "training ground, each part as models show it that had not seen it",
}
"""What a split is, in the order of what it proves."""

_SHORT = {FOLDS: "out of fold"}
"""What it is called in a table."""

_EXPLAINED = {
    "test": "`test` ground neither trained nor chose the model.",
    "validation": "`validation` ground chose the model and did not train it.",
    FOLDS: "`out of fold` is training ground, each part scored by models that had not seen it.",
}

CHOSEN_ON = {
    "test": "test ground",
    "validation": "held-out ground that chose the model and did not train it",
    "folds": "training ground, each part seen by models that had not been trained on it",
    "train": "the ground that the model was trained on",
}
"""What a model's thresholds were chosen on, by the word of its card."""

_LEARNT = "train"

_SCORES = (
    Column("iou", "IoU", say.score, say.NONE),
    Column("iou_interval", "95 % interval", say.score, say.NONE, ends=("iou_low", "iou_high")),
    Column("miou", "mIoU", say.score, say.NONE),
    Column("precision", "Precision", say.score, say.NONE),
    Column("recall", "Recall", say.score, say.NONE),
    Column("area_ratio", "Mapped / true area", say.ratio, say.NONE),
    Column("area_interval", "95 % interval", say.ratio, say.NONE, ends=("area_ratio_low", "area_ratio_high")),
)
_OF = (Column("split", "Held-out ground", numeric=False), Column("product", "Product", numeric=False))
_HOW = (Column("method", "Method", numeric=False), Column("threshold", "Threshold", say.probability, say.NONE))
_COUNTS = (Column("sites", "Sites", say.count), Column("places", "Places", say.count))


def held_out_section(material: Material) -> Section:
    """The verdict, the state of the review, and the scores behind them."""
    blocks: list[Block] = [*_standing(material.standing)]
    metrics = material.accuracy.metrics
    if metrics is None:
        blocks.append(
            missing(
                "There are no scores on held-out ground: no model was trained and evaluated here. `minemap run "
                "--select +model_evaluation` scores one, where outlines with the role `labels` are registered."
            )
        )
    elif not len(metrics):
        blocks.append(
            missing(
                "There are no scores on held-out ground: the model was trained here, and no labelled mine is apart "
                "from the ground that it was trained on. Outlines of more sites, with the role `labels`, let it be "
                "scored."
            )
        )
    else:
        blocks += _scores(metrics)
    blocks += _thresholds(material.card)
    return Section("accuracy", "How far to trust these maps", blocks)


def _standing(standing: Standing) -> list[Block]:
    worth = f"The model is {standing.grade}." if standing.grade in set(Grade) else f"{standing.grade.capitalize()}."
    if standing.grade == Grade.UNKNOWN:
        worth = "What the model is worth cannot be judged."
    told = f"{worth} {say.sentence(standing.sentence)}".strip()
    blocks: list[Block] = [Prose(told, "plain" if standing.grade == Grade.USABLE else "warning")]
    match standing.release:
        case Release.FREE:
            blocks.append(Prose("The figures were reviewed: nothing waits for a person."))
        case Release.WAITS:
            blocks.append(
                warning(
                    "Figures wait for a person: do not cite them yet. `minemap release review` shows what changed "
                    "beyond its bound, and `minemap release accept` accepts it."
                )
            )
        case _:
            blocks.append(
                missing("The figures have not been reviewed. `minemap run --select release_review` reviews them.")
            )
    return blocks


def _scores(metrics: pd.DataFrame) -> list[Block]:
    rows = _ordered(metrics)
    whole = rows[rows["stratum"] == ALL]
    at_point = rows[rows["operating_point"].isin([POINT, BASELINE])]
    present = set(rows["split"])
    grounds = " ".join(words for split, words in _EXPLAINED.items() if split in present)
    baseline = (
        "The best threshold on a single band or index, chosen on the same training ground, is the baseline that a "
        "model has to beat."
        if (rows["method"] != MODEL_METHOD).any()
        else "No baseline was scored on this ground."
    )
    blocks: list[Block] = [
        Prose(
            "Every score below is of ground that was kept from the model which is scored: whole places, so that no "
            f"window of a mine is on both sides. {grounds} {baseline} Intervals are 95 %, by bootstrap over places."
        ),
        Table(
            "held_out_scores",
            "Scores on held-out ground, by split and product, at every operating point",
            (*_OF, *_HOW, *_SCORES, *_COUNTS),
            _records(whole),
            heads=3,
            note="Scores are 0 to 1 over pixels, and explained under the words and measures of this report.",
            source="`segmentation/model_evaluation`",
        ),
    ]
    figure = _figure(at_point)
    if figure is not None:
        blocks.append(figure)
    for stratum, name, title in (
        (SIZE, "held_out_by_size", "by size of the mine"),
        (REGION, "held_out_by_region", "by region"),
    ):
        of = at_point[(at_point["stratum"] == stratum) & (at_point["method"] == MODEL_METHOD)]
        if len(of):
            group = Column("group", title.removeprefix("by ").capitalize(), numeric=False)
            extra = (Column("mines", "Mines", say.count), Column("found_share", "Found", say.share, say.NONE))
            caption = f"Scores of the model on held-out ground {title}, at the operating point `{POINT}`"
            columns = (*_OF, group, *_SCORES, *extra, Column("sites", "Sites", say.count))
            source = "`segmentation/model_evaluation`"
            blocks.append(Table(name, caption, columns, _records(of), heads=3, source=source))
    return blocks


def _ordered(metrics: pd.DataFrame) -> pd.DataFrame:
    ranks = {name: place for place, name in enumerate(SPLITS)}
    rank = metrics["split"].map(lambda name: ranks.get(name, len(ranks)))
    return metrics.assign(_rank=rank).sort_values(["_rank", "product"], kind="stable").drop(columns="_rank")


def _records(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Rows with the method in words."""
    point, rule = rows["operating_point"].astype(str), rows["rule"].fillna("").astype(str)
    model = rows["method"] == MODEL_METHOD
    method = np.where(model, "model, " + point, "baseline: " + rule)
    # the threshold of the baseline is one on a band, and stands in its rule
    threshold = rows["threshold"].where(model, np.nan)
    split = rows["split"].replace(_SHORT)
    return records(rows.assign(method=method, threshold=threshold, split=split))


def _figure(rows: pd.DataFrame) -> Figure | None:
    """IoU of model and baseline on all ground and by size, on the ground that proves most."""
    first = rows.iloc[0] if len(rows) else None
    if first is None:
        return None
    rows = rows[(rows["split"] == first["split"]) & rows["stratum"].isin([ALL, SIZE])]
    scores = [
        Score(
            f"{row['group'] or 'all ground'}, {row['product']}",
            "model" if row["method"] == MODEL_METHOD else "best threshold on a band",
            float(row["iou"]),
            say.as_number(row["iou_low"]),
            say.as_number(row["iou_high"]),
        )
        for row in records(rows)
        if not say.is_missing(row["iou"])
    ]
    if not scores:
        return None
    ground = SPLITS.get(str(first["split"]), str(first["split"]))
    best = [f"{s.name}: {say.score(s.value)} ({s.group})" for s in scores]
    of = "the model and of the baseline" if len({score.group for score in scores}) > 1 else "the model"
    return Figure(
        "held_out_iou",
        f"Intersection over union (IoU) of {of} on {ground}, with 95 % intervals where there are at least three "
        "places.",
        f"Dots with intervals of intersection over union. {'; '.join(best)}.",
        scores_chart(scores, "Intersection over union", ends=(0.0, 1.0)),
    )


def _thresholds(card: ModelCard | None) -> list[Block]:
    """Scores at any threshold of the pixels that the model's thresholds were chosen on, from its card."""
    if card is None:
        return [missing("No model is in use: nothing is mapped before `minemap promote` puts one in use.")]
    counted = {name: product.held_out.histogram for name, product in sorted(card.products.items()) if product.held_out}
    if not counted:
        return [
            missing(
                "The model's card holds no counts of the pixels that its thresholds were chosen on, so that there is "
                "no curve over thresholds: a model that is trained here has them."
            )
        ]
    curves = []
    for name, histogram in counted.items():
        at = [histogram.confusion(value) for value in range(1, TOP + 1)]
        rows = {"threshold": np.arange(1, TOP + 1) / TOP}
        rows |= {score: np.array([getattr(one, score) for one in at]) for score in ("iou", "precision", "recall")}
        curves.append(Curve(name, pd.DataFrame(rows)))
    points = {name: {p: [at] for p, at in card.products[name].operating_points.items()} for name in counted}
    told = "; ".join(
        f"{name}: {', '.join(f'{point} {say.probability(at[0])}' for point, at in sorted(points[name].items()))}"
        for name in counted
    )
    grounds = sorted({card.products[name].chosen_on for name in counted})
    ground = " and ".join(CHOSEN_ON.get(one, one) for one in grounds)
    blocks: list[Block] = []
    if _LEARNT in grounds:
        blocks.append(
            warning(
                "The curves below are of pixels that the model was trained on: they show how its thresholds were "
                "chosen, and are no measure of its accuracy."
            )
        )
    figure = Figure(
        "held_out_thresholds",
        "IoU, precision and recall at every threshold, by product, of the pixels that the operating points were chosen "
        f"on: {ground}. Vertical lines are the operating points: {told}.",
        f"Curves of three scores against the threshold. Operating points: {told}.",
        held_out_chart(curves[:3], points),
    )
    return [*blocks, figure]
