"""Ten partitions of one backfill, each in a process of its own, stay inside the budget of one run."""

from pathlib import Path

import pytest
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES

from backfills import backfill_status, begin_backfill, runs_of
from daemons import running_daemon
from dagster_project.instance import open_instance, sync_regions
from held_steps import UNHURRIED, eventually, messages
from many_sites import serve_ground, small_project
from minemap_assets.net.ledger import FOLDER
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

YEARS = tuple(range(2016, 2026))
SITES = 2
MOST = 25
"""Requests that are allowed; each of the ten years needs five."""

QUESTIONS = 2
"""Requests for a year that ask what its season holds, before anything is fetched: they are no part of a budget."""

SETTINGS = """
[sites]
min_pixels = 12
window_factor = 1.0
[imagery]
products = [{{ product = "sentinel-2-l2a" }}]
reference_products = ["sentinel-2-l2a"]
[imagery.sources]
sentinel-2-l2a = ["earth-engine"]
[imagery.bands]
sentinel-2-l2a = ["blue", "nir"]
[imagery.budget]
requests = {most}
[sources.earth_engine]
url = "{url}"
token_url = "{url}/token"
rate = 100.0
"""


def rasters(chain: Chain) -> int:
    return len(list((chain.folder / "lake" / "imagery" / "imagery").glob("**/*.tif")))


def test_ten_partitions_under_the_daemon_stay_inside_one_budget(tmp_path: Path) -> None:
    with serve_ground(tmp_path / "ground", YEARS) as ground:
        chain = small_project(tmp_path / "valley", SITES, SETTINGS.format(url=ground.server.url, most=MOST))
        assert not chain.run("+sites/sites", years=()).failures
        with open_instance(chain.environment.dagster_home) as instance:
            sync_regions(instance, chain.project)
        account = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(ground.key),
            "HOME": str(tmp_path),
            "CLOUDSDK_CONFIG": str(tmp_path),
            "NO_GCE_CHECK": "true",
        }
        ground.server.calm()
        with running_daemon(chain, account | UNHURRIED) as daemon, daemon.instance() as instance:
            partitions = [f"valley|{year}" for year in YEARS]
            asked = begin_backfill(chain, instance, ["imagery/imagery"], partitions)
            eventually(lambda: backfill_status(instance, asked) in BULK_ACTION_TERMINAL_STATUSES, "the backfill's end")
            runs = runs_of(instance, asked)
            asked_for = len(ground.server.log(":compute")) + len(ground.server.log(":computePixels"))
            said = [sentence for run in runs for sentence in messages(instance, run.run_id)]
    assert asked_for - QUESTIONS * len(YEARS) == MOST
    assert rasters(chain) == SITES * MOST // 5
    assert any("this run has used up requests under [imagery.budget]" in message for message in said)
    assert len(list((chain.folder / "lake" / FOLDER).iterdir())) == 1
