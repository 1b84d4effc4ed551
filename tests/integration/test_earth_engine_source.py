"""The source `earth-engine` against a stand-in service on loopback, by the released client with bearer tokens.

Scenes and basemaps are simulated from known truth; accounts and failures are the service's own kinds. That the same
pixels come through an archive is in `test_earth_engine_agreement.py`.
"""

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from earth_engine_world import Asset, Band, Keys, Running, make_keys, served, write_catalogue
from minemap_assets.errors import (
    AuthenticationError,
    BadInputError,
    MinemapError,
    NotCoveredError,
    NotEntitledError,
    PermanentError,
    QuotaError,
    RetryableError,
)
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.earth_engine import EarthEngineProvenance, EarthEngineSource
from minemap_assets.imagery.sources.earth_engine_config import EarthEngineConfig
from minemap_assets.imagery.transport_rules import Nature
from minemap_assets.lake import Lake, PartitionRef, build_partition
from servers.earth_engine import KINDS
from servers.earth_engine_accounts import REFRESH_TOKEN, Account

pytestmark = pytest.mark.integration

SEASON = Season(2021, date(2021, 6, 1), date(2021, 9, 1))
EMPTY_SEASON = Season(2019, date(2019, 6, 1), date(2019, 9, 1))
SITE = square_grid(500_000.0, 9_300_000.0, 64, 32722, 10.0)
FAR = square_grid(560_000.0, 9_300_000.0, 64, 32722, 10.0)
BANDS = ("blue", "nir")
HASTY = Nature(sleep=lambda seconds: time.sleep(seconds * 0.01))
"""Waits a hundredth of what it should."""

CONFIG = EarthEngineConfig()
SCORE = CONFIG.cloud_score
L2A, L1C = CONFIG.sentinel2_l2a, CONFIG.sentinel2_l1c
AFRICA, AMERICAS = CONFIG.nicfi[1].asset, CONFIG.nicfi[0].asset

Truth = dict[str, Any]


def write(path: Path, bands: Any, nodata: float | None = None, grid: GeoBox = SITE) -> str:
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with rasterio.open(path, "w", **profile, crs=str(grid.crs), transform=grid.affine, nodata=nodata) as target:
        target.write(bands)
    return path.name


def scenes(root: Path) -> tuple[list[Asset], list[Asset], list[tuple[Any, Any]]]:
    """Five scenes of four days, two of one day with the first lacking its left half; clouds are bright."""
    chance = np.random.default_rng(5)
    found, scores, layers = [], [], []
    for number, day in enumerate((3, 8, 8, 13, 28)):
        pixels = chance.integers(100, 3000, (2, 64, 64)).astype(np.uint16)
        clear = np.ones((64, 64), dtype=np.bool_)
        clear[number * 10 : number * 10 + 14, 5:40] = False
        clear[60:, 60:] = False
        pixels[:, ~clear] = 9000
        if number == 1:
            pixels[:, :, :32] = 0
        if number == 3:
            pixels[0, 50, 50] = 0  # a dark pixel: seen, with no light in one band
        index = f"202106{day:02d}T134021_202106{day:02d}T134022_T22MDB_{number}"
        file = write(root / f"{index}.tif", pixels)
        cloud = write(root / f"{index}_cs.tif", np.where(clear, 0.9, 0.3).astype(np.float32)[np.newaxis])
        properties = {"CLOUDY_PIXEL_PERCENTAGE": 20.0, "PROCESSING_BASELINE": "05.00" if number else "03.01"}
        area = footprint_wgs84(SITE)
        bands = {"B2": Band((file,), 1), "B8": Band((file,), 2)}
        found.append(Asset(index, date(2021, 6, day), area, bands, properties=properties))
        scores.append(Asset(index, date(2021, 6, day), area, {"cs_cdf": Band((cloud,))}))
        layers.append((pixels, clear & (pixels.max(axis=0) > 0)))
    return found, scores, layers


