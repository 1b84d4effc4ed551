"""Splits: whole groups, the same everywhere, near their shares, none empty."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.chips.split import LEAST, MOST, SPLITS, position, split_groups

GROUPS = st.dictionaries(st.text(min_size=1, max_size=6), st.integers(1, 12), min_size=3, max_size=40)


def ones(names: list[str]) -> dict[str, int]:
    return dict.fromkeys(names, 1)


@given(GROUPS, st.integers(0, 20))
def test_no_split_of_three_or_more_groups_is_empty(weights: dict[str, int], seed: int) -> None:
    chosen = split_groups(weights, seed, 0.15, 0.15)
    assert set(chosen) == set(weights)
    assert set(chosen.values()) == set(SPLITS)


@given(GROUPS, st.integers(0, 20))
def test_order_changes_nothing(weights: dict[str, int], seed: int) -> None:
    turned = dict(reversed(list(weights.items())))
    assert split_groups(weights, seed, 0.15, 0.15) == split_groups(turned, seed, 0.15, 0.15)


@given(st.integers(0, 60), st.integers(12, 60))
def test_shares_are_near_what_was_asked_for(seed: int, count: int) -> None:
    weights = {f"g{i}": 1 + (i % 3) for i in range(count)}
    chosen = split_groups(weights, seed, 0.2, 0.2)
    total = sum(weights.values())
    for split in ("validation", "test"):
        held = sum(weights[n] for n, s in chosen.items() if s == split)
        assert LEAST * 0.2 * total <= held <= MOST * 0.2 * total


def test_one_large_group_is_trained_on() -> None:
    for seed in range(20):
        chosen = split_groups({"large": 40, **{f"g{i}": 1 for i in range(9)}}, seed, 0.15, 0.15)
        assert chosen["large"] == "train"


def test_a_group_keeps_its_side_among_other_groups() -> None:
    here = split_groups(ones([f"a{i}" for i in range(200)]), 0, 0.15, 0.15)
    there = split_groups(ones([f"a{i}" for i in range(100, 360)]), 0, 0.15, 0.15)
    shared = set(here) & set(there)
    assert len(shared) == 100
    assert {g: here[g] for g in shared} == {g: there[g] for g in shared}


def test_shares_hold_on_average() -> None:
    counts = Counter(split_groups(ones([f"site-{i}" for i in range(4000)]), 3, 0.2, 0.1).values())
    assert abs(counts["validation"] / 4000 - 0.2) < 0.02
    assert abs(counts["test"] / 4000 - 0.1) < 0.02


def test_the_seed_changes_the_split() -> None:
    names = ones([f"site-{i}" for i in range(40)])
    assert split_groups(names, 0, 0.2, 0.2) != split_groups(names, 1, 0.2, 0.2)
    assert position("a", 0) != position("a", 1)


def test_few_groups_have_a_documented_fallback() -> None:
    assert split_groups({"only": 3}, 0, 0.15, 0.15) == {"only": "train"}
    assert sorted(split_groups({"one": 1, "two": 9}, 0, 0.15, 0.15).values()) == ["train", "validation"]


def test_a_share_of_zero_leaves_its_split_empty() -> None:
    chosen = split_groups(ones([f"s{i}" for i in range(30)]), 0, 0.2, 0.0)
    assert "test" not in chosen.values()
    assert "validation" in chosen.values()
