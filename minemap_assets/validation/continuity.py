"""Source continuity: what a swap of the product does to a series, measured on the reference year that both show.

A series that changes its product is only as good as their agreement: the area ratio says by how much mapped areas jump
at the swap for no reason on the ground, IoU whether the same ground is meant. Ground that no model was trained on is
told apart: a model that has seen the answers agrees with itself.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.evaluation.intervals import FEWEST_PLACES, Interval, Intervals, bootstrap
from minemap_assets.segmentation.evaluation.mine_sizes import LIMITS, SIZES
from minemap_assets.segmentation.metrics import Confusion
from minemap_assets.segmentation.scale import TOP
from minemap_assets.validation.comparison import RegionMasks, SitePair, ThresholdOf, compare_regions

FILE = "source_continuity.parquet"
SUMMARY = "continuity_summary.parquet"

ALL_GROUND, HELD_OUT, TRAINED_ON = "all", "held out", "trained on"
"""What a row of the summary counts: every site, those that no model was trained on, the others."""

EVERYTHING = "all"
"""The stratum of a row that is of all sites together; the others are `region`, `country`, `size` and `baseline`."""

UNKNOWN = "unknown"
"""The group of sites whose country or processing baseline nobody said."""

FEWEST_HELD_OUT = 10
"""Places that have to be held out, with mines in them, before a step is told from these alone."""

SEED = 0
"""Of the bootstrap over places."""

_SQUARE_METRES = 1e6
_DIGITS = 1e4


@dataclass(frozen=True)
class Step:
    """By how much mapped areas jump from one product to another, with its 95 % interval (NaN for fewer than 3 places).

    `ratio` is the other product's area divided by the first one's, NaN without any. `matching` is the threshold of the
    other product at which both are equal; None without any area.
    """

    product: str
    other_product: str
    ratio: float
    interval: Interval
    sites: int
    places: int
    held_out: bool
    matching: float | None


def build_source_continuity(
    regions: Sequence[RegionMasks],
    order: Sequence[str],
    threshold_of: ThresholdOf,
    corrected: Mapping[str, float],
    writer: PartitionWriter,
) -> Outcome:
    """Write `source_continuity.parquet` (a row for each site and pair of products) and `continuity_summary.parquet`.

    `order` lists the products as they follow each other in a series, and `corrected` the thresholds that the settings
    give for some of them.
    """
    pairs = list(compare_regions(regions, order, threshold_of))
    writer.write(FILE, lambda path: write_parquet(site_frame(pairs), path))
    observed = [pair for pair in pairs if pair.observed_km2 > 0.0]
    summary = summary_frame(observed)
    writer.write(SUMMARY, lambda path: write_parquet(summary, path))
    steps = steps_of(observed)
    facts: dict[str, Any] = {"rows": len(pairs), "sites": len({pair.site_id for pair in pairs})}
    facts["effect_of_a_swap"] = [effect(step) for step in steps]
    facts["correction"] = [line for step in steps if (line := correction(step, corrected))]
    return Outcome(facts | {"products": _pooled(summary)})


def site_frame(pairs: Sequence[SitePair]) -> pd.DataFrame:
    """Rows of `source_continuity`, by region, pair of products and site."""
    frame = pd.DataFrame([_site_row(pair) for pair in pairs], columns=list(_SITE_TYPES)).astype(_SITE_TYPES)
    return frame.sort_values(["region", "product", "other_product", "site_id"], ignore_index=True)


def summary_frame(pairs: Sequence[SitePair]) -> pd.DataFrame:
    """Rows of `continuity_summary`: each pair of products on all, held-out and trained-on ground, by stratum.

    `pairs` are of ground that both products observed.
    """
    rows = []
    for _, of_pair in _by(pairs, lambda pair: (pair.product, pair.other_product)):
        told = _step(of_pair)
        for ground, some in _grounds(of_pair):
            for stratum, group_of in _STRATA.items():
                for group, members in _by(some, group_of):
                    row = _summary_row(ground, stratum, str(group), members)
                    if stratum == EVERYTHING:
                        row["matching_threshold"] = matching_threshold(members)
                        chosen = ground == (HELD_OUT if told.held_out else ALL_GROUND)
                        row["sentence"] = effect(told) if chosen else None
                    rows.append(row)
    return pd.DataFrame(rows, columns=list(_SUMMARY_TYPES)).astype(_SUMMARY_TYPES)


def steps_of(pairs: Sequence[SitePair]) -> list[Step]:
    """The step of each pair of products, over all regions."""
    return [_step(some) for _, some in _by(pairs, lambda pair: (pair.product, pair.other_product))]


def effect(step: Step) -> str:
    """What a swap does to the series, in one sentence."""
    swap = f"from {step.product} to {step.other_product}"
    where = f"{step.sites} sites in {step.places} places" + (" that no model was trained on" if step.held_out else "")
    if math.isnan(step.ratio):
        return f"What a swap {swap} does to the series is not known: on {where} nothing is mapped in {step.product}."
    change = f"{100 * (step.ratio - 1):+.1f} %"
    if math.isnan(step.interval.low):
        return f"A swap {swap} changes mapped areas by {change} on {where}, too few places for an interval."
    low, high = (f"{100 * (end - 1):+.1f}" for end in (step.interval.low, step.interval.high))
    chance = ", which may be chance" if step.interval.low <= 1.0 <= step.interval.high else ""
    return (
        f"A swap {swap} changes mapped areas by {change} (95 % interval {low} to {high} %){chance}, with no change on "
        f"the ground, on {where}."
    )


def correction(step: Step, corrected: Mapping[str, float]) -> str:
    """The line of settings under [polygons] by which the other product maps the first one's area; empty for none."""
    if step.matching is None:
        return ""
    values = dict(corrected) | {step.other_product: step.matching}
    return f"product_thresholds = {{ {', '.join(f'{name} = {at:g}' for name, at in sorted(values.items()))} }}"