def expected(layers: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """The median by hand: scenes of one day are one picture, the first on top."""
    first, first_seen = layers[1]
    second, second_seen = layers[2]
    merged = np.where(first_seen, first, second), first_seen | second_seen
    pictures = [layers[0], merged, layers[3], layers[4]]
    values = np.stack([np.where(seen, np.maximum(p, 1), np.nan) for p, seen in pictures])
    count = sum(seen.astype(int) for _, seen in pictures)
    with np.errstate(all="ignore"):
        middle = np.floor(np.nanmedian(np.where(count > 0, values, 0.0), axis=0) + 0.5)
    return np.where(count > 0, middle, 0), count


@pytest.fixture(scope="module")
def keys() -> Keys:
    return make_keys()


@pytest.fixture(scope="module")
def layers() -> list[tuple[Any, Any]]:
    return []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Keys, layers: list[Any]) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("earth-engine")
    found, scores, made = scenes(root)
    layers.extend(made)
    cloudy = Asset("20210618T134021_0", date(2021, 6, 18), footprint_wgs84(SITE), found[0].bands, None, {})
    overcast = {"CLOUDY_PIXEL_PERCENTAGE": 99.0, "PROCESSING_BASELINE": "05.00"}
    cloudy = Asset(cloudy.index, cloudy.start, cloudy.footprint, cloudy.bands, properties=overcast)
    fine = {"CLOUDY_PIXEL_PERCENTAGE": 1.0, "PROCESSING_BASELINE": "05.00"}
    unscored = Asset("20210622T134021_0", date(2021, 6, 22), cloudy.footprint, cloudy.bands, properties=fine)
    write_catalogue(root, keys, {L2A: [*found, cloudy, unscored], L1C: [], SCORE: scores, AFRICA: [], AMERICAS: []})
    with served(root) as running:
        yield running


