"""Several partitions at once: the same results as one after the other, and workers that are killed or stopped."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import dagster as dg
import pytest

from commands import DEMO, Command, command
from dagster_project.instance import open_instance
from dagster_project.run_locks import UNFINISHED
from tiny import Chain, at_work

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TWO = ("--jobs", "2")
YEARS = ("2017", "2018")
RUN = ("run", "--select", "imagery", "--years", "2017-2019")
REGION = "alder-basin"
MADE_ANEW = ("imagery", "chips", "segmentation/raw_masks", "polygons", "tables", "validation")
"""All but sites and model, whose training takes as long as the rest together."""


def workers(chain: Chain) -> set[int]:
    """Worker processes of commands over a project."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        home = f"MINEMAP_HOME={chain.environment.home}\0".encode()
        if b"dagster_project.worker_process" in words and home in environment:
            found.add(int(process.name))
    return found


def at(chain: Chain, asset: str) -> int:
    """The process that makes a partition of an asset now; 0 where none does."""
    for work in at_work(chain):
        if work.startswith(asset):
            try:
                holder = json.loads((chain.folder / "lake" / ".staging" / f"{work}.lock").read_bytes())
            except (OSError, ValueError):  # it is over by now, or has not said so yet
                continue
            if int(holder["pid"]) in workers(chain):
                return int(holder["pid"])
    return 0


def without_imagery(finished: Chain, folder: Path) -> Chain:
    """A finished project that lacks the imagery of a region's two years."""
    chain = finished.copied(folder)
    for year in YEARS:
        shutil.rmtree(folder / "lake" / "imagery" / "imagery" / REGION / year)
    return chain


def unfinished(chain: Chain) -> list[str]:
    with open_instance(chain.environment.dagster_home) as instance:
        held = instance.event_log_storage.get_concurrency_run_ids()
        return [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))] + sorted(held)


def test_two_at_once_make_what_one_after_the_other_makes(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    for room in MADE_ANEW:
        shutil.rmtree(chain.folder / "lake" / room)
    ended = command(chain, *DEMO, *TWO)
    assert ended.code == 0, ended.text
    made = ended.said("made")
    assert len(made) == len(set(made))
    assert chain.contents() == finished.contents()
    assert not workers(chain)
    assert not unfinished(chain)
    again = command(chain, *DEMO, *TWO)
    assert again.code == 0, again.text
    assert not again.said("made")


def test_a_worker_that_is_killed_has_its_step_begun_again_by_another(finished: Chain, tmp_path: Path) -> None:
    chain = without_imagery(finished, tmp_path / "copy")
    run = Command(chain, *RUN, *TWO)
    assert run.wait_for(lambda: at(chain, "imagery~imagery") != 0)
    os.kill(at(chain, "imagery~imagery"), signal.SIGKILL)
    ended = run.end()
    assert ended.code == 0, ended.text
    assert re.search(r"the process that made imagery \S+ 201\d was ended from outside \(SIGKILL\)", ended.text)
    assert len(ended.said("made")) == len(YEARS)
    assert chain.contents() == finished.contents()
    assert not unfinished(chain)


def test_killed_again_and_again_a_step_fails_and_holds_up_no_other(finished: Chain, tmp_path: Path) -> None:
    chain = without_imagery(finished, tmp_path / "copy")
    run = Command(chain, *RUN, *TWO)
    killed: set[int] = set()
    first = ""
    while len(killed) < 2:
        assert run.wait_for(lambda: at(chain, "imagery~imagery") not in {0, *killed})
        first = first or next(work for work in at_work(chain) if work.startswith("imagery~imagery"))
        assert first in at_work(chain), "another partition is in work"
        worker = at(chain, "imagery~imagery")
        killed.add(worker)
        os.kill(worker, signal.SIGKILL)
    ended = run.end()
    assert ended.code == 1, ended.text
    assert "its process was ended from outside 2 times (SIGKILL), for want of memory perhaps" in ended.text
    assert len(ended.said("failed")) == 1
    assert len(ended.said("made")) == 1
    assert not unfinished(chain)
    assert command(chain, *RUN, *TWO).code == 0
    assert chain.contents() == finished.contents()


def test_a_stop_ends_all_workers_and_gives_back_what_they_held(finished: Chain, tmp_path: Path) -> None:
    chain = without_imagery(finished, tmp_path / "copy")
    run = Command(chain, *RUN, *TWO)
    assert run.wait_for(lambda: at(chain, "imagery~imagery") != 0)
    ended = run.end(signal.SIGINT)
    assert ended.code == 130, ended.text
    assert ended.seconds < 5.0
    assert re.search(r"Stopped with \d of \d asset partitions done and \d left", ended.text), ended.text
    assert "Traceback" not in ended.text
    assert not workers(chain)
    assert not unfinished(chain)


def test_workers_end_with_a_command_that_is_killed(finished: Chain, tmp_path: Path) -> None:
    chain = without_imagery(finished, tmp_path / "copy")
    run = Command(chain, *RUN, *TWO)
    assert run.wait_for(lambda: at(chain, "imagery~imagery") != 0)
    run.end(signal.SIGKILL)
    end = time.monotonic() + 60.0
    while workers(chain):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert command(chain, *RUN, *TWO).code == 0
    assert not unfinished(chain)


def test_the_same_run_twice_at_once_makes_each_partition_once(finished: Chain, tmp_path: Path) -> None:
    chain = without_imagery(finished, tmp_path / "copy")
    both = [Command(chain, *RUN, *TWO) for _ in range(2)]
    ends = [run.end() for run in both]
    assert [end.code for end in ends] == [0, 0], [end.text for end in ends]
    made = [where for end in ends for where in end.said("made")]
    assert len(made) == len(set(made)) == len(YEARS)
    assert chain.contents() == finished.contents()
