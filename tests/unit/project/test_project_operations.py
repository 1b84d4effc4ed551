"""The settings of what runs by itself."""

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.project.operations import OperationsConfig
from projects import settings_of


def test_the_annual_update_comes_when_the_settings_say_so() -> None:
    assert OperationsConfig().annual_cron == "0 6 15 1 *"
    assert OperationsConfig(annual_month=4, annual_day=3, annual_hour=22).annual_cron == "0 22 3 4 *"


def test_a_way_is_named_once() -> None:
    assert settings_of('[operations]\nalerts = ["email", "email"]').section(OperationsConfig).alerts == ("email",)


@pytest.mark.parametrize("text", ["annual_day = 31", 'alerts = ["pigeon"]', "retry_minutes = -1", "automatik = true"])
def test_wrong_settings_are_a_sentence(text: str) -> None:
    with pytest.raises(BadInputError, match=r"\[?operations"):
        settings_of(f"[operations]\n{text}")
