"""The source `planet-basemaps` when things go wrong: failing requests, damaged files, refused accounts."""

import json
import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
import rasterio

from minemap_assets.errors import (
    AuthenticationError,
    MinemapError,
    NotEntitledError,
    QuotaError,
    RetryableError,
)
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.planet.credentials import (
    CLIENT_VARIABLE,
    SECRET_VARIABLE,
    describe_credentials,
)
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.net.policy import ClientPolicy
from planet_trial import BRISK, HALF_YEAR, SEASON, SITES, build, kept_quads, quads_under, source
from planet_world import BANDS, Running, render_quads, served
from servers.planet_faults import Account, Fault
from servers.planet_tokens import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(basemaps: Path) -> Iterator[Running]:
    with served(basemaps, page_size=3) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


def pixels_of(lake: Lake, manifest: Manifest) -> dict[str, bytes]:
    partition = lake.open(PartitionRef("imagery", "imagery", ("test", "2019")))
    images = open_imagery(partition)
    return {name: images.read(name).pixels.tobytes() for name in SITES} | {"rows": str(len(manifest.missing)).encode()}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_route_failing_a_fifth_of_the_time(basemaps: Path, tmp_path: Path, seed: int) -> None:
    with served(basemaps, page_size=2) as calm:
        lake = Lake.local(tmp_path / "calm", tmp_path / "s1")
        expected = pixels_of(lake, build(lake, source(calm, tmp_path / "calm-cache")))
        needed = sum(calm.stats()["counts"].values())
    with served(basemaps, page_size=2, faults=0.2, seed=seed, stall_s=2.0) as rough:
        lake = Lake.local(tmp_path / "rough", tmp_path / "s2")
        manifest = build(lake, source(rough, tmp_path / "rough-cache", BRISK))
        stats = rough.stats()
    assert not manifest.missing
    assert pixels_of(lake, manifest) == expected
    failed = sum(stats["failed"].values())
    assert failed > needed // 8
    asked = sum(stats["counts"].values())
    assert asked <= needed + 2 * failed, "an expired signature costs two requests, every other failure one"
    assert asked <= 2 * needed


@pytest.mark.parametrize("kind", list(Fault))
def test_each_way_to_fail(basemaps: Path, server: Running, tmp_path: Path, kind: Fault) -> None:
    expected = source(server, tmp_path / "calm").read(SITES["c"], SeasonRule().season(2018), BANDS)
    with served(basemaps, faults=0.3, seed=5, only=[kind], stall_s=2.0) as rough:
        patient = ClientPolicy(**{**vars(BRISK), "attempts": 12})
        found = source(rough, tmp_path / "rough", patient).read(SITES["c"], SeasonRule().season(2018), BANDS)
        assert rough.stats()["failed"][kind] > 0
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert not list((tmp_path / "rough").glob("**/*.part*"))


@pytest.mark.parametrize(("tags", "more"), [("md5", 0), ("google", 0), ("other", 1)])
def test_checksums_of_storage(basemaps: Path, tmp_path: Path, tags: str, more: int) -> None:
    """A tag that looks like a checksum and is none costs one more download, once."""
    quads = quads_under([SITES["c"]], HALF_YEAR)
    with served(basemaps, tags=tags) as server:
        source(server, tmp_path / "calm", concurrency=1).read(SITES["c"], SeasonRule().season(2018), BANDS)
        assert server.stats()["counts"]["download"] == len(quads) + more


def test_an_interrupted_download_goes_on_where_it_stopped(basemaps: Path, tmp_path: Path) -> None:
    grid, season = SITES["c"], SeasonRule().season(2018)
    impatient = ClientPolicy(**{**vars(BRISK), "attempts": 1})
    cache = tmp_path / "cache"
    with served(basemaps, faults=1.0, only=[Fault.TRUNCATED]) as rough, pytest.raises(RetryableError):
        source(rough, cache, impatient).read(grid, season, BANDS)
    with served(basemaps) as server:
        planet = source(server, tmp_path / "calm")
        whole = planet.read(grid, season, BANDS)
        quad = sorted(kept_quads(tmp_path / "calm").glob("*.tif"))[0]
        name = quad.name.split(".")[0]
        part = kept_quads(cache) / f"{name}.new.tif.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        half = quad.read_bytes()[: quad.stat().st_size // 2]
        part.write_bytes(half)
        part.with_name(f"{part.name}.etag").write_text(json.loads(quad.with_name(f"{name}.json").read_text())["etag"])
        before = server.stats()["bytes"]
        again = source(server, cache).read(grid, season, BANDS)
        sent = server.stats()["bytes"] - before
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    sizes = sum(path.stat().st_size for path in kept_quads(tmp_path / "calm").glob("*.tif"))
    assert sent == sizes - len(half)


def secrets_in(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception(error)) + str(error)
    return [word for word in (*Account, "api_key=", "signature=") if word in text]


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        ("", AuthenticationError, "PL_API_KEY is not set; copy the API key"),
        ("PLAKwrong0123456789", AuthenticationError, "wrong or has expired; copy the API key"),
        ("PLAK wrong", AuthenticationError, "holds characters that no API key has"),
        (Account.EXPIRED, AuthenticationError, "wrong or has expired; copy the API key"),
        (
            Account.EMPTY,
            NotEntitledError,
            "sees no mosaic whose name contains planet_medres.*no new users.*name a series",
        ),
        (Account.SPENT, QuotaError, "quota of the Planet account is used up .*; wait until"),
        (Account.FORBIDDEN, NotEntitledError, "plan of the Planet account does not include this .*; name a"),
    ],
)
def test_one_sentence_with_the_next_step(
    server: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str,
    kind: type[MinemapError],
    words: str,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind, match=words) as caught:
        source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    assert "\n" not in str(caught.value)
    assert ". " not in str(caught.value)
    assert not secrets_in(caught.value)
    assert not key or key not in "".join(traceback.format_exception(caught.value))
    assert not [word for word in Account if word in caplog.text]


