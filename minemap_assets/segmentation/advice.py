"""Advice: what more ground truth would help the model most, from its scores on ground that it was not trained on."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from minemap_assets.errors import BadInputError
from minemap_assets.segmentation.metrics import (
    ALL,
    BASELINE,
    CONTRAST,
    FOLDS,
    METRICS,
    MODEL_METHOD,
    REGION,
    SITE_SCORES,
    SIZE,
)
from minemap_assets.segmentation.verdict import (
    EVALUATION,
    FEWEST_GROUPS,
    POINT,
    Verdict,
    gains_by_place,
    places_needed,
    verdict_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from minemap_assets.project.project import Project

FEWEST_SITES = 3
"""Of fewer sites a part of the ground says more about them than about their kind."""

NOTABLE = 0.05
"""How much worse a part has to be than all ground to be worth telling."""

CERTAIN_ENOUGH = 0.1
"""Width of the interval of an IoU from which more places change little."""

DISAGREEING = 0.2
"""IoU below which model and outlines of a site are two different things."""

SHOWN = 5

_NAMES = {CONTRAST: "sites in the {} of contrasts between mine and surroundings", REGION: "sites in {}"}

NOT_EVALUATED = (
    "no model has been evaluated yet, so there is nothing to advise on; `minemap run --select +model_evaluation` "
    "trains and evaluates one"
)

Record = dict[str, Any]
"""A row of the metrics."""


class About(StrEnum):
    """What a piece of advice is about, in the order in which it is told."""

    SO_FAR = "so far"
    AMOUNT = "how many"
    KIND = "which kind"
    OUTLINES = "outlines to look at"


@dataclass(frozen=True)
class Advice:
    """One sentence."""

    about: About
    sentence: str


@dataclass(frozen=True)
class Scores:
    """The tables of an evaluation (`metrics.parquet`, `site_scores.parquet`), and the verdict that follows."""

    metrics: "pd.DataFrame"
    sites: "pd.DataFrame"
    verdict: Verdict


def read_scores(project: "Project") -> Scores:
    """What the last evaluation found. Raises `BadInputError` where there was none, `DamagedError` where its files are
    not what was published.
    """
    import pandas as pd

    found, verdict = project.lake.find(EVALUATION), verdict_of(project)
    if found is None or verdict is None:
        raise BadInputError(NOT_EVALUATED)
    return Scores(pd.read_parquet(found.file(METRICS)), pd.read_parquet(found.file(SITE_SCORES)), verdict)


def advise(scores: Scores, test_share: float) -> Iterator[Advice]:
    """Sentences from scores; `test_share` is the share of places that is held out to judge models by.

    What holds for one product only begins with its name.
    """
    products = sorted(set(scores.metrics["product"])) or [""]
    said: dict[Advice, list[str]] = {}
    for product in products:
        own = scores.metrics[scores.metrics["product"] == product]
        for one in (*_so_far(own), *_amount(own, test_share), *_kinds(own)):
            said.setdefault(one, []).append(product)
    for one, of in sorted(said.items(), key=lambda item: list(About).index(item[0].about)):
        yield one if len(of) == len(products) else Advice(one.about, f"{' and '.join(of)}: {one.sentence}")
    yield from _outlines(scores.sites)


def _so_far(metrics: "pd.DataFrame") -> Iterator[Advice]:
    """What the models of an ensemble score on the training ground that each had not seen."""
    rows = metrics[(metrics["split"] == FOLDS) & (metrics["operating_point"] == POINT) & (metrics["stratum"] == ALL)]
    for row in _records(rows[rows["recall"].notna()]):
        yield Advice(
            About.SO_FAR,
            f"on training ground that each of its parts had not seen the model scores IoU {row['iou']:.2f}, in "
            f"{_places(row['places'])}; that is no verdict, because its threshold was chosen there",
        )


def _amount(metrics: "pd.DataFrame", test_share: float) -> Iterator[Advice]:
    """How many more places are needed to judge the model, to be sure of its gain, or to know its score better."""
    test = metrics[(metrics["split"] == "test") & metrics["operating_point"].isin([POINT, BASELINE])]
    gains = gains_by_place(test)
    if len(gains) < FEWEST_GROUPS:
        lacking = FEWEST_GROUPS - len(gains)
        yield Advice(
            About.AMOUNT,
            f"{_places(len(gains))} with mines {_were(len(gains))} held out, and {FEWEST_GROUPS} are needed before the "
            f"model can be judged: outline mines {_in_all(lacking, test_share)}",
        )
        return
    needed, mean = places_needed(gains), statistics.mean(gains)
    if needed is not None and needed > len(gains):
        yield Advice(
            About.AMOUNT,
            f"in IoU the model gains {mean:.2f} over a threshold on average, and that differs by "
            f"{statistics.stdev(gains):.2f} from place to place: about {needed} held-out places would make it certain, "
            f"and {len(gains)} are held out; outline mines {_in_all(needed - len(gains), test_share)}",
        )
    elif needed is None:
        yield Advice(
            About.AMOUNT,
            "more places of the same kind will not tell whether the model is better than a threshold: it gains "
            f"{mean:.2f} in IoU on average; train on more outlines, and on such as it gets wrong",
        )
    for row in _records(test[(test["stratum"] == ALL) & (test["method"] == MODEL_METHOD)]):
        yield from _interval(row, test_share)


def _interval(row: Record, test_share: float) -> Iterator[Advice]:
    low, high, places = float(row["iou_low"]), float(row["iou_high"]), int(row["places"])
    if math.isnan(low):
        return
    told = f"the IoU of {row['iou']:.2f} lies between {low:.2f} and {high:.2f} (95 %), from {places} held-out places"
    if high - low <= CERTAIN_ENOUGH:
        yield Advice(About.AMOUNT, f"{told}: more would change little")
        return
    # the width falls with the square root of the number of places
    more = max(1, math.ceil(places * ((high - low) / CERTAIN_ENOUGH) ** 2) - places)
    outline = f"outline mines {_in_all(more, test_share)}"
    yield Advice(About.AMOUNT, f"{told}: to know it to {CERTAIN_ENOUGH / 2:.2f} either way, {outline}")


def _kinds(metrics: "pd.DataFrame") -> Iterator[Advice]:
    """The worst size, contrast and region, where it is notably worse than all ground."""
    rows = metrics[(metrics["method"] == MODEL_METHOD) & (metrics["operating_point"] == POINT)]
    # every labelled site has a score there; the test ground is a small part of them
    split = FOLDS if (rows["split"] == FOLDS).any() else "test"
    parts = _records(rows[(rows["split"] == split) & (rows["sites"] >= FEWEST_SITES)])
    usual = next((part for part in parts if part["stratum"] == ALL), None)
    if usual is None:
        return
    sizes = [part for part in parts if part["stratum"] == SIZE and part["mines"] >= FEWEST_SITES]
    worst = min(sizes, key=lambda part: float(part["found_share"]), default=usual)
    if worst["found_share"] < usual["found_share"] - NOTABLE:
        yield Advice(
            About.KIND,
            f"mines of {worst['group']} are found least often: {worst['found_share']:.0%} of {worst['mines']}, and "
            f"{usual['found_share']:.0%} of all; outlines of such mines help most",
        )
    for stratum, name in _NAMES.items():
        known = [part for part in parts if part["stratum"] == stratum and not math.isnan(part["iou"])]
        worst = min(known, key=lambda part: float(part["iou"]), default=usual)
        if len(known) > 1 and worst["iou"] < usual["iou"] - NOTABLE:
            yield Advice(
                About.KIND,
                f"{name.format(worst['group'])} are mapped worst: IoU {worst['iou']:.2f}, and {usual['iou']:.2f} "
                "over all; outlines of such sites help most",
            )


def _outlines(sites: "pd.DataFrame") -> Iterator[Advice]:
    """Sites where what the model maps has little to do with the labels: one of the two is wrong."""
    own = sites[(sites["operating_point"] == POINT) & sites["recall"].notna() & (sites["iou"] < DISAGREEING)]
    worst = own.sort_values(["iou", "site_id"]).drop_duplicates("site_id")
    if len(worst):
        shown = ", ".join(worst["site_id"].head(SHOWN)) + (
            f" and {len(worst) - SHOWN} more" if len(worst) > SHOWN else ""
        )
        yield Advice(
            About.OUTLINES,
            f"model and outlines hardly agree (IoU below {DISAGREEING}) at {shown}: look whether the outlines there "
            "are of the year and the place of the image",
        )


def _places(count: int) -> str:
    return {0: "no place", 1: "1 place"}.get(count, f"{count} places")


def _were(count: int) -> str:
    return "were" if count > 1 else "was"


def _in_all(held_out: int, test_share: float) -> str:
    """How many places have to be added for so many more to be held out."""
    if test_share <= 0:
        return f"in {_places(held_out)} more, apart from each other, and set test_share of [chips] above 0"
    more = math.ceil(held_out / test_share)
    return (
        f"in about {_places(more)} more, apart from each other ({test_share:.0%} of places are held out: `test_share` "
        "of [chips])"
    )


def _records(rows: "pd.DataFrame") -> list[Record]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
