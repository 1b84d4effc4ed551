"""A new year's images are dropped into a team's archive: web server and daemon do the rest.

Both are processes of their own, and sensors are turned on through the web server, as a switch of the UI does.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from archive_years import LAST, MINES, YEARS, ArchiveYears, assert_whole, copied_years, finished_years
from daemons import Daemon, made_partitions, wait_for_rest, wait_until
from quick_automation import quick_daemon
from servers.processes import free_port
from tiny import Chain

pytestmark = [pytest.mark.operations, pytest.mark.integration, pytest.mark.slow]

MODULE = "quick_automation"
REGIONS = sorted(MINES.values())
REPAIRED = (LAST - 2, LAST - 1)
"""Years that were made without the new one, which confirms them."""

QUIET = 15.0
PATIENCE = 900.0

START = """mutation Start($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  __typename ... on Sensor { sensorState { status } } ... on PythonError { message } } }"""

COUNTS = """query Counts($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) {
  ... on AssetNode { partitionStats { numMaterialized numFailed } } } }"""


@dataclass(frozen=True)
class Ui:
    """The web server of a project."""

    address: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=60.0)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def turn_on(self, sensor: str) -> None:
        place = {"repositoryName": "__repository__", "repositoryLocationName": MODULE, "sensorName": sensor}
        started = self.ask(START, selector=place)["startSensor"]
        assert started == {"__typename": "Sensor", "sensorState": {"status": "RUNNING"}}, started

    def counts(self, *key: str) -> dict[str, int]:
        """Partitions of an asset that were made, and that failed."""
        found: dict[str, int] = self.ask(COUNTS, key={"path": key})["assetNodeOrError"]["partitionStats"]
        return found


@contextmanager
def serving(daemon: Daemon) -> Iterator[Ui]:
    """The web server over the daemon's project."""
    workspace, port = daemon.chain.folder / "workspace.yaml", free_port()
    workspace.write_text(f"load_from:\n- python_module:\n    module_name: {MODULE}\n    location_name: {MODULE}\n")
    words = ["dagster_project.webserver", "--workspace", str(workspace), "--port", str(port)]
    environment = {**daemon.variables, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    with (daemon.chain.folder / "webserver.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env=environment,
            cwd=daemon.chain.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _answers(process, f"http://127.0.0.1:{port}"), "an answer of the web server")
        yield Ui(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            _kill_group(process.pid)


def _answers(process: "subprocess.Popen[bytes]", address: str) -> bool:
    assert process.poll() is None, "the web server ended"
    try:
        return httpx.get(f"{address}/server_info", timeout=5.0).is_success
    except httpx.HTTPError:
        return False


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, 9)
    except ProcessLookupError:
        return


@pytest.fixture
def chain(tmp_path_factory: pytest.TempPathFactory, finished: Chain, tmp_path: Path) -> ArchiveYears:
    return copied_years(finished_years(tmp_path_factory, finished), tmp_path / "copy")


def statuses(chain: Chain, region: str, year: int) -> set[str]:
    return set(chain.frame("polygons", "mining_polygons", region, str(year), file="mining_polygons.parquet")["status"])


def test_a_new_year_in_the_archive_reaches_the_country_tables_and_confirms_the_years_before(
    chain: ArchiveYears,
) -> None:
    assert all(statuses(chain, region, year) <= {"provisional"} for region in REGIONS for year in REPAIRED)
    with quick_daemon(chain) as daemon, serving(daemon) as ui, daemon.instance() as instance:
        ui.turn_on("automation")
        begun = time.time()
        chain.drawn([LAST]).indexed()
        ui.turn_on("new_imagery")
        wait_until(lambda: bool(made_partitions(instance, begun)), "a run of what is new", PATIENCE, pause=2.0)
        wait_for_rest(instance, QUIET, PATIENCE)
        made = made_partitions(instance, begun)
        counted = ui.counts("imagery", "imagery")
        later = time.time()
        # the archive's index is another one: images of the years before are looked at, and kept
        assert not chain.run("imagery", YEARS).failures
        wait_for_rest(instance, QUIET, PATIENCE)
        assert {asset for asset, _ in made_partitions(instance, later)} <= {"imagery/imagery"}
    assert counted == {"numMaterialized": len(REGIONS) * (len(YEARS) + 1), "numFailed": 0}
    new, around = str(LAST), {str(year) for year in (*REPAIRED, LAST)}
    assert {p for a, p in made if a == "imagery/imagery"} == {f"{region}|{new}" for region in REGIONS}
    assert {p for a, p in made if a == "polygons/raw_polygons"} == {f"{region}|{new}" for region in REGIONS}
    assert {p.split("|")[1] for a, p in made if a == "polygons/mining_polygons"} == around
    assert statuses(chain, REGIONS[0], LAST - 2) == {"final"}
    assert set(chain.table("country_summary", LAST)["year"]) == {LAST}
    assert chain.table("country_summary", LAST)["area_km2"].sum() > 0
    assert_whole(chain)
