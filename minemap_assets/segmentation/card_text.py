"""The model card as Markdown: what a model is, what it was made from, how far to trust it, what it may be used for."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minemap_assets.segmentation.artefact import Model, ModelCard, ProductCard
from minemap_assets.segmentation.metrics import ALL, ALL_GROUPS
from minemap_assets.segmentation.promotion import Promotion
from minemap_assets.segmentation.verdict import Verdict
from minemap_assets.sites.config import RESOLUTION

if TYPE_CHECKING:
    import pandas as pd

CARD_TEXT = "MODEL_CARD.md"
"""File name of the card beside a model that was exported."""

_SCORES = {"iou": "IoU", "miou": "mIoU", "precision": "precision", "recall": "recall", "area_ratio": "area ratio"}
_NO_LICENCE = "Nothing is recorded of what its weights may be used for."
_USE = (
    "It outlines surface mines in yearly satellite composites at 5 m a pixel, of the products below. It has not been "
    "shown to work on other imagery, at other resolutions, or for single mines in single years."
)


@dataclass(frozen=True)
class Standing:
    """What a project knows of a model besides its card: the verdict on it, the decisions that put it in use, the scores
    of its evaluation (`metrics.parquet`), and where it came from when it was not trained here.
    """

    verdict: Verdict
    decisions: Sequence[Promotion] = ()
    scores: "pd.DataFrame | None" = None
    source: str = ""
    in_use: bool = field(default=False)


def version_line(version: str) -> str:
    """The line of the card that says which model it is about."""
    return f"Version: `{version}`"


def card_text(model: Model, standing: Standing) -> str:
    """The card of a model, as Markdown that ends with a line break."""
    card = model.card
    parts = [
        [f"# Model {model.version[:12]}", version_line(model.version), *_summary(card, standing)],
        ["## Use", _USE],
        ["## Verdict", *_verdict(standing)],
        ["## Scores", *_scores(card, standing.scores)],
        ["## Products", *_products(card)],
        ["## Recipe", *_recipe(card)],
        ["## Data", *_data(card)],
        ["## Licence of the weights", card.licence or _NO_LICENCE],
        ["## Limits and notes", *_notes(card)],
    ]
    return "\n\n".join(block for part in parts for block in part) + "\n"


def _summary(card: ModelCard, standing: Standing) -> Iterator[str]:
    where = f"{card.origin}; it came here from `{standing.source}`" if standing.source else card.origin
    yield _list(
        [
            f"Origin: {where}.",
            f"Bands: {', '.join(card.bands)}.",
            f"Network: {_network(card)}.",
            f"Working resolution: {RESOLUTION * card.reduction:g} m.",
            f"In use: {'yes' if standing.in_use else 'no'}.",
        ]
    )


def _network(card: ModelCard) -> str:
    shape = card.recipe.get("network", {})
    if not isinstance(shape, Mapping) or "architecture" not in shape:
        return "see `config.json`"
    named = {"unet": "U-Net", "segformer": "SegFormer"}
    rest = ", ".join(f"{name} {_plain(value)}" for name, value in shape.items() if name != "architecture")
    return f"{named.get(str(shape['architecture']), shape['architecture'])} ({rest})"


def _verdict(standing: Standing) -> Iterator[str]:
    yield f"**{standing.verdict.grade}**: {standing.verdict.sentence}."
    if standing.decisions:
        yield _list(
            f"Put in use on {one.at} by {one.by}, with the verdict {one.verdict}{f' ({one.note})' if one.note else ''}."
            for one in standing.decisions
        )


def _scores(card: ModelCard, frame: "pd.DataFrame | None") -> Iterator[str]:
    rows = list(_score_rows(frame)) if frame is not None else []
    if rows:
        yield (
            "On ground that was not trained on (`folds`: each part scored by the models that were trained without it), "
            "with 95 % intervals over places where there are any:"
        )
        yield _table(["ground", "product", "whose", "threshold", *_SCORES.values()], rows)
    chosen = [
        [name, product.chosen_on, f"{point} ({product.operating_points.get(point, math.nan):.3f})", *_row(scores)]
        for name, product in sorted(card.products.items())
        for point, scores in sorted(product.metrics.items())
    ]
    if chosen:
        yield "Where calibration and thresholds were chosen, which says less:"
        yield _table(["product", "chosen on", "operating point", *_SCORES.values()], chosen)
    if not rows and not chosen:
        yield "It has no scores."


def _score_rows(frame: "pd.DataFrame") -> Iterator[list[str]]:
    whole = frame[(frame["stratum"] == ALL) & (frame["group"] == ALL_GROUPS)]
    for row in whole.to_dict("records"):
        cells = [_interval({str(k): v for k, v in row.items()}, name) for name in _SCORES]
        yield [str(row["split"]), str(row["product"]), str(row["method"]), str(row["operating_point"]), *cells]


def _row(scores: Mapping[str, float | None]) -> list[str]:
    return [_interval(scores, name) for name in _SCORES]


def _interval(scores: Mapping[str, Any], name: str) -> str:
    value, low, high = (_number(scores.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return ""
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(float(value)) else float(value)


def _products(card: ModelCard) -> Iterator[str]:
    for name, product in sorted(card.products.items()):
        yield f"### {name}"
        yield _table(["band", "mean", "spread"], _moments(card, product))
        points = ", ".join(f"{point} {value:.4f}" for point, value in sorted(product.operating_points.items()))
        yield _list(
            [
                "Mean and spread are those of stored numbers (reflectance x 10,000).",
                f"Calibration: P(mine) = logistic({_line(product)}), chosen on: {product.chosen_on}.",
                f"Operating points: {points}.",
            ]
        )


def _line(product: ProductCard) -> str:
    scale, shift = product.calibration.scale, product.calibration.shift
    return f"{scale:g} x margin {'-' if shift < 0 else '+'} {abs(shift):g}"


def _moments(card: ModelCard, product: ProductCard) -> list[list[str]]:
    moments = zip(card.bands, product.normalisation.mean, product.normalisation.spread, strict=True)
    return [[band, f"{mean:g}", f"{spread:g}"] for band, mean, spread in moments]


def _recipe(card: ModelCard) -> Iterator[str]:
    if not card.recipe:
        yield "How it was trained is not recorded here."
    else:
        yield _table(["setting", "value"], [[name, _plain(value)] for name, value in sorted(card.recipe.items())])
    if card.settings:
        yield "Set by hand or by default in the project that trained it:"
        yield _table(["setting", "value"], [[name, _plain(value)] for name, value in sorted(card.settings.items())])


def _data(card: ModelCard) -> Iterator[str]:
    sites = "an unknown number of" if card.labelled_sites is None else f"{card.labelled_sites:,}"
    yield f"Labelled sites: {sites}. Parts of the training data, by the hash of their content:"
    if card.inputs:
        yield _table(["part", "sha256"], [[name, value] for name, value in sorted(card.inputs.items())])
    else:
        yield "None is recorded."


def _notes(card: ModelCard) -> Iterator[str]:
    yield _list(
        [
            *(f"{note[:1].upper()}{note[1:]}." for note in card.notes),
            "Small mines, and ground that looks like mines (quarries, sandbars, bare fields), are where it errs most.",
            "Areas are sums over pixels at an operating point, and carry its bias; accuracy is that of the ground that "
            "was held out, not of every country.",
        ]
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _list(lines: "Iterator[str] | Sequence[str]") -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
