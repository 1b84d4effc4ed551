"""The measures of a composite from small masks and seasons with figures worked out by hand."""

from datetime import date

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.quality import largest_gap_days, largest_gap_ha, quality
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Composite, Provenance

SEASON = Season(2021, date(2021, 6, 1), date(2021, 7, 1))
"""The thirty days of June."""


def grid(pixels: int, resolution: float = 10.0) -> GeoBox:
    return square_grid(500_000.0, 8_900_000.0, pixels, 32720, resolution)


def test_the_largest_patch_is_joined_by_sides_and_corners() -> None:
    observed = np.ones((8, 8), dtype=np.bool_)
    observed[0, 0] = observed[1, 1] = observed[1, 2] = False
    observed[4:6, 6:8] = False
    observed[7, 5] = False
    assert largest_gap_ha(observed, grid(8)) == pytest.approx(4 * 0.01)
    observed[6, 6] = False
    assert largest_gap_ha(observed, grid(8)) == pytest.approx(6 * 0.01)
    assert largest_gap_ha(observed, grid(8, 5.0)) == pytest.approx(6 * 0.0025)


@pytest.mark.parametrize(("seen", "hectares"), [(True, 0.0), (False, 0.64)])
def test_all_or_nothing_seen(seen: bool, hectares: float) -> None:
    assert largest_gap_ha(np.full((8, 8), seen), grid(8)) == pytest.approx(hectares)


@pytest.mark.parametrize(
    ("days", "gap"),
    [
        (["2021-06-11"], 19),
        (["2021-06-21"], 20),
        (["2021-06-01", "2021-06-30"], 28),
        (["2021-06-30", "2021-06-01", "2021-06-16"], 14),
        (["2021-06-01/2021-06-30"], 0),
        (["2021-05-01/2021-06-10", "2021-06-15/2021-09-01"], 4),
        (["2021-06-05/2021-06-20", "2021-06-08"], 10),
        (["2021-05-01"], 30),
        (["2021-08-01"], 30),
        ([], None),
    ],
)
def test_the_longest_stretch_without_a_picture(days: list[str], gap: int | None) -> None:
    assert largest_gap_days(days, SEASON) == gap


def test_a_season_across_new_year() -> None:
    season = SeasonRule(first_month=12, last_month=2).season(2019)
    assert largest_gap_days(["2019-12-25", "2020-01-10"], season) == 50


def test_every_measure_of_a_composite() -> None:
    count = np.full((4, 4), 3, dtype=np.uint16)
    count[0] = 0
    pixels = np.where(count > 0, 500, 0).astype(np.uint16)[np.newaxis]
    made = Provenance("s", "p", ("a",), "2021-06-11", "2021-06-11", "", True, acquisition_days=("2021-06-11",))
    found = quality(Composite(grid(4), ("red",), pixels, count, made), SEASON)
    assert (found.clear_fraction, found.clear_count_mean, found.largest_gap_days) == (0.75, 2.25, 19)
    assert found.largest_gap_ha == pytest.approx(0.04)
