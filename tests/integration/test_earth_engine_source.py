"""The source `earth-engine` against a stand-in service on loopback, by the released client with bearer tokens.

Scenes are simulated from known truth. Accounts are in `test_earth_engine_accounts.py`; that other sources give the same
pixels is in `test_same_pixels.py`.
"""

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from earth_engine_scenes import BANDS, FAR, L2A, SEASON, SITE, UNSCORED, Layer, Scenes, serve_scenes
from earth_engine_world import Running, without_credentials
from minemap_assets.errors import BadInputError, NotCoveredError, PermanentError, RetryableError
from minemap_assets.geo.grid import footprint_wgs84, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineProvenance, EarthEngineSource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.net.policy import Clock
from servers.earth_engine import KINDS

pytestmark = pytest.mark.integration

EMPTY_SEASON = Season(2019, date(2019, 6, 1), date(2019, 9, 1))
HASTY = Clock(sleep=lambda seconds: time.sleep(seconds * 0.01))
"""Waits a hundredth of what it should."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    with serve_scenes(tmp_path_factory.mktemp("earth-engine")) as running:
        yield running


@pytest.fixture
def server(scenes: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The server in its right mind, and a good account's key file in the environment."""
    scenes.server.calm()
    without_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv(
        "GOOGLE_APPLICATION_CREDENTIALS", str(scenes.server.write_key(tmp_path / "key.json", scenes.keys))
    )
    return scenes.server


def source(server: Running, product: str = "sentinel-2-l2a", **changes: Any) -> EarthEngineSource:
    return EarthEngineSource(product, server.config(**changes), clock=HASTY)


def facts(composite: Composite) -> EarthEngineProvenance:
    assert isinstance(composite.provenance, EarthEngineProvenance)
    return composite.provenance


def test_the_composite_is_the_median_of_clear_pictures(scenes: Scenes, server: Running) -> None:
    composite = source(server).read(SITE, SEASON, BANDS)
    truth = scenes.expected()
    np.testing.assert_array_equal(composite.clear_count, truth.seen)
    np.testing.assert_array_equal(composite.pixels, truth.pixels)
    assert (composite.clear_count[60:, 60:] == 0).all()
    assert not composite.pixels[:, 60:, 60:].any()
    assert composite.clear_count[50, 50] == 0
    assert not composite.pixels[:, 50, 50].any()


def test_provenance_names_the_scenes_their_days_and_those_left_out(server: Running) -> None:
    provenance = facts(source(server).read(SITE, SEASON, BANDS))
    assert len(provenance.acquisitions) == 5
    assert (provenance.first_date, provenance.last_date) == ("2021-06-03", "2021-06-28")
    assert (provenance.offset, provenance.processing_baseline) == (0.0, "03.01, 05.00")
    assert provenance.without_cloud_score == (UNSCORED,)
    assert provenance.collection == L2A
    assert provenance.bytes_read == 64 * 64 * 3 * 2


def test_every_request_says_who_asks_and_computations_carry_the_tag(server: Running) -> None:
    ours = source(server, workload_tag="mines-2021")
    server.set()
    ours.read(SITE, SEASON, BANDS)
    asked = server.log()
    assert {entry["agent"].partition("/")[0] for entry in asked} == {"minemap"}
    assert {entry["tag"] for entry in asked if ":compute" in entry["path"]} == {"mines-2021"}
    assert source(server).read(SITE, SEASON, BANDS).clear_fraction > 0.9
    assert server.log(":computePixels")[-1]["tag"] == "minemap"


