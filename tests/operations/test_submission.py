"""A selection handed to a real daemon: followed to its end, left alone, and refused where nobody would take it up."""

import shutil
import signal
from pathlib import Path

import pytest

from commands import Command, command
from daemons import made_partitions, running_daemon, wait_until
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

SUBMIT = ("run", "--submit", "--years", "2017-2019", "--select")
REDONE = ("tables/country_summary", "validation/reference_validation")


def test_without_a_daemon_or_a_model_nothing_is_submitted(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    ended = command(chain, *SUBMIT, "country_summary")
    assert ended.code == 2
    assert "no daemon is running on the instance in" in ended.text
    refused = command(chain, "run", "--submit", "--promote-anyway")
    assert refused.code == 2
    assert "the daemon makes its runs without --promote-anyway" in refused.text
    assert not made_since_copy(chain)


def made_since_copy(chain: Chain) -> bool:
    """Whether a backfill exists."""
    from dagster_project.instance import open_instance

    with open_instance(chain.environment.dagster_home) as instance:
        return bool(instance.get_backfills())


def test_the_daemon_makes_what_is_not_current_and_the_command_follows(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    lake = tmp_path / "copy" / "lake"
    for name in REDONE:
        shutil.rmtree(lake / name)
    with running_daemon(chain) as daemon, daemon.instance() as instance:
        wait_until(lambda: "BACKFILL" in instance.get_daemon_heartbeats(), "a heartbeat of the daemon")
        followed = command(chain, *SUBMIT, "country_summary,reference_validation")
        assert followed.code == 0, followed.text
        assert "Handed 4 asset partitions to the daemon as backfill" in followed.text
        assert "4 asset partitions made, 0 kept, 0 failed, 0 held up" in followed.text
        assert chain.contents() == finished.contents()
        kept = command(chain, *SUBMIT, "country_summary,reference_validation")
        assert kept.code == 0, kept.text
        assert "0 asset partitions made, 4 kept" in kept.text

        shutil.rmtree(lake / REDONE[0])
        before = sum(made_partitions(instance).values())
        left = Command(chain, *SUBMIT, "country_summary")
        assert left.wait_for(lambda: len(instance.get_backfills()) == 2)
        ended = left.end(signal.SIGINT)
        assert ended.code == 130
        assert "goes on without this command" in ended.text
        wait_until(lambda: sum(made_partitions(instance).values()) == before + 3, "what was left alone")
    assert chain.contents() == finished.contents()
