"""The verdict on a model, from hand-written scores."""

import math

import pandas as pd
import pytest

from minemap_assets.segmentation.metrics import ALL, ALL_GROUPS, PLACE
from minemap_assets.segmentation.verdict import FEWEST_GROUPS, MOST_PLACES, Grade, judge, places_needed


def scores(  # the same in every place but for `spread`, which the model gains and loses in turn
    iou: float,
    baseline: float,
    groups: int = 3,
    spread: float = 0.0,
    split: str = "test",
    product: str = "sentinel-2-l2a",
    empty: int = 0,
) -> pd.DataFrame:
    """Rows as an evaluation writes them; `empty` groups have no mine."""
    rows = []
    for group in (ALL_GROUPS, *(f"g{n}" for n in range(groups + empty))):
        turn = 0.0 if group == ALL_GROUPS else spread * (-1) ** int(group[1:])
        recall = math.nan if group in {f"g{n}" for n in range(groups, groups + empty)} else 0.5
        stratum = ALL if group == ALL_GROUPS else PLACE
        common = {"split": split, "product": product, "stratum": stratum, "group": group, "recall": recall}
        rows.append(common | {"method": "model", "operating_point": "match_area", "iou": iou + turn})
        rows.append(common | {"method": "model", "operating_point": "max_miou", "iou": 1.0})
        rows.append(common | {"method": "baseline", "operating_point": "baseline", "iou": baseline})
    # what is told of parts of the ground has no say
    rows += [{**row, "stratum": "size", "iou": 0.0} for row in rows if row["stratum"] == PLACE]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("iou", "baseline", "grade"),
    [
        (0.9, 0.2, Grade.USABLE),
        (0.5, 0.49, Grade.USABLE),
        (0.49, 0.2, Grade.WEAK),
        (0.2, 0.2, Grade.NO_BETTER),
        (0.6, 0.7, Grade.NO_BETTER),
    ],
)
def test_the_grade_follows_from_held_out_scores(iou: float, baseline: float, grade: Grade) -> None:
    assert judge(scores(iou, baseline), "abc").grade is grade


def test_a_gain_that_differs_from_place_to_place_more_than_it_is_may_be_chance() -> None:
    verdict = judge(scores(0.61, 0.58, groups=4, spread=0.05), "abc")
    assert verdict.grade is Grade.NO_BETTER
    told = "IoU 0.61, the best threshold on one band 0.58, a gain that may be chance"
    assert verdict.sentence.endswith(f"{told} (about 12 held-out places would tell)")
    assert judge(scores(0.61, 0.58, groups=4, spread=0.01), "abc").grade is Grade.USABLE


def test_the_sentence_gives_both_scores_and_the_number_of_places() -> None:
    sentence = judge(scores(0.61, 0.24, groups=4), "abc").sentence
    assert sentence == (
        "on 4 places that it was not trained on, sentinel-2-l2a: IoU 0.61, the best threshold on one band 0.24"
    )


@pytest.mark.parametrize("groups", range(FEWEST_GROUPS))
def test_too_few_places_with_mines_are_no_ground_for_a_verdict(groups: int) -> None:
    verdict = judge(scores(0.9, 0.1, groups=groups, empty=5), "abc")
    assert verdict.grade is Grade.UNKNOWN
    assert verdict.sentence.startswith(["no place", "1 place", "2 places"][groups])
    assert f"a score needs {FEWEST_GROUPS}" in verdict.sentence


def test_ground_that_chose_the_model_does_not_count() -> None:
    assert judge(scores(0.9, 0.1, groups=9, split="validation"), "abc").grade is Grade.UNKNOWN


def test_the_worst_product_decides() -> None:
    good, bad = scores(0.9, 0.1), scores(0.1, 0.2, product="planet-nicfi")
    verdict = judge(pd.concat([good, bad]), "abc")
    assert verdict.grade is Grade.NO_BETTER
    assert "planet-nicfi: IoU 0.10" in verdict.sentence


def test_how_many_places_would_tell() -> None:
    assert places_needed([0.1, 0.1, 0.1]) == FEWEST_GROUPS
    assert places_needed([0.2, -0.1, 0.2, -0.1]) == 35
    assert places_needed([0.01, -0.2, 0.2, 0.01]) is None  # more than MOST_PLACES
    assert places_needed([-0.1, -0.1, -0.2]) is None
    assert places_needed([0.5, 0.4]) is None
    assert MOST_PLACES == 500