def test_a_damaged_cached_quad_is_fetched_again(basemaps: Path, tmp_path: Path) -> None:
    season = SeasonRule().season(2018)
    with served(basemaps) as server:
        first = source(server, tmp_path).read(SITES["c"], season, BANDS)
        quads = quads_under([SITES["c"]], HALF_YEAR)
        for path in sorted(kept_quads(tmp_path).glob("*.tif"))[:1]:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        again = source(server, tmp_path).read(SITES["c"], season, BANDS)
        assert server.stats()["counts"]["download"] == len(quads) + 1
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_a_quad_elsewhere_than_its_number_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    render_quads(root, [HALF_YEAR], [SITES["c"]])
    for path in (root / HALF_YEAR.id).glob("*.tif"):
        with rasterio.open(path, "r+") as target:
            moved = target.transform.f - 19.0 * target.height
            target.transform = target.transform.__class__(*target.transform[:5], moved)
    with served(root) as server, pytest.raises(MinemapError, match=r"it lies elsewhere.*after 6 attempts"):
        source(server, tmp_path / "cache").read(SITES["c"], SeasonRule().season(2018), BANDS)
    assert not list((tmp_path / "cache").glob("**/*.tif"))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service account in the environment, and no key."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(KEY_VARIABLE)
    monkeypatch.setenv(CLIENT_VARIABLE, CLIENT_ID)
    monkeypatch.setenv(SECRET_VARIABLE, CLIENT_SECRET)


@pytest.mark.usefixtures("client")
def test_a_service_account_gets_one_token_for_all(basemaps: Path, tmp_path: Path) -> None:
    with served(basemaps) as server:
        several = [source(server, tmp_path / str(n), auth_server=server.auth_server) for n in range(2)]
        for planet in several:
            planet.read(SITES["c"], SeasonRule().season(2018), BANDS)
        counts = server.stats()["counts"]
        assert (counts["discovery"], counts["token"]) == (1, 1)
        server.tell(revoke=True)
        source(server, tmp_path / "3", auth_server=server.auth_server).read(
            SITES["c"], SeasonRule().season(2018), BANDS
        )
        assert server.stats()["counts"]["token"] == 2, "a refused token is renewed once, for all"


@pytest.mark.usefixtures("client")
def test_a_token_that_ends_is_renewed_before(basemaps: Path, tmp_path: Path) -> None:
    with served(basemaps) as server:
        server.tell(token_seconds=0.2)
        for n in range(2):
            source(server, tmp_path / str(n), auth_server=server.auth_server).latest()
            time.sleep(0.15)
        assert server.stats()["counts"]["token"] == 2


@pytest.mark.usefixtures("client")
def test_tokens_under_failures(basemaps: Path, tmp_path: Path) -> None:
    """The token server is repeated like everything else."""
    with served(basemaps, faults=0.3, seed=3, only=[Fault.UNAVAILABLE, Fault.TRUNCATED]) as server:
        patient = ClientPolicy(**{**vars(BRISK), "attempts": 12})
        planet = source(server, tmp_path, patient, auth_server=server.auth_server)
        assert planet.read(SITES["c"], SeasonRule().season(2018), BANDS).clear_fraction == 1.0


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({SECRET_VARIABLE: "wr0ng-secret-0123456789"}, "refuses the service account in PL_AUTH_CLIENT_ID .*; check"),
        ({SECRET_VARIABLE: ""}, "PL_AUTH_CLIENT_ID is set and PL_AUTH_CLIENT_SECRET is not; set both"),
        ({SECRET_VARIABLE: "", CLIENT_VARIABLE: ""}, "PL_API_KEY is not set; .* or run `planet auth login`"),
    ],
)
def test_service_accounts_that_do_not_work(
    server: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, str],
    words: str,
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(AuthenticationError, match=words) as caught:
        source(server, tmp_path, auth_server=server.auth_server).read(SITES["c"], SEASON, BANDS)
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "wr0ng-secret" not in said
    assert CLIENT_SECRET not in said


def test_the_session_of_planet_auth_login(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(KEY_VARIABLE)
    with urlopen(
        Request(
            f"{server.auth_server}/token",
            data=f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode(),
        )
    ) as answer:
        token = json.load(answer)["access_token"]
    folder = tmp_path / ".planet" / "planet-user"
    folder.mkdir(parents=True)
    stored = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
    (folder / "token.json").write_text(json.dumps(stored))
    assert describe_credentials() == "session of `planet auth login`, profile planet-user"
    assert source(server, tmp_path / "a").latest().revisions
    (folder / "token.json").write_text(json.dumps(stored | {"access_token": "stale-token-0123456789"}))
    with pytest.raises(AuthenticationError, match=r"session of `planet auth login` .*; run `planet auth login` again"):
        source(server, tmp_path / "b").latest()
