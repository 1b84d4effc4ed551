"""Accounts of the source `earth-engine`: every way in which credentials fail, in one sentence and without a secret.

The stand-in service gives out tokens for signed assertions, and refuses as the real one does.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earth_engine_scenes import BANDS, CONFIG, FAR, SEASON, SITE, Scenes, serve_scenes
from earth_engine_world import Keys, Running, make_keys, without_credentials
from minemap_assets.errors import AuthenticationError, MinemapError, NotEntitledError, QuotaError, RetryableError
from minemap_assets.imagery.sources.earth_engine.service_errors import REGISTER
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.net.policy import Clock
from servers.earth_engine_accounts import REFRESH_TOKEN, Account

pytestmark = pytest.mark.integration

HASTY = Clock(sleep=lambda seconds: time.sleep(seconds * 0.01))
"""Waits a hundredth of what it should."""

AMERICAS = CONFIG.nicfi[0].asset

Enter = Callable[..., Path]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    with serve_scenes(tmp_path_factory.mktemp("earth-engine")) as running:
        yield running


@pytest.fixture
def server(scenes: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The server in its right mind, and no credentials in the environment."""
    scenes.server.calm()
    without_credentials(monkeypatch, tmp_path)
    return scenes.server


@pytest.fixture
def keys(scenes: Scenes) -> Keys:
    return scenes.keys


@pytest.fixture
def enter(server: Running, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Puts an account's key file into the environment."""

    def put(account: Account = Account.GOOD, signed_by: Keys = keys) -> Path:
        path = server.write_key(tmp_path / f"{account.value}.json", signed_by, account)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    return put


def source(server: Running, product: str = "sentinel-2-l2a", **changes: Any) -> EarthEngineSource:
    return EarthEngineSource(product, server.config(**changes), clock=HASTY)


def said(error: pytest.ExceptionInfo[MinemapError], caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a person or a log would see of an error."""
    return "".join(traceback.format_exception(error.value)) + str(error.value) + caplog.text


def assert_no_secret(text: str, keys: Keys) -> None:
    for secret in ("ya29.", REFRESH_TOKEN, "eyJ", "PRIVATE KEY", keys.private.splitlines()[3]):
        assert secret not in text


def test_wrong_expired_and_spent_accounts_are_told_apart(
    server: Running, enter: Enter, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cases: tuple[tuple[Account, type[MinemapError], str], ...] = (
        (Account.SPENT, QuotaError, "allowance is used up; wait until it is renewed"),
        (Account.UNREGISTERED, AuthenticationError, f"not registered for Earth Engine; register it at {REGISTER}"),
        (Account.UNVERIFIED, AuthenticationError, f"is not verified; answer the questions about it at {REGISTER}"),
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
    server: Running, enter: Enter, keys: Keys, caplog: pytest.LogCaptureFixture
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


def test_a_token_that_ends_early_is_renewed(server: Running, enter: Enter) -> None:
    enter()
    ours = source(server)
    whole = ours.read(SITE, SEASON, BANDS)
    server.set(revoke=True)
    server.set(revoke=False)
    np.testing.assert_array_equal(ours.read(SITE, SEASON, BANDS).pixels, whole.pixels)


def test_missing_and_broken_credentials(
    server: Running, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_credentials_of_a_person_work(server: Running, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "earthengine"
    folder.mkdir(parents=True)
    stored = f'{{"refresh_token": "{REFRESH_TOKEN}", "scopes": []}}'
    (folder / "credentials").write_text(stored)
    with pytest.raises(AuthenticationError, match="wants a cloud project to charge; set GOOGLE_CLOUD_PROJECT"):
        source(server).read(SITE, SEASON, BANDS)
    assert source(server, project="minemap-test").read(SITE, SEASON, BANDS).clear_fraction > 0.9


def test_access_to_basemaps_is_probed_and_reported(server: Running, enter: Enter) -> None:
    enter(Account.NO_NICFI)
    basemaps = source(server, "planet-nicfi")
    report = basemaps.access()
    assert [one.granted for one in report] == [False, False, False]
    assert "access to the NICFI programme's collection is no longer given" in report[1].reason
    with pytest.raises(NotEntitledError, match=f"does not show this account the collection {AMERICAS}; access to"):
        basemaps.read(SITE, SEASON, BANDS)
    server.set()
    with pytest.raises(NotEntitledError):
        basemaps.read(FAR, SEASON, BANDS)
    assert not server.log(), "a collection that was refused is not asked for again"
    assert all(one.granted for one in source(server).access())


def test_no_network(server: Running, enter: Enter) -> None:
    enter()
    closed = server.config(attempts=2).model_copy(update={"url": "http://127.0.0.1:9"})
    with pytest.raises(RetryableError, match=r"cannot be reached or broke off .*after 2 attempts; check the network"):
        EarthEngineSource("sentinel-2-l2a", closed, clock=HASTY).read(SITE, SEASON, BANDS)
