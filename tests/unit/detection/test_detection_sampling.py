"""Samples for labelling, and what labels say: against shares that are known."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.detection.accuracy import accuracy, read_labels, sentences
from minemap_assets.detection.sampling import draw, shares
from minemap_assets.errors import BadInputError
from minemap_assets.validation.accuracy import wilson


def population(detected: int, near: int, below: int) -> pd.DataFrame:
    """Patches of three strata."""
    strata = ["detected"] * detected + ["near"] * near + ["below"] * below
    return pd.DataFrame({"patch_id": [f"p{n:05d}" for n in range(len(strata))], "stratum": strata})


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 50), min_size=1), st.integers(0, 120))
def test_shares_use_all_that_is_asked_for_as_evenly_as_strata_allow(sizes: dict[str, int], total: int) -> None:
    found = shares(sizes, total)
    assert sum(found.values()) == min(total, sum(sizes.values()))
    assert all(found[name] <= sizes[name] for name in sizes)
    open_ = [found[name] for name in sizes if found[name] < sizes[name]]
    assert not open_ or max(found.values()) <= max(open_) + 1


def test_a_sample_is_drawn_once_each_and_again_the_same() -> None:
    drawn = draw(population(30, 100, 5000), 40, [1, 2020])
    assert drawn["stratum"].value_counts().to_dict() == {"detected": 30, "near": 20, "below": 20}
    assert drawn["patch_id"].is_unique
    assert set(drawn.loc[drawn["stratum"] == "below", "stratum_patches"]) == {5000}
    pd.testing.assert_frame_equal(drawn, draw(population(30, 100, 5000).sample(frac=1.0), 40, [1, 2020]))


def labelled(path: Path, rows: list[tuple[str, int, str]]) -> Path:
    """A sample file with (stratum, its patches, class)."""
    features = [
        {
            "type": "Feature",
            "geometry": None,
            "properties": {"sample_id": f"s{n}", "stratum": stratum, "stratum_patches": size, "class": said},
        }
        for n, (stratum, size, said) in enumerate(rows)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_precision_is_the_share_with_wilsons_interval_and_recall_that_of_the_strata(tmp_path: Path) -> None:
    rows = [("detected", 100, "mine")] * 45 + [("detected", 100, "other")] * 5
    rows += [("near", 200, "mine")] * 5 + [("near", 200, "other")] * 45
    rows += [("below", 10_000, "other")] * 50 + [("below", 10_000, "unsure"), ("below", 10_000, "")]
    found = accuracy(read_labels(labelled(tmp_path / "s.geojson", rows)))
    assert found.precision is not None
    assert found.recall is not None
    between = wilson(45, 50)
    assert found.precision.value == pytest.approx(0.9)
    assert (found.precision.low, found.precision.high) == (between.low, between.high)
    assert found.recall.value == pytest.approx(90 / (90 + 20))
    assert found.recall.low < 90 / 110 < found.recall.high
    assert (found.labelled, found.unsure, found.unlabelled) == (150, 1, 1)
    assert sentences(found)[0].startswith("precision: 90.0% (78.6% to 95.7%)")


def test_intervals_of_recall_hold_what_is_true_about_as_often_as_they_say(tmp_path: Path) -> None:
    """Of 400 samples of a population with a recall of 80 %."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        rows = []
        for stratum, size, mines, drawn in (
            ("detected", 400, 360, 100),
            ("near", 600, 60, 100),
            ("below", 9000, 30, 100),
        ):
            truth = np.zeros(size, bool)
            truth[:mines] = True
            rows += [(stratum, size, "mine" if one else "other") for one in rng.choice(truth, drawn, replace=False)]
        found = accuracy(read_labels(labelled(tmp_path / "s.geojson", rows))).recall
        assert found is not None
        held += found.low <= 360 / 450 <= found.high
    assert held >= 0.92 * 400


def test_a_stratum_without_labels_leaves_recall_open_and_says_so(tmp_path: Path) -> None:
    rows = [("detected", 100, "mine")] * 5 + [("below", 1000, "")] * 5
    found = accuracy(read_labels(labelled(tmp_path / "s.geojson", rows)))
    assert found.precision is not None
    assert found.recall is None
    assert sentences(found)[-1] == "too few labels in below (0 labelled): label at least 2 patches of each"


def test_precision_by_country_weighs_strata_by_their_patches(tmp_path: Path) -> None:
    rows = [("detected XAA", 900, "mine")] * 20 + [("detected XBB", 100, "other")] * 20
    found = accuracy(read_labels(labelled(tmp_path / "s.geojson", rows)))
    assert found.precision is not None
    assert found.precision.value == pytest.approx(0.9)


def test_another_class_or_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="s0 has the class 'river'; give it one of mine, other, unsure"):
        read_labels(labelled(tmp_path / "s.geojson", [("detected", 5, "river")]))
    (tmp_path / "no.geojson").write_text("{}")
    with pytest.raises(BadInputError, match="is no sample of detections"):
        read_labels(tmp_path / "no.geojson")
