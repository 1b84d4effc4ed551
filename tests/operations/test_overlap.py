"""Two people ask for the same at the same time: both are served, and every partition is made once.

Meanwhile it is watched that no credential is seen in the list of processes, or written down by any of them.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backfills import begin_backfill, made_now, runs_of, wait_for_backfills
from daemons import Daemon, running_daemon
from held_steps import UNHURRIED
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

ASSETS = ("imagery/imagery", "chips/chips", "segmentation/raw_masks", "polygons/raw_polygons")

SECRET = "PLAK-planted-0f3b9a72c5d84e16"


def test_identical_backfills_at_the_same_time_both_succeed_and_make_everything_once(
    finished: Chain, tmp_path: Path
) -> None:
    chain = finished.copied(tmp_path / "chain")
    before, year = chain.contents(), "2019"
    regions = chain.project.active_regions()
    for asset in ASSETS:
        for region in regions:
            shutil.rmtree(chain.folder / "lake" / asset / region / year)
    partitions = [f"{region}|{year}" for region in regions]
    begun = time.time()
    planted = {"PL_API_KEY": SECRET, "CDSE_S3_SECRET_KEY": SECRET}
    with (
        running_daemon(chain, UNHURRIED | planted) as daemon,
        daemon.instance() as instance,
        listed_processes(daemon) as listed,
    ):
        first, second = (begin_backfill(chain, instance, ASSETS, partitions) for _ in range(2))
        wait_for_backfills(instance, first, second)
        for one in (first, second):
            assert all(run.is_success for run in runs_of(instance, one))
        assert made_now(instance, begun) == {(asset, one): 1 for asset in ASSETS for one in partitions}
    assert chain.contents() == before
    assert any("multiprocessing" in words or "execute" in words for words in listed), listed
    assert not [words for words in listed if SECRET in words]
    assert not [path for path in chain.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@contextmanager
def listed_processes(daemon: Daemon) -> Iterator[set[str]]:
    """The words of all processes that the daemon and its runs were meanwhile."""
    listed, over = set[str](), threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            listed.update(daemon.processes().values())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield listed
    finally:
        over.set()
        thread.join()
