"""A run of 400 site-years that is stopped sends nothing more, keeps what was done, and goes on from there."""

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from dagster_graphql import DagsterGraphQLClient

from commands import Command, command
from dagster_project.instance import open_instance, sync_regions
from many_sites import GROUND, Ground, serve_ground, small_project, windows
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.net.policy import StoppedError
from servers.processes import free_port
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SITES = 40
YEARS = tuple(range(2016, 2026))
REVISION = 1
"""Before a year is made, a source is asked which revision of its season it holds."""
RUN = ("run", "--select", "imagery/imagery", "--years")
MOMENT = 3 * SITES
"""Requests after which a run is stopped: a site takes two, so that this is in the middle of the second year."""

PATIENCE = 6.0
"""Seconds in which nothing may be asked any more; longer than any answer or silence of the server."""

PROMPT = 5.0
"""Seconds from the signal to the last request; 60 are promised, and a tenth of one is usual."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with serve_ground(tmp_path_factory.mktemp("ground"), YEARS) as running:
        yield running


@pytest.fixture(scope="module")
def account(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person with a service account, and nothing else to sign in with."""
    home = str(tmp_path_factory.mktemp("home"))
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(ground.key),
        "HOME": home,
        "CLOUDSDK_CONFIG": home,
        "NO_GCE_CHECK": "true",
    }


@pytest.fixture(scope="module")
def project(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project whose 40 sites are made and have no imagery yet."""
    settings = f"""
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
[sources.earth_engine]
url = "{ground.server.url}"
token_url = "{ground.server.url}/token"
rate = 100.0
backoff = 0.02
deadline = 3.0
"""
    chain = small_project(tmp_path_factory.mktemp("project") / "valley", SITES, settings)
    assert not chain.run("+sites/sites", years=()).failures
    return chain


@pytest.fixture(scope="module")
def undisturbed(
    project: Chain, ground: Ground, account: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Chain:
    """The same project with imagery of two years, made without a disturbance."""
    chain = project.copied(tmp_path_factory.mktemp("undisturbed") / "valley")
    ground.server.calm()
    ended = command(chain, *RUN, "2016-2017", environment=account)
    assert ended.code == 0, ended.text
    return chain


def slow_and_sometimes_silent(ground: Ground) -> None:
    ground.server.calm()
    ground.server.set(share=0.1, kinds=["503", "stall"], seed=1, delay=0.05)


def asked(ground: Ground) -> int:
    time.sleep(0.1)
    return len(ground.server.log(":compute")) + len(ground.server.log(":computePixels"))


def rasters(chain: Chain) -> int:
    return len(list((chain.folder / "lake" / "imagery" / "imagery").glob("**/*.tif")))


def pixels(chain: Chain) -> dict[str, str]:
    """Content of every imagery partition: checksums of its rasters and index."""
    return {name: content for name, (content, _) in chain.contents().items() if name.startswith("imagery")}


def hold_to_promise(ground: Ground, chain: Chain, undisturbed: Chain, account: Mapping[str, str], at: float) -> None:
    """Nothing was asked any more, and the rest of two years takes two requests for each site that is left."""
    time.sleep(PATIENCE)
    last = max(float(entry["at"]) for entry in ground.server.log()) - at
    assert last < PROMPT
    kept = rasters(chain)
    assert SITES < kept < 2 * SITES
    ground.server.calm()
    ended = command(chain, *RUN, "2016-2017", environment=account)
    assert ended.code == 0, ended.text
    assert asked(ground) == 2 * (2 * SITES - kept) + REVISION
    assert pixels(chain) == pixels(undisturbed)


def test_a_stopped_command(
    project: Chain,
    undisturbed: Chain,
    ground: Ground,
    account: Mapping[str, str],
    tmp_path: Path,
) -> None:
    chain = project.copied(tmp_path / "valley")
    slow_and_sometimes_silent(ground)
    stopped = Command(chain, *RUN, f"{YEARS[0]}-{YEARS[-1]}", environment=account)
    assert stopped.wait_for(lambda: asked(ground) > MOMENT)
    at = time.time()
    end = stopped.end(signal.SIGINT)
    assert end.code == 130, end.text
    assert "Stopped with 1 of 10 asset partitions done" in end.text
    hold_to_promise(ground, chain, undisturbed, account, at)


def test_a_run_cancelled_in_the_ui(
    undisturbed: Chain, ground: Ground, account: Mapping[str, str], tmp_path: Path
) -> None:
    """Dagster runs each partition in a process of its own there, and interrupts that."""
    chain = undisturbed.copied(tmp_path / "valley")
    shutil.rmtree(tmp_path / "valley" / "lake" / "imagery" / "imagery" / "valley" / "2017")
    slow_and_sometimes_silent(ground)
    with open_instance(chain.environment.dagster_home) as instance:
        sync_regions(instance, chain.project)
    port = free_port()
    ui = Command(chain, "ui", "--port", str(port), environment=account)
    try:
        assert ui.wait_for(lambda: answers(f"http://127.0.0.1:{port}"))
        client = DagsterGraphQLClient("127.0.0.1", port_number=port)
        run = client.submit_job_execution(
            "__ASSET_JOB",
            asset_selection=[["imagery", "imagery"]],
            tags={"dagster/partition": "valley|2017"},
        )
        assert ui.wait_for(lambda: asked(ground) > SITES)
        at = time.time()
        client.terminate_run(run)
        assert ui.wait_for(lambda: client.get_run_status(run).value == "CANCELED", patience=30.0)
        hold_to_promise(ground, chain, undisturbed, account, at)
    finally:
        ui.end(signal.SIGTERM)


def test_a_stopped_source_is_over_and_another_one_begins_anew(
    ground: Ground, account: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The released client has one connection a process: what one source gives up is another one's to make."""
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    config = ground.server.config(backoff=60.0)
    place, season = next(iter(windows(GROUND, SITES, 16).values())), SeasonRule().season(2019)
    source = EarthEngineSource("sentinel-2-l2a", config)
    ground.server.calm()
    before = source.read(place, season, ("blue",))
    ground.server.set(share=1.0, kinds=["503"])
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(source.read, place, season, ("blue",))
        while not ground.server.log():
            time.sleep(0.02)
        source.stop()
        with pytest.raises(StoppedError):
            reading.result(timeout=2.0)
    with pytest.raises(StoppedError):
        source.read(place, season, ("blue",))
    assert len(ground.server.log()) == 1
    ground.server.calm()
    after = EarthEngineSource("sentinel-2-l2a", config).read(place, season, ("blue",))
    assert (after.pixels == before.pixels).all()


def answers(address: str) -> bool:
    time.sleep(0.5)
    try:
        return httpx.get(f"{address}/server_info", timeout=2.0).is_success
    except httpx.HTTPError:
        return False
