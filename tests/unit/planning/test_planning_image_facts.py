"""Years, bands and periods of images."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.planning.image_facts import bands_of, periods_of, years_of, years_text

from .conftest import image

SUMMER = SeasonRule()
WINTER = SeasonRule(first_month=12, last_month=3)


@pytest.mark.parametrize(
    ("one", "season", "years"),
    [
        (image("2019-07-01"), SUMMER, [2019]),
        (image("2019-02-01"), SUMMER, []),
        (image("2019-02-01"), WINTER, [2018]),
        (image("2018-11-01", end="2020-06-30"), SUMMER, [2018, 2019, 2020]),
        (image("2019-02-01", year=2017), SUMMER, [2017]),
        (image("9999-12-31"), WINTER, []),
        (image("0001-07-01"), SUMMER, [1]),
    ],
)
def test_the_years_of_an_image(one: Image, season: SeasonRule, years: list[int]) -> None:
    assert years_of(one, season) == years


def test_bands_that_all_have_or_else_those_of_most() -> None:
    shared = [image("2019-07-01", bands=("nir", "red")), image("2019-08-01", bands=("red", "green"))]
    assert bands_of("sentinel-2-l1c", shared) == ("red",)
    apart = [image("2019-07-01", bands=("nir", "red")), *[image("2019-08-01", bands=("blue",))] * 2]
    assert bands_of("sentinel-2-l1c", apart) == ("blue",)


def test_periods_are_runs_of_years() -> None:
    assert periods_of("p", [2021, 2016, 2017]) == [
        {"product": "p", "from": 2016, "until": 2017},
        {"product": "p", "from": 2021, "until": 2021},
    ]


@given(st.sets(st.integers(2015, 2035), min_size=1))
def test_years_are_written_as_they_are_read(years: set[int]) -> None:
    read: set[int] = set()
    for part in years_text(sorted(years)).split(","):
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == years
