"""Where alerts go: read from the environment, and told to nobody."""

import pytest

from dagster_project.alerts.alert_environment import link_to, read_alert_environment, without_secrets
from minemap_assets.errors import BadInputError


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEMAP_ALERT_SMTP_PORT", "many")
    with pytest.raises(BadInputError, match="MINEMAP_ALERT_SMTP_PORT"):
        read_alert_environment()


def test_secrets_are_not_shown_with_what_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEMAP_ALERT_WEBHOOK", "https://hooks.example.org/T0/made-up")
    monkeypatch.setenv("MINEMAP_ALERT_SMTP_PASSWORD", "made-up-password")
    monkeypatch.setenv("MINEMAP_ALERT_SMTP_TO", "one@example.org,, two@example.org ")
    found = read_alert_environment()
    assert "made-up" not in repr(found) + str(found)
    assert found.readers == ["one@example.org", "two@example.org"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://ada:pw@example.org/a?key=1 failed", "https://example.org/a?... failed"),
        ("is it right? yes", "is it right? yes"),
        ("Planet refuses made-up-key-1", "Planet refuses ***"),
    ],
)
def test_what_may_be_secret_is_left_out(monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    monkeypatch.setenv("SOME_API_KEY", "made-up-key-1")
    assert without_secrets(text) == told


def test_links_lead_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert link_to("abc") == ""
    monkeypatch.setenv("MINEMAP_UI_URL", "https://mines.example.org/")
    assert link_to("abc") == "https://mines.example.org/runs/abc"
