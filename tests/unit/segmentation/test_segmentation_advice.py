"""Advice from hand-written scores."""

import math
from typing import Any

import pandas as pd
import pytest

from minemap_assets.segmentation.advice import About, Advice, Scores, advise
from minemap_assets.segmentation.verdict import judge

NAN = math.nan


def row(stratum: str = "all", group: str = "", *, split: str = "test", **values: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "method": "model",
        "operating_point": "match_area",
        "product": "planet-nicfi",
        "iou": 0.5,
        "recall": 0.6,
        "iou_low": NAN,
        "iou_high": NAN,
        "sites": 10,
        "places": 10,
        "mines": 12,
        "found_share": 0.8,
    }
    return usual | {"split": split, "stratum": stratum, "group": group} | values


def held_out(gains: list[float], **whole: Any) -> list[dict[str, Any]]:
    """Test places where a threshold scores 0.3 and the model so much more."""
    rows = [row(**whole), row(method="baseline", operating_point="baseline", iou=0.3)]
    for n, gain in enumerate(gains):
        rows.append(row("place", f"g{n}", sites=1, iou=0.3 + gain))
        rows.append(row("place", f"g{n}", sites=1, method="baseline", operating_point="baseline", iou=0.3))
    return rows


def told(rows: list[dict[str, Any]], sites: list[dict[str, Any]] | None = None, share: float = 0.15) -> list[Advice]:
    metrics = pd.DataFrame(rows)
    columns = ["site_id", "operating_point", "iou", "recall"]
    return list(advise(Scores(metrics, pd.DataFrame(sites or [], columns=columns), judge(metrics, "abc")), share))


def test_too_few_places_say_how_many_more() -> None:
    (one,) = told(held_out([0.2]))
    assert one.about is About.AMOUNT
    assert one.sentence == (
        "1 place with mines was held out, and 3 are needed before the model can be judged: outline mines "
        "in about 14 places more, apart from each other (15% of places are held out: `test_share` of [chips])"
    )
    (none,) = told(held_out([]), share=0.0)
    assert none.sentence.endswith(
        "outline mines in 3 places more, apart from each other, and set test_share of [chips] above 0"
    )


def test_a_gain_that_may_be_chance_says_how_many_places_would_tell() -> None:
    (one,) = told(held_out([0.2, -0.1, 0.2, -0.1]))
    assert "gains 0.05 over a threshold on average, and that differs by 0.17 from place to place" in one.sentence
    assert "about 35 held-out places would make it certain, and 4 are held out" in one.sentence
    assert "in about 207 places more" in one.sentence  # 31 of 15 %


def test_no_gain_asks_for_other_ground() -> None:
    (one,) = told(held_out([-0.1, -0.2, 0.1]))
    assert "more places of the same kind will not tell" in one.sentence


def test_a_wide_interval_says_what_would_narrow_it() -> None:
    (one,) = told(held_out([0.2, 0.2, 0.21], iou_low=0.4, iou_high=0.6, places=5))
    # twice as wide as is enough: four times the places
    assert one.sentence == (
        "the IoU of 0.50 lies between 0.40 and 0.60 (95 %), from 5 held-out places: to know it to 0.05 "
        "either way, outline mines in about 100 places more, apart from each other (15% of places are held out: "
        "`test_share` of [chips])"
    )
    (enough,) = told(held_out([0.2, 0.2, 0.21], iou_low=0.48, iou_high=0.52, places=5))
    assert enough.sentence.endswith("from 5 held-out places: more would change little")


@pytest.mark.parametrize("split", ["test", "folds"])
def test_the_worst_kinds_are_named(split: str) -> None:
    parts = [
        row("size", "< 2 ha", split=split, mines=2, found_share=0.0),
        row("size", "2-5 ha", split=split, mines=10, found_share=0.4),
        row("size", "5-20 ha", split=split, mines=9, found_share=0.9),
        row("contrast", "lowest quarter", split=split, iou=0.21),
        row("contrast", "highest quarter", split=split, iou=0.7),
        row("region", "north", split=split, iou=0.48),
        row("region", "south", split=split, iou=0.52),
    ]
    whole = [row(split="folds")] if split == "folds" else []
    found = [one.sentence for one in told([*held_out([0.2, 0.2, 0.2]), *whole, *parts]) if one.about is About.KIND]
    assert found == [
        "mines of 2-5 ha are found least often: 40% of 10, and 80% of all; outlines of such mines help most",
        "sites in the lowest quarter of contrasts between mine and surroundings are mapped worst: IoU "
        "0.21, and 0.50 over all; outlines of such sites help most",
    ]


def test_sites_where_model_and_outlines_disagree_are_named_once() -> None:
    sites = [
        {"site_id": f"m{n}", "operating_point": point, "iou": iou, "recall": recall}
        for n, iou, recall in ((1, 0.1, 0.2), (2, 0.0, 0.0), (3, 0.9, 1.0), (4, 0.0, NAN))
        for point in ("match_area", "max_miou", "match_area")
    ]
    (one,) = [a for a in told(held_out([0.2, 0.2, 0.2]), sites) if a.about is About.OUTLINES]
    assert "at m2, m1: look whether the outlines" in one.sentence


def test_what_holds_for_one_product_only_names_it() -> None:
    good, bad = held_out([0.2, 0.2, 0.21]), [r | {"product": "sentinel-2-l2a"} for r in held_out([0.2])]
    (one,) = told([*good, *bad])
    assert one.sentence.startswith("sentinel-2-l2a: 1 place with mines was held out")
    (both,) = told([*bad, *held_out([0.2])])
    assert both.sentence.startswith("1 place with mines was held out")


def test_folds_say_how_good_it_is_so_far() -> None:
    first, _ = told([*held_out([0.2]), row(split="folds", iou=0.61, places=4)])
    assert first == Advice(
        About.SO_FAR,
        "on training ground that each of its parts had not seen the model scores IoU 0.61, in 4 places; that is no "
        "verdict, because its threshold was chosen there",
    )


def test_nothing_scored_asks_for_places() -> None:
    metrics = pd.DataFrame([], columns=list(row()))
    (one,) = advise(Scores(metrics, metrics.assign(site_id=""), judge(metrics, "abc")), 0.15)
    assert one.sentence.startswith("no place with mines was held out, and 3 are needed")