def matching_threshold(pairs: Iterable[SitePair]) -> float | None:
    """The threshold of the other product at which its area comes nearest to the first one's; of equals the middle one.

    On the stored grid of 0 to 254; None where the first product maps nothing.
    """
    some = list(pairs)
    area = sum(pair.area_km2 for pair in some)
    if area <= 0.0:
        return None
    curve = np.sum([pair.other_curve for pair in some], axis=0)
    above = np.cumsum(curve[::-1])[::-1][1 : TOP + 1]
    distance = np.abs(above - area)
    ties = np.flatnonzero(distance <= distance.min() + 1e-12)
    value = int(ties[len(ties) // 2]) + 1
    # rounded down, so that the stored value itself still counts
    return math.floor(value / TOP * _DIGITS) / _DIGITS


def _step(pairs: Sequence[SitePair]) -> Step:
    """From held-out ground where there are places enough, else from all."""
    unseen = [pair for pair in pairs if pair.place.held_out]
    enough = len({pair.place.group for pair in unseen if pair.area_km2 > 0.0}) >= FEWEST_HELD_OUT
    some = unseen if enough else list(pairs)
    area = sum(pair.area_km2 for pair in some)
    return Step(
        product=some[0].product,
        other_product=some[0].other_product,
        ratio=sum(pair.other_km2 for pair in some) / area if area else math.nan,
        interval=_intervals(some).area_ratio,
        sites=len({pair.site_id for pair in some}),
        places=len({pair.place.group for pair in some}),
        held_out=enough,
        matching=matching_threshold(some),
    )


def _intervals(pairs: Sequence[SitePair]) -> Intervals:
    """By bootstrap over places; counts are square metres, the first product stands for the truth."""
    places = [sum((_confusion(pair) for pair in some), Confusion()) for _, some in _by(pairs, lambda p: p.place.group)]
    return bootstrap(places, SEED)


def _confusion(pair: SitePair) -> Confusion:
    seen, area, other, both = (
        round(km2 * _SQUARE_METRES) for km2 in (pair.observed_km2, pair.area_km2, pair.other_km2, pair.both_km2)
    )
    return Confusion(both, other - both, area - both, seen - area - other + both)


def _by(pairs: Iterable[SitePair], key: Callable[[SitePair], Any]) -> Iterator[tuple[Any, list[SitePair]]]:
    """Pairs by a key, in its order; those whose key is None are left out."""
    groups: dict[Any, list[SitePair]] = {}
    for pair in pairs:
        name = key(pair)
        if name is not None:
            groups.setdefault(name, []).append(pair)
    yield from sorted(groups.items())


def _grounds(pairs: Sequence[SitePair]) -> Iterator[tuple[str, list[SitePair]]]:
    yield ALL_GROUND, list(pairs)
    for name, held_out in ((HELD_OUT, True), (TRAINED_ON, False)):
        some = [pair for pair in pairs if pair.place.held_out is held_out]
        if some:
            yield name, some


def size_of(outline_km2: float) -> str:
    """The size class of a mine by the area of its outline (`mine_sizes.SIZES`)."""
    return SIZES[int(np.digitize(outline_km2 * 100.0, LIMITS))]


def _baselines(pair: SitePair) -> str | None:
    """Both products' processing baselines, as far as they are known; None for products without any."""
    named = ((pair.product, pair.baseline), (pair.other_product, pair.other_baseline))
    known = [f"{product} {baseline}" for product, baseline in named if baseline]
    return "; ".join(known) if known else None


_STRATA: Mapping[str, Callable[[SitePair], str | None]] = {
    EVERYTHING: lambda _: "",
    "region": lambda pair: pair.region,
    "country": lambda pair: pair.place.country_iso3 or UNKNOWN,
    "size": lambda pair: size_of(pair.place.outline_km2),
    "baseline": _baselines,
}

_SITE_TYPES = {
    **dict.fromkeys(("region", "site_id", "product", "other_product", "country_iso3", "size"), "str"),
    **dict.fromkeys(("split_group", "ground", "processing_baseline", "other_baseline"), "str"),
    **dict.fromkeys(("threshold", "other_threshold"), "float64"),
    **dict.fromkeys(("observed_km2", "area_km2", "other_km2", "both_km2", "area_ratio", "iou"), "float64"),
}

_SUMMARY_TYPES = {
    **dict.fromkeys(("product", "other_product", "ground", "stratum", "group"), "str"),
    **dict.fromkeys(("sites", "places"), "int64"),
    **dict.fromkeys(("observed_km2", "area_km2", "other_km2", "both_km2"), "float64"),
    **dict.fromkeys(("area_ratio", "area_ratio_low", "area_ratio_high", "iou", "iou_low", "iou_high"), "float64"),
    "matching_threshold": "float64",
    "sentence": "str",
}


def _site_row(pair: SitePair) -> dict[str, Any]:
    return {
        "region": pair.region,
        "site_id": pair.site_id,
        "product": pair.product,
        "other_product": pair.other_product,
        "country_iso3": pair.place.country_iso3,
        "size": size_of(pair.place.outline_km2),
        "split_group": pair.place.group,
        "ground": HELD_OUT if pair.place.held_out else TRAINED_ON,
        "processing_baseline": pair.baseline,
        "other_baseline": pair.other_baseline,
        "threshold": pair.threshold,
        "other_threshold": pair.other_threshold,
        **_sums([pair]),
    }


def _summary_row(ground: str, stratum: str, group: str, pairs: Sequence[SitePair]) -> dict[str, Any]:
    found = _intervals(pairs)
    return {
        "product": pairs[0].product,
        "other_product": pairs[0].other_product,
        "ground": ground,
        "stratum": stratum,
        "group": group,
        "sites": len({pair.site_id for pair in pairs}),
        "places": len({pair.place.group for pair in pairs}),
        **_sums(pairs),
        "area_ratio_low": found.area_ratio.low,
        "area_ratio_high": found.area_ratio.high,
        "iou_low": found.iou.low,
        "iou_high": found.iou.high,
        "matching_threshold": None,
        "sentence": None,
    }


def _sums(pairs: Sequence[SitePair]) -> dict[str, float]:
    seen, area, other, both = (
        sum(getattr(pair, name) for pair in pairs) for name in ("observed_km2", "area_km2", "other_km2", "both_km2")
    )
    union = area + other - both
    return {
        "observed_km2": seen,
        "area_km2": area,
        "other_km2": other,
        "both_km2": both,
        "area_ratio": other / area if area > 0.0 else math.nan,
        "iou": both / union if union > 0.0 else math.nan,
    }


def _pooled(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """For people: each pair of products on each ground, all sites together."""
    rows = summary[summary["stratum"] == EVERYTHING].to_dict("records")
    return [
        {
            "product": row["product"],
            "other product": row["other_product"],
            "ground": row["ground"],
            "sites": row["sites"],
            "places": row["places"],
            "area ratio": _plain(row["area_ratio"]),
            "95 % interval": f"{_plain(row['area_ratio_low'])} to {_plain(row['area_ratio_high'])}"
            if row["places"] >= FEWEST_PLACES
            else "none",
            "IoU": _plain(row["iou"]),
        }
        for row in rows
    ]


def _plain(value: float) -> float | str:
    return "none" if math.isnan(value) else round(value, 4)
