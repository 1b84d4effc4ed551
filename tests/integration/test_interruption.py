"""A run that is killed or stopped anywhere goes on from there, and ends with what an undisturbed one makes."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from commands import DEMO, Command, Ended
from dagster_project.instance import open_instance
from dagster_project.run_locks import UNFINISHED
from minemap_assets.graph.graph import Graph
from screen import screen
from tiny import YEARS, Chain, at_work

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MOMENTS = {
    "imagery~imagery": 0.3,
    "imagery~reference_imagery": 0.2,
    "chips~*": 0.1,
    "segmentation~segmentation_model": 3.0,
    "segmentation~*": 0.1,
    "segmentation~raw_masks": 0.1,
    "polygons~mining_polygons": 0.05,
    "tables~database": 0.1,
}
"""Seconds into the making of an asset at which its process is killed, where that is not at once."""


OWN = {
    ("imagery", "imagery"),
    ("imagery", "reference_imagery"),
    ("segmentation", "segmentation_model"),
    ("segmentation", "promoted_model"),
    ("segmentation", "raw_masks"),
    ("polygons", "mining_polygons"),
    ("tables", "database"),
}
"""Assets that are written in a way of their own; the others of a room are written alike."""


def kind_of(room: str, asset: str) -> str:
    """A way of writing."""
    return f"{room}~{asset}" if (room, asset) in OWN else f"{room}~*"


def kinds(chain: Chain) -> set[str]:
    """Kinds of all assets that a run makes."""
    return {kind_of(asset.room, asset.name) for asset in Graph(chain.registry.rooms, chain.project).standard}


def kills(chain: Chain) -> Iterator[tuple[str, Ended]]:
    """Kill the same command once in every kind of asset, until it comes to its end."""
    done: set[str] = set()

    def fresh() -> set[str]:
        return {kind_of(*work.split("~")[:2]) for work in at_work(chain)} - done

    while True:
        command = Command(chain, *DEMO, "--jobs", "1")  # so that a kill hits one run of Dagster's
        if not command.wait_for(lambda: bool(fresh())):
            yield "", command.end()
            return
        # where it is over by now, the next partition of its kind is as good
        for kind in sorted(fresh())[:1]:
            done.add(kind)
            time.sleep(MOMENTS.get(kind, 0.0))
            yield kind, command.end(signal.SIGKILL)
        if command.runs:
            command.end(signal.SIGKILL)


def rows(chain: Chain) -> dict[str, list[tuple[object, ...]]]:
    with closing(duckdb.connect(str(chain.folder / "state" / "minemap.duckdb"), read_only=True)) as database:
        return {
            name: database.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            for name in ("site_panel", "country_summary", "region_summary", "imagery_clarity", "minemap_info")
        }


@pytest.mark.chaos
def test_killed_in_every_kind_of_asset_it_ends_as_if_undisturbed(finished: Chain, tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    ends = list(kills(chain))
    killed = {kind for kind, end in ends if end.code == -signal.SIGKILL}
    assert killed == kinds(chain)
    assert ends[-1][1].code == 0, ends[-1][1].text

    made = [where for _, end in ends for where in end.said("made")]
    assert len(made) == len(set(made)), "something whole was made again"
    assert ends[-1][1].text.count("kept") > 50

    assert chain.contents() == finished.contents()
    assert rows(chain) == rows(finished)
    assert not list((tmp_path / "lake" / ".staging").iterdir())
    assert not list((tmp_path / "state" / ".staging").iterdir())
    with open_instance(chain.environment.dagster_home) as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        assert len(failed) == len(killed)
        for asset in ("imagery/imagery", "polygons/mining_polygons"):
            recorded = instance.get_materialized_partitions(dg.AssetKey(asset.split("/")))
            assert len(recorded) == 2 * len(YEARS)


@pytest.mark.parametrize(
    ("number", "asset", "seconds"),
    [
        (signal.SIGINT, "imagery/imagery", 0.2),
        (signal.SIGINT, "segmentation/segmentation_model", 2.0),
        (signal.SIGTERM, "segmentation/segmentation_model", 2.0),
        (signal.SIGTERM, "segmentation/raw_masks", 0.0),
    ],
)
def test_a_stop_takes_less_than_five_seconds_and_says_what_is_left(
    finished: Chain, tmp_path: Path, number: signal.Signals, asset: str, seconds: float
) -> None:
    chain = finished.copied(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "lake" / asset)
    work = asset.replace("/", "~")
    command = Command(chain, *DEMO)
    assert command.wait_for(lambda: any(name.startswith(work) for name in at_work(chain)))
    time.sleep(seconds)
    end = command.end(number)
    assert end.code == 130, end.text
    assert end.seconds < 5.0
    told = re.search(r"Stopped with (\d+) of (\d+) asset partitions done and (\d+) left", end.text)
    assert told is not None, end.text
    done, total, left = (int(n) for n in told.groups())
    assert done == len(end.said("kept")) + len(end.said("made")) > 0
    assert left == total - done
    assert f"{asset.split('/')[1]} (" in end.text.split("Left: ")[1]
    assert "Traceback" not in end.text
    with open_instance(chain.environment.dagster_home) as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    # who does not come to its end in time is ended as it stands: what it leaves nobody holds
    lake = chain.project.lake
    lake.tidy()
    assert not list((tmp_path / "copy" / "lake" / ".staging").iterdir())


PROMPT = "$"

IN_A_TERMINAL = f"""
import fcntl, os, signal, termios, time
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
command = os.fork()
if command:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = os.waitpid(command, 0)[1]
    time.sleep(0.5)
    os._exit(os.waitstatus_to_exitcode(status) % 256)
