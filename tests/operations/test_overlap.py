"""Two people ask for the same at the same time: both are served, and every partition is made once."""

import shutil
import time
from pathlib import Path

import pytest

from backfills import begin_backfill, made_now, runs_of, wait_for_backfills
from daemons import running_daemon
from held_steps import UNHURRIED
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

ASSETS = ("imagery/imagery", "chips/chips", "segmentation/raw_masks", "polygons/raw_polygons")


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
    with running_daemon(chain, UNHURRIED) as daemon, daemon.instance() as instance:
        first, second = (begin_backfill(chain, instance, ASSETS, partitions) for _ in range(2))
        wait_for_backfills(instance, first, second)
        for one in (first, second):
            assert all(run.is_success for run in runs_of(instance, one))
        assert made_now(instance, begun) == {(asset, one): 1 for asset in ASSETS for one in partitions}
    assert chain.contents() == before
