"""Alerts of failed runs: told once, by every way, without secrets, and again where nobody took them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from alert_posts import SECRET_PATH, Receivers, receivers
from dagster_project.sensors.polling import TICK_SECONDS
from dagster_project.sensors.run_failure_alert import tell_failures
from graphs import Assembled, assembled, instance_with_regions
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH
from servers.alert_receivers import PASSWORD

pytestmark = pytest.mark.integration

KEY = "PLAK-made-up-for-this-test"


@dg.op
def broken(context: dg.OpExecutionContext) -> None:
    """Fails as its run's tags say."""
    raise dg.Failure(context.run.tags["why"], allow_retries=False)


@dg.job
def breaking() -> None:
    """A job that fails."""
    broken()


@dataclass
class Alerts:
    """The sensor, which remembers as the daemon lets it."""

    found: Assembled
    home: ProjectHome
    instance: dg.DagsterInstance
    there: Receivers
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    cursor: str | None = None

    def tick(self) -> None:
        self.now += timedelta(minutes=1)
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, sensor_name="run_failure_alert")
        self.cursor = tell_failures(context, self.home, self.now).cursor

    def fail(self, why: str, partition: str = "alder|2019", **tags: str) -> str:
        wanted = {"why": why, "dagster/partition": partition, **tags}
        return breaking.execute_in_process(instance=self.instance, tags=wanted, raise_on_error=False).run_id


@pytest.fixture
def alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alerts]:
    monkeypatch.chdir(tmp_path)
    with receivers(tmp_path / "receivers") as there, instance_with_regions() as instance:
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PL_API_KEY", KEY)
        found = assembled(tmp_path / "project")
        home = ProjectHome(found.project.lake, found.project.parts)
        one = Alerts(found, home, instance, there)
        one.fail("this was before anybody listened")
        one.tick()
        yield one


def test_a_failure_is_told_once_by_every_way(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINEMAP_UI_URL", "https://mines.example.org/")
    run_id = alerts.fail("Planet refuses the key; copy it again")
    for _ in range(3):
        alerts.tick()
    (post,) = alerts.there.posts
    sentence = (
        f"broken[alder|2019] in run {run_id[:8]} failed: Planet refuses the key; copy it again; "
        f"see https://mines.example.org/runs/{run_id}"
    )
    assert post["text"] == sentence
    (fact,) = post["failures"]
    assert (fact["run_id"], fact["partition"], fact["job"], fact["count"]) == (run_id, "alder|2019", "breaking", 1)
    ((subject, text),) = alerts.there.mails
    assert subject == f"minemap: 1 failure, broken[alder|2019] in run {run_id[:8]}"
    assert text.strip() == sentence
    assert capsys.readouterr().err.count(sentence) == 1


def test_like_failures_are_gathered_and_others_told_at_once(alerts: Alerts) -> None:
    for year in range(2016, 2024):
        alerts.fail(f"no imagery for {year} at site m6gxp2s4k9q", f"birch|{year}")
    alerts.fail("the disk is full")
    alerts.tick()
    (post,) = alerts.there.posts
    assert [fact["count"] for fact in post["failures"]] == [8, 1]
    assert "(and 7 more like it: birch|2017, birch|2018, birch|2019, birch|2020, birch|2021, 2 more)" in post["text"]
    assert len(alerts.there.mails) == 1

    alerts.fail("no imagery for 2024 at site m6gxp2s4k9q", "birch|2024")
    alerts.tick()
    assert len(alerts.there.posts) == 1, "the same was told a minute ago"
    alerts.fail("something new")
    alerts.tick()
    assert [fact["sentence"].split(": ")[1].split(";")[0] for fact in alerts.there.posts[1]["failures"]] == [
        "no imagery for 2024 at site m6gxp2s4k9q",
        "something new",
    ]
    alerts.now += timedelta(hours=7)
    alerts.fail("the disk is full")
    alerts.tick()
    assert len(alerts.there.posts) == 3


@pytest.mark.parametrize("how", [500, 403, "stall"])
def test_a_webhook_that_is_down_loses_nothing_and_holds_up_nobody(
    alerts: Alerts, how: int | str, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts.there.behave(http=how)
    alerts.fail("one")
    alerts.tick()
    alerts.fail("two")
    alerts.tick()
    assert alerts.there.posts == []
    assert len(alerts.there.mails) == 2
    said = capsys.readouterr().err
    assert "the webhook of MINEMAP_ALERT_WEBHOOK did not take 1 alerts" in said
    assert SECRET_PATH not in said
    alerts.there.behave(http=200)
    alerts.tick()
    alerts.tick()
    (post,) = alerts.there.posts
    assert [fact["sentence"].split(": ")[1].split(";")[0] for fact in post["failures"]] == ["one", "two"]
    assert len(alerts.there.mails) == 2


@pytest.mark.parametrize("how", ["refuse", "stall", "drip"])
def test_a_mail_server_that_is_down_loses_nothing(alerts: Alerts, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    alerts.there.behave(smtp=how)
    alerts.fail("one")
    begun = time.monotonic()
    alerts.tick()
    assert time.monotonic() - begun < TICK_SECONDS * 0.75
    assert (len(alerts.there.posts), alerts.there.mails) == (1, [])
    said = capsys.readouterr().err
    assert "the mail server 127.0.0.1 did not take 1 alerts" in said
    alerts.there.behave()
    alerts.tick()
    assert len(alerts.there.mails) == 1


def test_no_secret_is_told(alerts: Alerts, capsys: pytest.CaptureFixture[str]) -> None:
    alerts.fail(
        f"GET https://ada:sesame@example.org/tiles?api_key={KEY}&x=1 with {PASSWORD} and "
        f"http://127.0.0.1:{alerts.there.http_port}{SECRET_PATH} was refused"
    )
    capsys.readouterr()  # what the failing run itself prints
    alerts.tick()
    told = str(alerts.there.posts) + str(alerts.there.mails) + capsys.readouterr().err + str(alerts.cursor)
    assert "https://example.org/tiles?... with *** and *** was refused" in told
    for secret in (KEY, PASSWORD, SECRET_PATH, "sesame"):
        assert secret not in told


def test_a_run_that_is_tried_again_has_not_failed_yet(alerts: Alerts) -> None:
    alerts.fail("its machine is gone", **{"dagster/will_retry": "true"})
    alerts.tick()
    assert alerts.there.posts == []


def test_ways_are_those_of_the_settings(alerts: Alerts) -> None:
    store = alerts.found.project.lake.store
    store.write_bytes(SETTINGS_PATH, b'[operations]\nalerts = ["email"]\n')
    alerts.fail("one")
    alerts.tick()
    assert (alerts.there.posts, len(alerts.there.mails)) == ([], 1)


def test_settings_that_cannot_be_read_keep_nobody_from_being_told(alerts: Alerts) -> None:
    alerts.found.project.lake.store.write_bytes(SETTINGS_PATH, b"[operations]\nalerts = 3\n")
    alerts.fail("minemap.toml: operations.alerts is 3")
    alerts.tick()
    assert len(alerts.there.posts) == 1


def test_half_the_words_for_mails_are_a_sentence(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINEMAP_ALERT_SMTP_TO", "")
    alerts.fail("one")
    alerts.tick()
    assert "set MINEMAP_ALERT_SMTP_FROM and MINEMAP_ALERT_SMTP_TO as well" in capsys.readouterr().err
    assert len(alerts.there.posts) == 1
