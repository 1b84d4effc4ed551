"""What the service's answers mean, what is kept out of addresses, and settings."""

from pathlib import Path

import httpx
import pytest

from dagster_project.registry import Registry
from minemap_assets.errors import AuthenticationError, BadInputError, MinemapError, NotEntitledError, QuotaError
from minemap_assets.imagery.sources.planet.api_answers import (
    KEY_VARIABLE,
    Checksum,
    LedElsewhereError,
    PlanetTransport,
    StorageTransport,
    is_own,
    stated_checksum,
    without_key,
)
from minemap_assets.imagery.sources.planet.config import PlanetConfig, revision_of
from minemap_assets.imagery.sources.planet.credentials import (
    CLIENT_VARIABLE,
    PROFILE_VARIABLE,
    SECRET_VARIABLE,
    PlanetAuth,
)
from minemap_assets.project.settings import parse_settings

FULL = "https://api.planet.com/basemaps/v1/mosaics/m/quads/1-2/full"
LINK = "https://link.planet.com/basemaps/v1/mosaics/m/quads/1-2/full"


def ask(answer: httpx.Response, url: str = FULL) -> httpx.Response:
    with httpx.Client(transport=PlanetTransport(httpx.MockTransport(lambda _: answer))) as client:
        return client.get(url)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, "", AuthenticationError),
        (402, "", QuotaError),
        (403, "no access", NotEntitledError),
        (403, "Download QUOTA exceeded", QuotaError),
        (429, "You have exceeded your download quota", QuotaError),
    ],
)
def test_refusals(status: int, text: str, kind: type[MinemapError]) -> None:
    with pytest.raises(kind):
        ask(httpx.Response(status, text=text))


@pytest.mark.parametrize("status", [200, 404, 429, 500, 503])
def test_what_is_left_to_the_client(status: int) -> None:
    answer = ask(httpx.Response(status, headers={"Retry-After": "7"}, text="slow down"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")


def led_to(*answers: httpx.Response) -> tuple[str, list[httpx.Request]]:
    """Where a download that is answered so leads, and the requests that were sent."""
    left, sent = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return left.pop(0)

    transport = PlanetTransport(httpx.MockTransport(answer), lambda url: is_own(FULL, url))
    with httpx.Client(transport=transport) as client, pytest.raises(LedElsewhereError) as led:
        client.get(FULL, headers={"Authorization": "api-key x"})
    return led.value.address, sent


def moved(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": location})


def test_a_download_is_followed_within_the_service_only() -> None:
    storage = "https://storage.googleapis.com/x/full?signature=s"
    assert led_to(moved(storage))[0] == storage
    address, sent = led_to(moved(f"{LINK}?api_key=PLAKsecret"), moved(storage))
    assert address == storage
    assert [str(request.url) for request in sent] == [FULL, LINK]
    assert [request.headers["Authorization"] for request in sent] == ["api-key x"] * 2
    assert [request.headers["Host"] for request in sent] == ["api.planet.com", "link.planet.com"]
    assert ask(httpx.Response(302, headers={"Location": "/y"}), "https://api.planet.com/x").status_code == 302
    assert ask(httpx.Response(200, content=b"the file itself")).content == b"the file itself"


def test_a_download_that_leads_in_circles() -> None:
    transport = PlanetTransport(httpx.MockTransport(lambda _: moved(LINK)), lambda url: is_own(FULL, url))
    with httpx.Client(transport=transport) as client, pytest.raises(httpx.TooManyRedirects):
        client.get(FULL)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        (LINK, True),
        ("https://tiles.planet.com/basemaps/v1/planet-tiles", True),
        ("http://link.planet.com/full", False),
        ("https://planet.com.example.org/full", False),
        ("https://notplanet.com/full", False),
        ("https://storage.googleapis.com/x", False),
    ],
)
def test_credentials_go_to_the_services_own_hosts(url: str, own: bool) -> None:
    assert is_own(FULL, url) is own
    assert is_own("http://127.0.0.1:1/v1", "http://127.0.0.1:1/full")
    assert not is_own("http://127.0.0.1:1/v1", "http://127.0.0.1:2/full")


def test_storage_that_leads_on_is_remembered_by_its_first_address() -> None:
    whole = httpx.Response(200, headers={"ETag": "0" * 32})
    answers = [moved("https://storage/b"), httpx.Response(403), moved("https://storage/c"), whole]
    transport = StorageTransport(httpx.MockTransport(lambda _: answers.pop(0)))
    with httpx.Client(transport=transport, follow_redirects=True) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="may have expired"):
            client.get("https://storage/a")
        assert transport.refused("https://storage/a")
        client.get("https://storage/new")
    assert transport.checksum("https://storage/new") == Checksum("0" * 32, certain=False)