def test_a_project_that_is_slowed_down_is_told_so_once(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    server.set(slowed=True)
    ours = source(server, deadline=19.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Your project has exceeded")
        for _ in range(2):
            ours.read(SITE, SEASON, BANDS)
    assert [r.getMessage() for r in caplog.records if "slowed down" in r.getMessage()] == [
        "the project has used its noncommercial Earth Engine allowance of this month and is slowed down until the next "
        "one; see https://developers.google.com/earth-engine/guides/noncommercial_tiers"
    ]


@pytest.mark.parametrize("neighbours", ["mask", "share"])
def test_no_cloud_and_no_gap_enters_a_mean_whatever_is_done_beside_masked_pixels(
    scenes: Scenes, server: Running, neighbours: str
) -> None:
    """Half a pixel further right and down every pixel is the mean of those of four that are clear."""
    server.set(neighbours=neighbours)
    shifted = GeoBox((40, 40), SITE.affine @ Affine.translation(10.5, 10.5), SITE.crs)
    composite = source(server).read(shifted, SEASON, BANDS)
    server.set(neighbours="mask")
    pictures = [layer.shifted(10, 40) for layer in scenes.layers]
    first, second = pictures[1], pictures[2]
    pictures[1:3] = [Layer(np.where(first.seen, first.pixels, second.pixels), first.seen | second.seen)]
    values = np.stack([np.where(p.seen, np.floor(p.pixels + 0.5), np.nan) for p in pictures])
    count = np.sum([p.seen for p in pictures], axis=0)
    middle = np.floor(np.nanmedian(np.where(count > 0, values, 0.0), axis=0) + 0.5)
    np.testing.assert_array_equal(composite.clear_count, count)
    assert np.abs(composite.pixels.astype(int) - np.where(count > 0, middle, 0)).max() <= 1
    assert composite.pixels.max() < 3000


def test_a_grid_takes_two_requests_after_one_initialisation(server: Running) -> None:
    ours = source(server)
    ours.read(SITE, SEASON, BANDS)
    server.set()
    ours.read(SITE, SEASON, BANDS)
    assert [entry["path"].rpartition("/")[2] for entry in server.log()] == ["value:compute", "image:computePixels"]


def test_a_large_grid_comes_in_parts_and_is_the_same(server: Running) -> None:
    whole = source(server).read(SITE, SEASON, BANDS)
    server.set()
    parts = source(server, max_request_bytes=64 * 6 * 20).read(SITE, SEASON, BANDS)
    assert len(server.log(":computePixels")) == 4
    np.testing.assert_array_equal(parts.pixels, whole.pixels)
    np.testing.assert_array_equal(parts.clear_count, whole.clear_count)


def test_what_is_too_much_for_the_service_is_halved(server: Running) -> None:
    grid = GeoBox((128, 128), SITE.affine @ Affine.scale(0.5), SITE.crs)
    whole = source(server).read(grid, SEASON, BANDS)
    server.set(most_pixels=5000)
    halved = source(server).read(grid, SEASON, BANDS)
    assert len(server.log(":computePixels")) == 7
    np.testing.assert_array_equal(halved.pixels, whole.pixels)
    server.set(most_pixels=10)
    with pytest.raises(PermanentError, match="fewer bands"):
        source(server).read(grid, SEASON, BANDS)


def test_threads_and_accounts_share_the_client(server: Running) -> None:
    """Eight threads, half of them through another session of the same process."""
    sources = [source(server), source(server, clear_score=0.5, credentials="service-account")]
    whole = sources[0].read(SITE, SEASON, BANDS)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda n: sources[n % 2].read(SITE, SEASON, BANDS), range(8)))
    for composite in read:
        np.testing.assert_array_equal(composite.pixels, whole.pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_failures_change_no_pixel(server: Running, kind: str) -> None:
    calm = source(server).read(SITE, SEASON, BANDS)
    failed: Counter[str] = Counter()
    for seed in (1, 2, 3):
        server.set(share=0.35, kinds=[kind], seed=seed)
        ours = source(server, deadline=1.5, attempts=8, backoff=0.02 + seed / 1000)
        composite = ours.read(SITE, SEASON, BANDS)
        np.testing.assert_array_equal(composite.pixels, calm.pixels)
        np.testing.assert_array_equal(composite.clear_count, calm.clear_count)
        assert composite.provenance == calm.provenance
        for path, number in Counter(entry["path"] for entry in server.log()).items():
            assert number <= 2 * 8, path
        failed.update(entry["fault"] for entry in server.log())
        if failed[kind]:
            break
    server.set(share=0.0)
    assert failed[kind] > 0


def test_a_service_that_stays_away_is_given_up(server: Running) -> None:
    ours = source(server, attempts=3)
    ours.read(SITE, SEASON, BANDS)
    server.set(share=1.0, kinds=["503"])
    with pytest.raises(RetryableError, match="after 3 attempts; check the network"):
        ours.read(SITE, SEASON, BANDS)
    assert len(server.log()) == 3


def test_no_imagery_for_a_year_or_place(server: Running) -> None:
    ours = source(server)
    with pytest.raises(NotCoveredError, match="no image of this place from 2019-06-01 to 2019-09-01; name another"):
        ours.read(SITE, EMPTY_SEASON, BANDS)
    with pytest.raises(NotCoveredError):
        ours.read(FAR, SEASON, BANDS)
    with pytest.raises(NotCoveredError, match="no pixel of the 5 images"):
        source(server, clear_score=1.0).read(SITE, SEASON, BANDS)
    with pytest.raises(NotCoveredError):
        source(server, "sentinel-2-l1c").read(SITE, SEASON, BANDS)
    with pytest.raises(BadInputError, match="has no band cirrus"):
        ours.read(SITE, SEASON, ("cirrus",))


def test_what_there_is_and_what_is_newest(server: Running) -> None:
    ours = source(server)
    there = ours.available(footprint_wgs84(SITE), SEASON)
    assert there.images == 5
    assert there.covered_share == pytest.approx(1.0, abs=0.01)
    assert ours.available(footprint_wgs84(FAR), SEASON).images == 0
    july = Clock(now=lambda: datetime(2021, 7, 10, tzinfo=UTC))
    latest = EarthEngineSource("sentinel-2-l2a", server.config(), clock=july).latest()
    assert latest.newest == datetime(2021, 6, 28, tzinfo=UTC), "a newer image elsewhere is not asked for"
    assert latest.revisions[2020] == "complete"
    assert latest.revisions[2021] == "until 2021-06"


def test_nothing_happens_before_the_first_question(server: Running) -> None:
    server.set()
    ours = source(server)
    assert ours.revision == source(server, credentials="user", deadline=5.0).revision
    assert ours.revision != source(server, clear_score=0.5).revision
    assert not server.log()


def test_a_partition_is_built(server: Running, tmp_path: Path) -> None:
    rows = [(name, to_columns(grid)) for name, grid in (("a", SITE), ("b", FAR))]
    sites = gpd.GeoDataFrame(
        {
            "site_id": [name for name, _ in rows],
            "crs": [c.crs for _, c in rows],
            "transform": [list(c.transform) for _, c in rows],
            "width": [c.width for _, c in rows],
            "height": [c.height for _, c in rows],
        },
        geometry=[footprint_wgs84(SITE), footprint_wgs84(FAR)],
        crs="EPSG:4326",
    )
    lake = Lake.local(tmp_path / "lake", tmp_path / "state")
    ref = PartitionRef("imagery", "imagery", ("r", "2021"))
    _, made = build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda writer: build_imagery(sites, [source(server)], SEASON, BANDS, 0.1, writer),
    )
    assert made
    imagery = open_imagery(lake.open(ref))
    assert list(imagery.index["site_id"]) == ["a"]
    assert imagery.index["source"].tolist() == ["earth-engine"]
    assert imagery.index["acquisitions"].map(len).tolist() == [5]
