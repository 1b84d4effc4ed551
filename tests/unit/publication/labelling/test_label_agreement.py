"""Agreement of two people, against worked examples of the papers, and what must hold of any two."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minemap_assets.publication.labelling.agreement import by_class, cross_table, kappa

tables = arrays(np.int64, (3, 3), elements=st.integers(0, 40))


def test_kappa_of_cohens_own_example() -> None:
    """Cohen (1960), table 1: two psychologists and 200 patients in three classes."""
    found = kappa(np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]]))
    assert (found.observed, found.by_chance) == pytest.approx((0.70, 0.41))
    assert found.value == pytest.approx(0.492, abs=5e-4)
    assert found.points == 200


def test_kappa_of_two_physicians() -> None:
    """Viera and Garrett (2005), table 2: 100 answers, yes or no."""
    found = kappa(np.array([[15, 5], [10, 70]]))
    assert (found.observed, found.by_chance) == pytest.approx((0.85, 0.65))
    assert found.value == pytest.approx(0.57, abs=5e-3)


def test_interval_of_fleiss_cohen_and_everitt() -> None:
    """Fleiss, Cohen and Everitt (1969), table 1: kappa 0.429, whose variance is 0.002885, from 200 subjects."""
    found = kappa(np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found.value == pytest.approx(0.429, abs=5e-4)
    error = (found.high - found.low) / 2 / 1.959964
    assert error**2 == pytest.approx(0.002885, abs=1e-6)


def test_specific_agreement_by_hand() -> None:
    counts = cross_table(["a", "a", "b", "a"], ["a", "b", "b", "a"], ["a", "b", "c"])
    first, second, third = by_class(counts, ["a", "b", "c"])
    assert (first.first, first.second, first.both, first.share) == (3, 2, 2, 0.8)
    assert (second.first, second.second, second.both, second.share) == (1, 2, 1, pytest.approx(2 / 3))
    assert math.isnan(third.share)


@given(tables)
def test_kappa_does_not_depend_on_who_is_first_or_on_the_order_of_classes(counts: np.ndarray) -> None:
    found = kappa(counts)
    for other in (kappa(counts.T), kappa(counts[::-1, ::-1])):
        assert other.value == pytest.approx(found.value, nan_ok=True)
        assert other.low == pytest.approx(found.low, nan_ok=True, abs=1e-9)


@given(tables)
def test_kappa_is_one_only_where_both_always_agree(counts: np.ndarray) -> None:
    found = kappa(counts)
    if math.isnan(found.value):
        rows, columns = counts.sum(1), counts.sum(0)
        assert not counts.any() or (rows > 0).sum() == (columns > 0).sum() == 1
        return
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0
    assert (found.value == pytest.approx(1.0)) == (np.trace(counts) == counts.sum())


@given(st.lists(st.integers(1, 50), min_size=2, max_size=4), st.lists(st.integers(1, 50), min_size=4, max_size=4))
def test_answers_that_have_nothing_to_do_with_each_other_agree_by_chance(one: list[int], other: list[int]) -> None:
    size = len(one)
    found = kappa(np.outer(one, other[:size]))
    assert found.value == pytest.approx(0.0, abs=1e-9)


@given(tables)
def test_shares_of_classes_weighted_by_their_answers_are_the_observed_agreement(counts: np.ndarray) -> None:
    classes = by_class(counts, ["a", "b", "c"])
    given_in_all = sum(one.first + one.second for one in classes)
    if given_in_all:
        whole = sum(one.share * (one.first + one.second) for one in classes if not math.isnan(one.share)) / given_in_all
        assert whole == pytest.approx(kappa(counts).observed)
