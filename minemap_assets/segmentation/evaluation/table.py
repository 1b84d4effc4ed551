"""The tables of an evaluation: scores of all ground, and of its parts by place, size, contrast and region."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from minemap_assets.segmentation.evaluation.boundary_agreement import Boundary
from minemap_assets.segmentation.evaluation.contrast import quarters
from minemap_assets.segmentation.evaluation.intervals import Intervals, bootstrap
from minemap_assets.segmentation.evaluation.mine_sizes import SIZES, SizeCounts
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.segmentation.evaluation.site_scores import SiteScore, by_place
from minemap_assets.segmentation.metrics import ALL, ALL_GROUPS, CONTRAST, MODEL_METHOD, PLACE, REGION, SIZE, Confusion


@dataclass(frozen=True)
class Method:
    """Whose scores they are: the model's or the baseline's (`rule` in words), at thresholds by name.

    `probable` is false where a threshold gives no probability, so that nothing is said of calibration.
    """

    name: str
    thresholds: Mapping[str, float]
    rule: str = ""

    @property
    def probable(self) -> bool:
        """True for the model."""
        return self.name == MODEL_METHOD


@dataclass(frozen=True)
class Row:
    """A row of `metrics.parquet` without the scores of `Confusion`; see the asset's columns."""

    method: str
    split: str
    product: str
    stratum: str
    group: str
    operating_point: str
    threshold: float
    rule: str
    sites: int
    places: int
    pixels: int
    mines: int
    found_share: float
    boundary_f1: float
    calibration_error: float
    probability_ratio: float
    iou_low: float
    iou_high: float
    miou_low: float
    miou_high: float
    area_ratio_low: float
    area_ratio_high: float


@dataclass(frozen=True)
class _Part:
    """Sites of one stratum that belong together; of `size` only mines of that place in `SIZES` count."""

    stratum: str
    group: str
    scores: list[SiteScore]
    size: int | None = None


def metric_rows(scores: Sequence[SiteScore], method: Method, seed: int) -> list[dict[str, Any]]:
    """Rows of one method, split and product, at every threshold, for all sites and for every part of them."""
    parts = list(_parts(list(scores)))
    return [
        _row(part, method, point, seed) for point in sorted(method.thresholds) for part in parts if len(part.scores)
    ]


def metric_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The table; without rows it has all its columns."""
    columns = [field.name for field in fields(Row)] + list(Confusion().scores())
    return pd.DataFrame(list(rows), columns=columns)


def site_frame(scores: Iterable[SiteScore]) -> pd.DataFrame:
    """A row for each site and operating point of the model."""
    facts = ("site_id", "split", "product", "group", "region", "largest", "contrast", "doubt")
    rows = [
        {
            **{name: getattr(score, name) for name in facts},
            "operating_point": name,
            "pixels": point.confusion.pixels,
            "mines": sum(size.mines for size in point.sizes),
            "found": sum(size.found for size in point.sizes),
            "boundary_f1": point.boundary.f1,
            **point.confusion.scores(),
        }
        for score in scores
        for name, point in sorted(score.points.items())
    ]
    counts = ("operating_point", "pixels", "mines", "found", "boundary_f1")
    return pd.DataFrame(rows, columns=[*facts, *counts, *Confusion().scores()])


def reliability_frame(scores: Sequence[SiteScore]) -> pd.DataFrame:
    """A row for each split, product and range of probability."""
    rows = []
    for key in sorted({(score.split, score.product) for score in scores}):
        members = (score.reliability for score in scores if (score.split, score.product) == key)
        total = sum(members, Reliability.empty())
        rows += [{"split": key[0], "product": key[1], **row} for row in total.rows()]
    columns = ["split", "product", "low", "high", "pixels", "mean_probability", "mine_share"]
    return pd.DataFrame(rows, columns=columns)


def _parts(scores: list[SiteScore]) -> Iterator[_Part]:
    yield _Part(ALL, ALL_GROUPS, scores)
    for group, members in by_place(scores):
        yield _Part(PLACE, group, members)
    for place, size in enumerate(SIZES):
        having = [s for s in scores if any(p.sizes[place].confusion.pixels for p in s.points.values())]
        yield _Part(SIZE, size, having, place)
    quarter_of = dict(zip((id(s) for s in scores), quarters([s.contrast for s in scores]), strict=True))
    yield from _named(CONTRAST, scores, lambda score: quarter_of[id(score)])
    yield from _named(REGION, scores, lambda score: score.region)


def _named(stratum: str, scores: list[SiteScore], name: Callable[[SiteScore], str]) -> Iterator[_Part]:
    for group in sorted({name(score) for score in scores} - {""}):
        yield _Part(stratum, group, [score for score in scores if name(score) == group])


def _row(part: _Part, method: Method, point: str, seed: int) -> dict[str, Any]:
    total = sum((_confusion(score, point, part.size) for score in part.scores), Confusion())
    sizes = sum((_sizes(score, point, part.size) for score in part.scores), SizeCounts())
    whole = part.size is None
    boundary = sum((score.points[point].boundary for score in part.scores), Boundary())
    reliability = sum((score.reliability for score in part.scores), Reliability.empty())
    calibrated = whole and method.probable
    places = list(by_place(part.scores))
    ends = _intervals(places, point, part, seed)
    about = Row(
        method=method.name,
        split=part.scores[0].split,
        product=part.scores[0].product,
        stratum=part.stratum,
        group=part.group,
        operating_point=point,
        threshold=method.thresholds[point],
        rule=method.rule,
        sites=len(part.scores),
        places=len(places),
        pixels=total.pixels,
        mines=sizes.mines,
        found_share=sizes.found / sizes.mines if sizes.mines else math.nan,
        boundary_f1=boundary.f1 if whole else math.nan,
        calibration_error=reliability.calibration_error if calibrated else math.nan,
        probability_ratio=reliability.probability_ratio if calibrated else math.nan,
        iou_low=ends.iou.low,
        iou_high=ends.iou.high,
        miou_low=ends.miou.low,
        miou_high=ends.miou.high,
        area_ratio_low=ends.area_ratio.low,
        area_ratio_high=ends.area_ratio.high,
    )
    return {**asdict(about), **total.scores()}


def _intervals(places: list[tuple[str, list[SiteScore]]], point: str, part: _Part, seed: int) -> Intervals:
    counts = [sum((_confusion(score, point, part.size) for score in members), Confusion()) for _, members in places]
    return bootstrap(counts, seed)


def _confusion(score: SiteScore, point: str, size: int | None) -> Confusion:
    found = score.points[point]
    return found.confusion if size is None else found.sizes[size].confusion


def _sizes(score: SiteScore, point: str, size: int | None) -> SizeCounts:
    found = score.points[point].sizes
    return sum(found, SizeCounts()) if size is None else found[size]