@pytest.fixture
def enter(server: Running, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts an account's key file into the environment, and no other credentials."""
    server.set(share=0.0, revoke=False, most_pixels=1 << 40, kinds=list(KINDS), only="/")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    def put(account: Account = Account.GOOD, signed_by: Keys = keys) -> Path:
        path = server.write_key(tmp_path / f"{account.value}.json", signed_by, account)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    return put


def source(server: Running, product: str = "sentinel-2-l2a", **changes: Any) -> EarthEngineSource:
    return EarthEngineSource(product, server.config(**changes), nature=HASTY)


def facts(composite: Composite) -> EarthEngineProvenance:
    assert isinstance(composite.provenance, EarthEngineProvenance)
    return composite.provenance


def test_the_composite_is_the_median_of_clear_pictures(
    server: Running, enter: Callable[..., Path], layers: list[Any]
) -> None:
    enter()
    composite = source(server).read(SITE, SEASON, BANDS)
    pixels, count = expected(layers)
    np.testing.assert_array_equal(composite.clear_count, count)
    np.testing.assert_array_equal(composite.pixels, pixels)
    assert (composite.clear_count[60:, 60:] == 0).all()
    assert not composite.pixels[:, 60:, 60:].any()
    assert composite.pixels[0, 50, 50] >= 1


def test_provenance_names_the_scenes_their_days_and_those_left_out(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    provenance = facts(source(server).read(SITE, SEASON, BANDS))
    assert len(provenance.acquisitions) == 5
    assert (provenance.first_date, provenance.last_date) == ("2021-06-03", "2021-06-28")
    assert (provenance.offset, provenance.processing_baseline) == (0.0, "03.01, 05.00")
    assert provenance.without_cloud_score == ("20210622T134021_0",)
    assert provenance.collection == L2A
    assert provenance.bytes_read == 64 * 64 * 3 * 2


def test_a_grid_takes_two_requests_after_one_initialisation(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    ours = source(server)
    ours.read(SITE, SEASON, BANDS)
    server.set()
    ours.read(SITE, SEASON, BANDS)
    assert [entry["path"].rpartition("/")[2] for entry in server.log()] == ["value:compute", "image:computePixels"]


def test_a_large_grid_comes_in_parts_and_is_the_same(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    whole = source(server).read(SITE, SEASON, BANDS)
    server.set()
    parts = source(server, max_request_bytes=64 * 6 * 20).read(SITE, SEASON, BANDS)
    assert len(server.log(":computePixels")) == 4
    np.testing.assert_array_equal(parts.pixels, whole.pixels)
    np.testing.assert_array_equal(parts.clear_count, whole.clear_count)


def test_what_is_too_much_for_the_service_is_halved(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    grid = GeoBox((128, 128), SITE.affine @ Affine.scale(0.5), SITE.crs)
    whole = source(server).read(grid, SEASON, BANDS)
    server.set(most_pixels=5000)
    halved = source(server).read(grid, SEASON, BANDS)
    assert len(server.log(":computePixels")) == 7
    np.testing.assert_array_equal(halved.pixels, whole.pixels)
    server.set(most_pixels=10)
    with pytest.raises(PermanentError, match="fewer bands"):
        source(server).read(grid, SEASON, BANDS)


def test_threads_and_accounts_share_the_client(server: Running, enter: Callable[..., Path]) -> None:
    """Eight threads, half of them through another session of the same process."""
    enter()
    sources = [source(server), source(server, clear_score=0.5, credentials="service-account")]
    whole = sources[0].read(SITE, SEASON, BANDS)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda n: sources[n % 2].read(SITE, SEASON, BANDS), range(8)))
    for composite in read:
        np.testing.assert_array_equal(composite.pixels, whole.pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_failures_change_no_pixel(server: Running, enter: Callable[..., Path], kind: str) -> None:
    enter()
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


def test_a_service_that_stays_away_is_given_up(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    ours = source(server, attempts=3)
    ours.read(SITE, SEASON, BANDS)
    server.set(share=1.0, kinds=["503"])
    with pytest.raises(RetryableError, match="after 3 attempts; check the network"):
        ours.read(SITE, SEASON, BANDS)
    assert len(server.log()) == 3


def said(error: pytest.ExceptionInfo[MinemapError], caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a person or a log would see of an error."""
    return "".join(traceback.format_exception(error.value)) + str(error.value) + caplog.text


def assert_no_secret(text: str, keys: Keys) -> None:
    for secret in ("ya29.", REFRESH_TOKEN, "eyJ", "PRIVATE KEY", keys.private.splitlines()[3]):
        assert secret not in text


def test_wrong_expired_and_spent_accounts_are_told_apart(
    server: Running, enter: Callable[..., Path], keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cases: tuple[tuple[Account, type[MinemapError], str], ...] = (
        (Account.SPENT, QuotaError, "allowance is used up; wait until it is renewed"),
        (Account.UNREGISTERED, AuthenticationError, "register the project for Earth Engine"),
    )
    for account, kind, text in cases:
        enter(account)
        server.set()
        with pytest.raises(kind, match=text) as error:
            source(server).read(SITE, SEASON, BANDS)
        assert len(server.log()) <= 6
        assert_no_secret(said(error, caplog), keys)
    stranger = make_keys()
    enter(signed_by=stranger)
    with pytest.raises(AuthenticationError, match="wrong or have expired; run `earthengine") as error:
        source(server).read(SITE, SEASON, BANDS)
    assert_no_secret(said(error, caplog), stranger)


def test_expired_credentials_fail_in_one_sentence_and_new_ones_are_read(
    server: Running, enter: Callable[..., Path], keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    enter()
    ours = source(server)
    ours.read(SITE, SEASON, BANDS)
    server.set(revoke=True)
    with pytest.raises(AuthenticationError, match="wrong or have expired") as error:
        ours.read(SITE, SEASON, BANDS)
    assert len(server.log()) < 10
    assert_no_secret(said(error, caplog), keys)
    server.set(revoke=False)
    ours.read(SITE, SEASON, BANDS)


def test_a_token_that_ends_early_is_renewed(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    ours = source(server)
    whole = ours.read(SITE, SEASON, BANDS)
    server.set(revoke=True)
    server.set(revoke=False)
    np.testing.assert_array_equal(ours.read(SITE, SEASON, BANDS).pixels, whole.pixels)


def test_missing_and_broken_credentials(
    server: Running, enter: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AuthenticationError, match="no credentials for Earth Engine; run `earthengine authenticate`"):
        source(server).read(SITE, SEASON, BANDS)
    with pytest.raises(AuthenticationError, match="GOOGLE_APPLICATION_CREDENTIALS is not set"):
        source(server, credentials="service-account").read(SITE, SEASON, BANDS)
    with pytest.raises(AuthenticationError, match="credentials does not exist; run"):
        source(server, credentials="user").read(SITE, SEASON, BANDS)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(AuthenticationError, match=r"nothing\.json does not exist"):
        source(server).read(SITE, SEASON, BANDS)
    path = enter()
    path.write_text('{"type": "service_account", "private_key": "-----BEGIN PRIVATE")')
    with pytest.raises(AuthenticationError, match="cannot be read as JSON") as error:
        source(server).read(SITE, SEASON, BANDS)
    assert "BEGIN" not in "".join(traceback.format_exception(error.value))
    path.write_text('{"type": "service_account", "private_key": "-----BEGIN PRIVATE"}')
    with pytest.raises(AuthenticationError, match="not the key file of a service account"):
        source(server).read(SITE, SEASON, BANDS)


def test_credentials_of_a_person_work(server: Running, enter: Callable[..., Path], tmp_path: Path) -> None:
    del enter
    folder = tmp_path / ".config" / "earthengine"
    folder.mkdir(parents=True)
    stored = f'{{"refresh_token": "{REFRESH_TOKEN}", "scopes": []}}'
    (folder / "credentials").write_text(stored)
    with pytest.raises(AuthenticationError, match="wants a cloud project to charge; set GOOGLE_CLOUD_PROJECT"):
        source(server).read(SITE, SEASON, BANDS)
    assert source(server, project="minemap-test").read(SITE, SEASON, BANDS).clear_fraction > 0.9


def test_access_to_basemaps_is_probed_and_reported(server: Running, enter: Callable[..., Path]) -> None:
    enter(Account.NO_NICFI)
    basemaps = source(server, "planet-nicfi")
    report = basemaps.access()
    assert [one.granted for one in report] == [False, False, False]
    assert "ask for access to the NICFI programme's collection" in report[1].reason
    with pytest.raises(NotEntitledError, match=f"does not show this account the collection {AMERICAS}; ask for"):
        basemaps.read(SITE, SEASON, BANDS)
    server.set()
    with pytest.raises(NotEntitledError):
        basemaps.read(FAR, SEASON, BANDS)
    assert not server.log(), "a collection that was refused is not asked for again"
    assert all(one.granted for one in source(server).access())


def test_no_imagery_for_a_year_or_place(server: Running, enter: Callable[..., Path]) -> None:
    enter()
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


def test_no_network(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    closed = server.config(attempts=2).model_copy(update={"url": "http://127.0.0.1:9"})
    with pytest.raises(RetryableError, match=r"cannot be reached or broke off .*after 2 attempts; check the network"):
        EarthEngineSource("sentinel-2-l2a", closed, nature=HASTY).read(SITE, SEASON, BANDS)


def test_what_there_is_and_what_is_newest(server: Running, enter: Callable[..., Path]) -> None:
    enter()
    ours = source(server)
    there = ours.available(footprint_wgs84(SITE), SEASON)
    assert there.images == 5
    assert there.covered_share == pytest.approx(1.0, abs=0.01)
    assert ours.available(footprint_wgs84(FAR), SEASON).images == 0
    july = Nature(now=lambda: datetime(2021, 7, 10, tzinfo=UTC))
    latest = EarthEngineSource("sentinel-2-l2a", server.config(), nature=july).latest()
    assert latest.newest == datetime(2021, 6, 28, tzinfo=UTC)
    assert latest.revisions[2020].endswith("-complete")
    assert latest.revisions[2021].endswith("-2021-06")


def test_nothing_happens_before_the_first_question(server: Running, enter: Callable[..., Path]) -> None:
    del enter
    server.set()
    ours = source(server)
    assert ours.revision == source(server, credentials="user", deadline=5.0).revision
    assert ours.revision != source(server, clear_score=0.5).revision
    assert not server.log()


def test_a_partition_is_built(server: Running, enter: Callable[..., Path], tmp_path: Path) -> None:
    enter()
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
