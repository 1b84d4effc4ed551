"""Addresses of files behind a login: where `s3://` is served, and how addresses are signed."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from minemap_assets.errors import AuthenticationError
from minemap_assets.imagery.sources.stac.config import PRESETS, PRODUCT, Collection, StacConfig
from minemap_assets.imagery.sources.stac.s3_login import (
    ACCESS_VARIABLE,
    KEYS_PAGE,
    SECRET_VARIABLE,
    SignedStorage,
    StorageKeys,
    copernicus_keys,
    presigned,
    web_address,
)
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.net.policy import Clock

NOW = datetime(2013, 5, 24, tzinfo=UTC)
BAND = "s3://eodata/Sentinel-2/MSI/L2A/2022/S2A.SAFE/GRANULE/T13VEK B02+10m.jp2"
COPERNICUS = PRESETS["copernicus"][0]
(PLANETARY,) = PRESETS["planetary-computer"]


def test_a_signature_is_that_of_the_published_example() -> None:
    # Amazon S3, Authenticating Requests: Using Query Parameters, "Example"
    keys = StorageKeys("".join(("AKIA", "IOSFODNN7EXAMPLE")), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    signed = presigned("https://examplebucket.s3.amazonaws.com/test.txt", keys, "us-east-1", NOW, 86_400)
    said = parse_qs(urlsplit(signed).query)
    assert said["X-Amz-Signature"] == ["aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"]


def test_another_client_signs_alike() -> None:
    reason = "botocore comes with moto, for the tests only"
    auth, requests, credentials = (
        pytest.importorskip(f"botocore.{name}", reason=reason) for name in ("auth", "awsrequest", "credentials")
    )
    address = web_address(BAND, COPERNICUS.storage)
    request = requests.AWSRequest(method="GET", url=address)
    auth.S3SigV4QueryAuth(credentials.Credentials("4ccess", "s3cret/+="), "s3", "default").add_auth(request)
    there = parse_qs(urlsplit(request.url).query)
    moment = datetime.strptime(there["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = presigned(address, StorageKeys("4ccess", "s3cret/+="), "default", moment)
    assert parse_qs(urlsplit(ours).query) == there


def test_an_s3_address_is_found_below_a_service_or_at_the_bucket_s_own() -> None:
    below = (
        "https://eodata.dataspace.copernicus.eu/eodata/Sentinel-2/MSI/L2A/2022/S2A.SAFE/GRANULE/T13VEK%20B02%2B10m.jp2"
    )
    assert web_address(BAND, "https://eodata.dataspace.copernicus.eu/") == below
    (level_1c,) = StacConfig().collections_for("sentinel-2-l1c")
    tile = "s3://sentinel-s2-l1c/tiles/27/V/WK/2024/2/6/0/B02.jp2"
    where = "https://sentinel-s2-l1c.s3.eu-central-1.amazonaws.com/tiles/27/V/WK/2024/2/6/0/B02.jp2"
    services = Services(StacConfig())
    assert services.address(level_1c, tile) == where
    assert services.address(level_1c, "https://example.org/a.jp2") == "https://example.org/a.jp2"


def test_keys_of_a_lake_are_sent_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of-the-lake")
    for name in (ACCESS_VARIABLE, SECRET_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AuthenticationError, match=f"{ACCESS_VARIABLE} and {SECRET_VARIABLE} are not set.*{KEYS_PAGE}"):
        copernicus_keys()
    monkeypatch.setenv(ACCESS_VARIABLE, "4ccess")
    monkeypatch.setenv(SECRET_VARIABLE, " s3cret\n")
    keys = copernicus_keys()
    assert keys == StorageKeys("4ccess", "s3cret")
    assert "s3cret" not in repr(keys)
    assert "4ccess" not in repr(keys)
    signed = SignedStorage(COPERNICUS.storage, keys, clock=Clock(now=lambda: NOW))(BAND, None)
    assert "of-the-lake" not in signed
    assert "Security-Token" not in signed
    assert "s3cret" not in signed


def test_an_address_is_signed_anew_as_time_passes() -> None:
    moments = iter([NOW, NOW.replace(hour=3)])
    storage = SignedStorage(COPERNICUS.storage, StorageKeys("a", "b"), clock=Clock(now=lambda: next(moments)))
    first = storage(BAND, None)
    assert storage(BAND, first) != first
    assert storage("https://example.org/open.jp2", None) == "https://example.org/open.jp2"


class Everything(BaseHTTPRequestHandler):
    """Answers every path with a token, and writes down which paths were asked for with which key."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Ocp-Apim-Subscription-Key")))
        body = b'{"msft:expiry": "2100-01-01T00:00:00Z", "token": "sig=1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Everything.asked = []
    listening = HTTPServer(("127.0.0.1", 0), Everything)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_address[1]}"
    listening.shutdown()
    listening.server_close()


@pytest.mark.parametrize("key", ["", "k3y-of-a-subscriber"])
def test_a_subscription_key_goes_to_the_token_service_alone(
    server: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", key)
    moved = PLANETARY.model_copy(update={"tokens": f"{server}/tokens", "endpoint": f"{server}/stac"})
    plain = moved.model_copy(update={"name": "other", "login": "", "tokens": f"{server}/others"})
    services = Services(StacConfig(collections=(moved, plain)))
    services.files(moved).get_json(f"{server}/container/a.tif")
    services.files(plain).get_json(f"{server}/container/b.tif")
    services.catalogue(moved.endpoint).get_json(moved.endpoint)
    services.close()
    assert Everything.asked == [
        ("/tokens/127/container", key or None),
        ("/container/a.tif?sig=1", None),
        ("/others/127/container", None),
        ("/container/b.tif?sig=1", None),
        ("/stac", None),
    ]


def test_files_of_the_data_space_want_keys_and_share_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    both = PRESETS["copernicus"]
    services = Services(StacConfig(use=("copernicus",)))
    monkeypatch.delenv(ACCESS_VARIABLE, raising=False)
    with pytest.raises(AuthenticationError, match="make a pair at"):
        services.files(both[0])
    monkeypatch.setenv(ACCESS_VARIABLE, "4ccess")
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    one, other = (services.files(collection) for collection in both)
    assert one._limits is other._limits
    assert one.policy.concurrency == 4
    assert Services(StacConfig(concurrency=2)).files(both[0]).policy.concurrency == 2
    assert services.files(PLANETARY).policy.concurrency == StacConfig().concurrency
    assert services.files(Collection.model_validate(OPEN)).policy.concurrency == StacConfig().concurrency
    services.close()


OPEN = {"name": "open", "endpoint": "https://stac.example.org", "collection": PRODUCT, "offset": "always"}