os.write(1, b"{PROMPT}\\n")
from dagster_project.cli.entry import minemap
minemap()
"""
"""What a shell does: it holds the terminal, and outlives the command, whose last words would be lost with it."""


class AtTerminal:
    """A command in a terminal of its own, whose keys reach the command and all that it started."""

    def __init__(self, chain: Chain, *words: str) -> None:
        own = {"MINEMAP_HOME": chain.environment.home, "MINEMAP_STATE": str(chain.environment.state), "TERM": "xterm"}
        self.written = ""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        command = [sys.executable, "-c", IN_A_TERMINAL, *words]
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | own,
            start_new_session=True,
        )
        os.close(theirs)
        self._terminal = ours
        assert self.read(until=PROMPT)
        self.written = ""

    def read(self, until: str = "", seconds: float = 120.0) -> bool:
        """Read what is written, until some words appear; False where it ended before."""
        end = time.monotonic() + seconds
        while not until or until not in self.written:
            if time.monotonic() > end:
                self._process.kill()
                raise TimeoutError(self.written)
            if select.select([self._terminal], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    return False
        return True

    def press_ctrl_c(self) -> tuple[int, list[str]]:
        """Exit code, and what stands on the screen in the end."""
        os.write(self._terminal, b"\x03")
        self.read()
        os.close(self._terminal)
        return self._process.wait(), screen(self.written)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.8])
def test_ctrl_c_while_everything_is_imported_leaves_one_word(finished: Chain, seconds: float) -> None:
    terminal = AtTerminal(finished, "run", "--years", "2017")
    time.sleep(seconds)
    code, lines = terminal.press_ctrl_c()
    assert code == 130, lines
    lines = [line for line in lines if line]
    assert lines in (["^Cstopped"], ["stopped"])


@pytest.mark.parametrize(
    ("asset", "words"),
    [("imagery", "imagery alder-basin"), ("segmentation_model", "training step")],
)
def test_ctrl_c_in_a_terminal_leaves_the_summary_and_nothing_else(
    finished: Chain, tmp_path: Path, asset: str, words: str
) -> None:
    chain = finished.copied(tmp_path / "copy")
    terminal = AtTerminal(chain, "run", "--select", asset, "--years", "2017", "--force")
    assert terminal.read(until=words), terminal.written
    code, lines = terminal.press_ctrl_c()
    assert code == 130, lines
    lines = [line for line in lines if not line.startswith("Note: ")]
    assert len(lines) == 2, lines
    assert re.match(r"Stopped with \d of \d asset partitions done and \d left; the same command goes on", lines[0])
    assert lines[1].startswith(f"Left: {asset} (")
    assert terminal.written.rstrip().endswith(").")
    assert "\x1b[?25h" in terminal.written, "the cursor stays hidden"
