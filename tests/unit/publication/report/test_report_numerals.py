"""How numbers read: what is missing is never zero, what is not whole never reads as whole, and rounding is honest."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.publication.report import numerals as say

AREAS = st.floats(min_value=0.0, max_value=1e7, allow_nan=False)


@pytest.mark.parametrize("value", [None, math.nan, pd.NA, pd.NaT], ids=["none", "nan", "na", "nat"])
def test_what_is_missing_is_said_and_is_not_zero(value: object) -> None:
    assert say.shown(value, say.area) == "not observed"
    assert say.shown(value, say.area, "no estimate") == "no estimate"
    assert say.as_number(value) is None


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], "none"])
def test_zero_and_empty_words_are_there(value: object) -> None:
    assert not say.is_missing(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0.0, "0"),
        (0.0004, "<\N{NO-BREAK SPACE}0.001"),
        (0.0005, "0.001"),
        (0.514729, "0.515"),
        (0.9996, "1.00"),
        (66.4, "66.40"),
        (99.996, "100.0"),
        (999.96, "1,000"),
        (66_400.2, "66,400"),
        (-0.25, "\N{MINUS SIGN}0.250"),
    ],
)
def test_areas_have_digits_by_their_size(value: float, read: str) -> None:
    assert say.area(value) == read


@given(AREAS)
def test_an_area_that_is_not_zero_never_reads_as_zero(value: float) -> None:
    read = say.area(value)
    assert (read == "0") == (value == 0.0)
    assert float(read.lstrip("<\N{NO-BREAK SPACE}").replace(",", "")) == pytest.approx(value, rel=0.01, abs=0.001)


@given(st.floats(min_value=0.0, max_value=1.0))
def test_a_share_reads_as_all_or_nothing_only_where_it_is(value: float) -> None:
    read = say.share(value)
    assert (read == "0.0\N{NO-BREAK SPACE}%") == (value == 0.0)
    assert (read == "100.0\N{NO-BREAK SPACE}%") == (value == 1.0)


@given(st.floats(min_value=0.0, max_value=1.0))
def test_a_probability_reads_as_sure_only_where_it_is(value: float) -> None:
    assert (say.probability(value) == "1.000") == (value == 1.0)
    assert (say.probability(value) == "0.000") == (value == 0.0)


def test_differences_have_signs() -> None:
    assert say.change(0.227) == "+0.227"
    assert say.change(-0.006) == "\N{MINUS SIGN}0.006"
    assert say.change(0.0) == "0"


def test_an_interval_with_one_end_is_none() -> None:
    assert say.interval(0.1, 0.2, say.score) == "0.100 to 0.200"
    assert say.interval(0.1, None, say.score) == "none"
    assert say.interval(math.nan, 0.2, say.score, "too few places") == "too few places"


def test_lists_say_what_they_leave_out() -> None:
    assert say.listed(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert say.counted(1, "country", "countries") == "1\N{NO-BREAK SPACE}country"
    assert say.counted(1_200, "country", "countries") == "1,200\N{NO-BREAK SPACE}countries"
