"""The table of scores, from sites drawn by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from minemap_assets.segmentation.evaluation.contrast import QUARTERS, quarters
from minemap_assets.segmentation.evaluation.mine_sizes import mines_of
from minemap_assets.segmentation.evaluation.site_scores import SiteScore, score_site
from minemap_assets.segmentation.evaluation.table import (
    Method,
    metric_frame,
    metric_rows,
    reliability_frame,
    site_frame,
)
from minemap_assets.segmentation.metrics import BASELINE, MODEL_METHOD
from minemap_assets.segmentation.site_scoring import SitePicture

POINTS = {"match_area": 0.5, "max_miou": 0.75}


def site(number: int, *, hit: int = 20, group: str | None = None, owned: int = 100, split: str = "test") -> SiteScore:
    """A mine of 20 x 20 pixels (1 ha) of which `hit` rows are mapped with p = 0.6, the first `owned` columns owned."""
    labels = np.zeros((100, 100), dtype=np.uint8)
    labels[40:60, 40:60] = 1
    labels[0] = 255
    stored = np.full(labels.shape, 0, dtype=np.uint8)
    stored[40 : 40 + hit, 40:60] = 152
    mine = np.ones(labels.shape, dtype=bool)
    mine[:, owned:] = False
    name = f"s{number}"
    picture = SitePicture(name, group or f"g{number}", split, "planet-nicfi", 0, 5.0, stored, labels, mine)
    region = "north" if number % 2 else "south"
    return score_site(picture, mines_of(labels, 5.0), POINTS, region, contrast=float(number))


def table(scores: list[SiteScore]) -> pd.DataFrame:
    return metric_frame(metric_rows(scores, Method(MODEL_METHOD, POINTS), seed=0))


def test_all_ground_and_every_part_of_it() -> None:
    frame = table([site(n, hit=20 if n % 2 else 10) for n in range(8)])
    at = frame[frame["operating_point"] == "match_area"]
    assert at.groupby("stratum").size().to_dict() == {"all": 1, "contrast": 4, "place": 8, "region": 2, "size": 1}
    (whole,) = at[at["group"] == ""].to_dict("records")
    assert whole["stratum"] == "all"
    assert (whole["sites"], whole["places"], whole["mines"]) == (8, 8, 8)
    assert whole["pixels"] == 8 * 9900
    assert whole["iou"] == whole["recall"] == pytest.approx(0.75)
    assert whole["precision"] == 1.0
    assert whole["area_ratio"] == pytest.approx(0.75)
    assert whole["found_share"] == 1.0
    assert whole["iou_low"] < 0.75 < whole["iou_high"]
    assert whole["calibration_error"] == pytest.approx((0.25 * 400 + 0.75 * 400 * (1 - 152 / 254)) / 9900, abs=1e-6)
    assert whole["probability_ratio"] == pytest.approx(0.75 * 152 / 254)
    north = at[at["group"] == "north"].iloc[0]
    assert north["iou"] == 1.0
    small = at[at["stratum"] == "size"].iloc[0]
    assert (small["group"], small["mines"]) == ("< 2 ha", 8)
    assert small["iou"] == pytest.approx(0.75)
    assert math.isnan(small["calibration_error"])
    assert small["pixels"] < whole["pixels"]
    higher = frame[(frame["operating_point"] == "max_miou") & (frame["stratum"] == "all")].iloc[0]
    assert (higher["threshold"], higher["iou"], higher["found_share"]) == (0.75, 0.0, 0.0)


def test_what_is_not_owned_counts_nowhere() -> None:
    (row,) = table([site(0, owned=40)]).query("stratum == 'all' and operating_point == 'match_area'").to_dict("records")
    assert row["pixels"] == 99 * 40
    assert row["mines"] == 0
    assert math.isnan(row["recall"])
    assert math.isnan(row["iou_low"])


def test_sites_of_a_place_stay_together() -> None:
    frame = table([site(n, hit=10 + n, group=f"g{n // 2}") for n in range(8)])
    whole = frame[frame["stratum"] == "all"].iloc[0]
    assert (whole["sites"], whole["places"]) == (8, 4)
    assert len(frame[(frame["stratum"] == "place") & (frame["operating_point"] == "match_area")]) == 4


def test_a_threshold_has_no_probability() -> None:
    rule = Method(BASELINE, {"match_area": 0.21, "max_miou": 0.21}, "red >= 0.210")
    row = metric_rows([site(n) for n in range(3)], rule, seed=0)[0]
    assert (row["method"], row["rule"], row["threshold"]) == (BASELINE, "red >= 0.210", 0.21)
    assert math.isnan(row["calibration_error"])
    assert math.isnan(row["probability_ratio"])


def test_nothing_scored_still_has_columns() -> None:
    assert metric_rows([], Method(MODEL_METHOD, POINTS), seed=0) == []
    assert {"stratum", "group", "iou", "boundary_f1", "iou_low"} <= set(metric_frame([]).columns)
    assert {"site_id", "iou", "doubt"} <= set(site_frame([]).columns)
    assert list(reliability_frame([]).columns)[:2] == ["split", "product"]


def test_a_row_for_each_site_and_range() -> None:
    scores = [site(n, split=s) for s in ("test", "folds") for n in range(3)]
    sites = site_frame(scores)
    assert len(sites) == 6 * 2
    first = sites.iloc[0]
    assert (first["site_id"], first["largest"], first["mines"], first["found"]) == ("s0", "< 2 ha", 1, 1)
    assert first["doubt"] == pytest.approx(400 / 9900 * 152 / 254 * 102 / 254)
    ranges = reliability_frame(scores)
    assert ranges.groupby("split").size().to_dict() == {"folds": 15, "test": 15}
    assert ranges["pixels"].sum() == 6 * 9900


def test_quarters_of_enough_sites() -> None:
    assert quarters([1.0, 2.0, math.nan]) == ["", "", ""]
    found = quarters([float(n) for n in range(8)] + [math.nan])
    assert found == [q for q in QUARTERS for _ in range(2)] + [""]
