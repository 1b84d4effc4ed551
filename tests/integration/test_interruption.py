"""A run that is killed or stopped anywhere goes on from there, and ends with what an undisturbed one makes."""

import re
import shutil
import signal
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
from tiny import YEARS, Chain, at_work

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MOMENTS = {
    "imagery~imagery": 0.3,
    "imagery~reference_imagery": 0.2,
    "chips~chips": 0.1,
    "segmentation~segmentation_model": 3.0,
    "segmentation~model_evaluation": 0.1,
    "segmentation~raw_masks": 0.1,
    "polygons~mining_polygons": 0.05,
    "tables~database": 0.1,
}
"""Seconds into the making of an asset at which its process is killed, where that is not at once."""


def kind_of(room: str, asset: str) -> str:
    """Reference sets are of one kind, and so are the yearly tables."""
    return f"{room}~*" if room == "reference" or (room == "tables" and asset != "database") else f"{room}~{asset}"


def kinds(chain: Chain) -> set[str]:
    """Kinds of all assets of the graph."""
    return {kind_of(asset.room, asset.name) for asset in Graph(chain.registry.rooms, chain.project).assets}


def kills(chain: Chain) -> Iterator[tuple[str, Ended]]:
    """Kill the same command once in every kind of asset, until it comes to its end."""
    done: set[str] = set()

    def fresh() -> set[str]:
        return {kind_of(*work.split("~")[:2]) for work in at_work(chain)} - done

    while True:
        command = Command(chain, *DEMO)
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
    assert not list((tmp_path / "copy" / "lake" / ".staging").iterdir())
