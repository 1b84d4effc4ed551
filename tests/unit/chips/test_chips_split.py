"""Splits: whole groups, the same everywhere, none empty."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.chips.split import SPLITS, position, split_groups

NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=3, max_size=40, unique=True)


@given(NAMES, st.integers(0, 20))
def test_no_split_of_three_or_more_groups_is_empty(names: list[str], seed: int) -> None:
    chosen = split_groups(names, seed, 0.15, 0.15)
    assert set(chosen) == set(names)
    assert set(chosen.values()) == set(SPLITS)


@given(NAMES, st.integers(0, 20))
def test_order_and_repetition_change_nothing(names: list[str], seed: int) -> None:
    assert split_groups(names, seed, 0.15, 0.15) == split_groups([*reversed(names), names[0]], seed, 0.15, 0.15)


def test_a_group_keeps_its_side_among_other_groups() -> None:
    here = split_groups([f"a{i}" for i in range(50)], 0, 0.15, 0.15)
    there = split_groups([f"a{i}" for i in range(25, 90)], 0, 0.15, 0.15)
    shared = set(here) & set(there)
    assert len(shared) == 25
    assert {g: here[g] for g in shared} == {g: there[g] for g in shared}


def test_shares_hold_on_average() -> None:
    counts = Counter(split_groups([f"site-{i}" for i in range(4000)], 3, 0.2, 0.1).values())
    assert abs(counts["validation"] / 4000 - 0.2) < 0.02
    assert abs(counts["test"] / 4000 - 0.1) < 0.02


def test_the_seed_changes_the_split() -> None:
    names = [f"site-{i}" for i in range(40)]
    assert split_groups(names, 0, 0.2, 0.2) != split_groups(names, 1, 0.2, 0.2)
    assert position("a", 0) != position("a", 1)


def test_few_groups_have_a_documented_fallback() -> None:
    assert split_groups(["only"], 0, 0.15, 0.15) == {"only": "train"}
    assert sorted(split_groups(["one", "two"], 0, 0.15, 0.15).values()) == ["train", "validation"]


def test_a_share_of_zero_leaves_its_split_empty() -> None:
    chosen = split_groups([f"s{i}" for i in range(30)], 0, 0.2, 0.0)
    assert "test" not in chosen.values()