def test_storage_remembers_what_it_refused() -> None:
    answers = [httpx.Response(403), httpx.Response(200, headers={"ETag": f'"{"0" * 32}"'})]
    transport = StorageTransport(httpx.MockTransport(lambda _: answers.pop(0)))
    with httpx.Client(transport=transport) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="may have expired"):
            client.get("https://storage/old")
        client.get("https://storage/new")
    assert transport.refused("https://storage/old")
    assert not transport.refused("https://storage/new")
    assert transport.checksum("https://storage/new") == Checksum("0" * 32, certain=False)
    assert transport.checksum("https://storage/old") is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}, Checksum("0" * 32, certain=True)),
        ({"x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA==", "ETag": '"1"'}, Checksum("0" * 32, certain=True)),
        ({"x-goog-hash": "md5=?"}, None),
        ({"ETag": f'"{"A" * 32}"'}, Checksum("a" * 32, certain=False)),
        ({"ETag": f'"{"a" * 32}-5"'}, None),
        ({"ETag": '"0x8D9"'}, None),
        ({}, None),
    ],
)
def test_checksums(headers: dict[str, str], expected: Checksum | None) -> None:
    assert stated_checksum(httpx.Headers(headers)) == expected


def test_keys_are_taken_out_of_addresses() -> None:
    assert without_key(f"{FULL}?api_key=PLAKsecret") == FULL
    assert without_key("https://h/q?api_key=PLAKsecret&bbox=1.5,2,3,4&_page=2") == "https://h/q?bbox=1.5,2,3,4&_page=2"
    assert without_key("https://h/q?bbox=1,2,3,4&minimal=true") == "https://h/q?bbox=1,2,3,4&minimal=true"


@pytest.mark.parametrize(("key", "words"), [(None, "is not set"), ("  ", "is not set"), ("PLAKé", "characters")])
def test_unusable_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str | None, words: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in (KEY_VARIABLE, CLIENT_VARIABLE, SECRET_VARIABLE, PROFILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    if key is not None:
        monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(AuthenticationError, match=words) as caught:
        next(PlanetAuth(PlanetConfig()).sync_auth_flow(httpx.Request("GET", FULL)))
    assert "PLAKé" not in str(caught.value)


def test_the_key_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    auth, request = PlanetAuth(PlanetConfig()), httpx.Request("GET", FULL)
    for key in ("PLAKone", " PLAKtwo\n"):
        monkeypatch.setenv(KEY_VARIABLE, key)
        assert next(auth.sync_auth_flow(request)).headers["Authorization"] == f"api-key {key.strip()}"


def test_settings() -> None:
    sections = Registry().parts().sections
    settings = parse_settings('[sources.planet_basemaps]\nseries = ["Mine"]\nclarity = "auto"\nrate = 2', sections)
    config = settings.section(PlanetConfig)
    assert config == PlanetConfig(series=("Mine",), clarity="auto", rate=2)
    assert PlanetConfig(base_url="http://127.0.0.1:1/v1/").base_url == "http://127.0.0.1:1/v1"
    for wrong in ('clarity = "best"', "rate = 0", 'base_url = "api.planet.com"', 'api_key = "x"'):
        with pytest.raises(BadInputError, match="planet_basemaps"):
            parse_settings(f"[sources.planet_basemaps]\n{wrong}", sections)


def test_series_of_a_subscription_need_no_name_of_the_ended_programme() -> None:
    nicfi, mine = PlanetConfig(), PlanetConfig(series=("ps_monthly_normalized_analytic_subscription",))
    assert (nicfi.names, mine.names) == ("planet_medres_normalized_analytic", "")
    assert PlanetConfig(series=("x",), name_contains="sen2").names == "sen2"
    assert "NICFI" in nicfi.licence
    assert "NICFI" not in mine.licence
    assert PlanetConfig(series=("x",), terms="ours").licence == "ours"
    assert len({revision_of(one) for one in (nicfi, mine, PlanetConfig(reads="tiles"), PlanetConfig(udm2=False))}) == 4
