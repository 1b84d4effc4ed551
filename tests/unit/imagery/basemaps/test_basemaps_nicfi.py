"""The NICFI programme's calendar."""

import pytest

from minemap_assets.imagery.basemaps.nicfi import expected_mosaics
from minemap_assets.imagery.seasons import SeasonRule


@pytest.mark.parametrize(("year", "months"), [(2016, 1), (2019, 1), (2020, 4), (2021, 6), (2024, 6), (2025, 0)])
def test_the_basemaps_of_a_season_follow_their_cadence(year: int, months: int) -> None:
    assert len(expected_mosaics(SeasonRule().season(year))) == months
