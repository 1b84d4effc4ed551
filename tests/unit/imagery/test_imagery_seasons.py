"""Seasons and their months."""

from datetime import date

from minemap_assets.imagery.seasons import SeasonRule, months


def test_the_months_of_a_season_make_it_up() -> None:
    across = SeasonRule(first_month=12, last_month=3).season(2020)
    assert [m.start for m in months(across)] == [date(2020, 12, 1), *(date(2021, m, 1) for m in (1, 2, 3))]
    assert months(across)[-1].end == across.end
