"""One-off seasons in the settings."""

from datetime import date

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.seasons import Season
from minemap_assets.snapshots.config import SnapshotsConfig
from projects import settings_of


def test_a_season_is_its_days_and_belongs_to_the_year_in_which_it_begins() -> None:
    settings = settings_of("[snapshots.seasons]\nwet = { start = 2019-12-01, end = 2020-03-01 }")
    season = settings.section(SnapshotsConfig).seasons["wet"].season
    assert season == Season(2019, date(2019, 12, 1), date(2020, 3, 1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wet = { start = 2020-03-01, end = 2020-03-01 }", "is not after start"),
        ('"Wet season" = { start = 2020-03-01, end = 2020-04-01 }', "cannot name a season"),
        ("wet = { start = 2020-03-01 }", "end"),
    ],
)
def test_what_is_no_season_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        settings_of(f"[snapshots.seasons]\n{text}")
