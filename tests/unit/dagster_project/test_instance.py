"""Dagster's configuration on a machine: written once, brought up to date, and never over what a person wrote."""

from pathlib import Path

import pytest

from dagster_project.instance import CONFIGURATION, lacking, open_instance
from dagster_project.launching import WatchingRunLauncher
from minemap_assets.errors import BadInputError

EARLIER = """\
# Dagster's configuration on this machine; see docs/architecture.md.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
  runs:
    max_concurrent_runs: 2
"""


def configured(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    path = home / "dagster.yaml"
    path.write_text(text)
    return path


def test_a_new_instance_gives_back_what_killed_processes_held(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        assert isinstance(instance.run_launcher, WatchingRunLauncher)
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] <= 30
        assert instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure
        runs = instance.get_concurrency_config().run_queue_config
        assert runs is not None
        assert runs.max_concurrent_runs >= 2
    assert lacking(tmp_path) == ""


def test_what_an_earlier_version_wrote_is_brought_up_to_date(tmp_path: Path) -> None:
    path = configured(tmp_path, EARLIER)
    assert "does not set run_launcher, run_monitoring.enabled" in lacking(tmp_path)
    open_instance(tmp_path).dispose()
    assert lacking(tmp_path) == ""
    assert "WatchingRunLauncher" in path.read_text()


def test_what_a_person_wrote_stays_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    text = EARLIER.replace("default_limit: 1", "default_limit: 3") + "run_monitoring:\n  enabled: true\n"
    path = configured(tmp_path, text)
    open_instance(tmp_path).dispose()
    assert path.read_text() == text
    said = lacking(tmp_path)
    assert "does not set run_launcher, run_monitoring.free_slots_after_run_end_seconds, run_retries.enabled:" in said
    configured(tmp_path, CONFIGURATION.replace("enabled: true", "enabled: false"))
    assert "does not set run_monitoring.enabled, run_retries.enabled:" in lacking(tmp_path)


@pytest.mark.parametrize("text", ["concurrency: [", "concurrency: 3\n", "nonsense: true\n"])
def test_what_dagster_cannot_read_is_said_in_a_sentence(tmp_path: Path, text: str) -> None:
    configured(tmp_path, text)
    with pytest.raises(BadInputError, match="correct it, or remove it"):
        lacking(tmp_path)
