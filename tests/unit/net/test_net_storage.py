"""Storage that does not say which files are missing, and what services are told of who asks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from minemap_assets.errors import AuthenticationError, BadInputError, NotFoundError
from minemap_assets.net.client import Client, user_agent
from minemap_assets.net.policy import ClientPolicy, Clock
from servers.processes import Unreliable, unreliable
from servers.unreliable import SIGNATURE

FREE = ClientPolicy(rate=1e6, burst=1000, attempts=5)
QUICK = Clock(sleep=lambda _: None)


@dataclass
class Signer:
    """Signs every address with the same signature, and notes which ones were refused."""

    signature: str = f"{SIGNATURE}-1"
    refused: list[str] = field(default_factory=list)

    def __call__(self, url: str, refused: str | None) -> str:
        if refused is not None:
            self.refused.append(refused)
        return f"{url}?sig={self.signature}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unreliable]:
    root = tmp_path_factory.mktemp("files")
    for name in ("here.tif", "hidden.tif"):
        (root / name).write_bytes(name.encode())
    with unreliable(root) as running:
        yield running


@pytest.fixture
def forbidding(server: Unreliable) -> Unreliable:
    """A server that answers 403 for keys that begin with `hidden`."""
    server.set(share=1.0, kinds=["403"], only="/files/hidden")
    return server


def test_a_missing_key_of_open_storage_is_one_file_and_not_the_account(forbidding: Unreliable) -> None:
    with Client("storage", FREE, clock=QUICK, hidden_keys=True) as asking:
        with pytest.raises(NotFoundError, match=r"hidden\.tif\) does not exist or is open to nobody \(HTTP 403"):
            asking.get_range(f"{forbidding.url}/files/hidden.tif", 0, 4)
        assert asking.get_range(f"{forbidding.url}/files/here.tif", 0, 4).data == b"here"
        with pytest.raises(NotFoundError):
            asking.get_range(f"{forbidding.url}/files/hidden.tif", 0, 4)
    asked = [(entry["path"].removeprefix("/files/"), entry["range"]) for entry in forbidding.log()]
    first = [("hidden.tif", "bytes=0-3"), ("here.tif", "bytes=0-3")]
    assert asked == [*first, ("hidden.tif", "bytes=0-3"), ("here.tif", "bytes=0-0")], "never repeated, and confirmed"


@pytest.mark.parametrize("sign", [None, Signer()], ids=["open", "signed"])
def test_storage_that_refuses_what_it_served_before_is_no_storage_with_missing_files(
    server: Unreliable, sign: Signer | None
) -> None:
    """A spent quota, or a wall before the service: leaving such files out would make other pixels."""
    folder = "files" if sign is None else "private"
    server.set(share=0.0)
    with Client("storage", FREE, clock=QUICK, sign=sign, hidden_keys=True) as asking:
        assert asking.get_range(f"{server.url}/{folder}/here.tif", 0, 4).data == b"here"
        server.set(share=1.0, kinds=["403"], only="/")
        with pytest.raises(AuthenticationError, match="refuses access"):
            asking.get_range(f"{server.url}/{folder}/hidden.tif", 0, 4)
        server.set(share=1.0, kinds=["403"], only=f"/{folder}/hidden")
        with pytest.raises(NotFoundError):
            asking.get_range(f"{server.url}/{folder}/hidden.tif", 0, 4)


def test_elsewhere_a_403_is_a_matter_of_the_account(forbidding: Unreliable, server: Unreliable) -> None:
    with Client("api", FREE, clock=QUICK) as asking, pytest.raises(AuthenticationError, match="refuses access"):
        asking.get_range(f"{forbidding.url}/files/hidden.tif", 0, 4)
    server.set(share=1.0, kinds=["401"], only="/files/hidden")
    with Client("storage", FREE, clock=QUICK, hidden_keys=True) as asking, pytest.raises(AuthenticationError):
        asking.get_range(f"{server.url}/files/hidden.tif", 0, 4)


def test_a_key_refused_with_fresh_signatures_is_missing_where_its_bucket_serves_others(server: Unreliable) -> None:
    server.set(share=1.0, kinds=["403"], only="/private/hidden")
    signer = Signer()
    with Client("signed storage", FREE, clock=QUICK, sign=signer, hidden_keys=True) as asking:
        with pytest.raises(AuthenticationError):
            asking.get_range(f"{server.url}/private/hidden.tif", 0, 4)
        assert asking.get_range(f"{server.url}/private/here.tif", 0, 4).data == b"here"
        signer.refused.clear()
        with pytest.raises(NotFoundError, match=r"hidden\.tif\) does not exist or is open"):
            asking.get_range(f"{server.url}/private/hidden.tif", 0, 4)
        assert len(signer.refused) == 2, "an expired signature looks the same, and is renewed first"
        assert asking.get_range(f"{server.url}/private/here.tif", 0, 4).data == b"here"


def test_what_another_bucket_serves_says_nothing_of_this_account(server: Unreliable) -> None:
    server.set(share=0.0)
    with Client("signed storage", FREE, clock=QUICK, sign=Signer("wrong"), hidden_keys=True) as asking:
        assert asking.get_range(f"{server.url}/files/here.tif", 0, 4).data == b"here"
        with pytest.raises(AuthenticationError):
            asking.get_range(f"{server.url}/private/here.tif", 0, 4)


def test_a_service_is_told_version_and_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINEMAP_CONTACT", raising=False)
    assert user_agent().startswith("minemap/0.")
    monkeypatch.setenv("MINEMAP_CONTACT", " maps@example.org ")
    assert user_agent().endswith(" (+maps@example.org)")


@pytest.mark.parametrize("contact", ["a\r\nX-Other: b", "Zoë@example.org"])
def test_a_contact_that_no_header_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch, contact: str) -> None:
    monkeypatch.setenv("MINEMAP_CONTACT", contact)
    with pytest.raises(BadInputError, match=r"MINEMAP_CONTACT is .* plain letters"):
        user_agent()


def test_every_request_carries_it(server: Unreliable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINEMAP_CONTACT", "maps@example.org")
    server.set(share=0.0)
    with Client("storage", FREE, clock=QUICK) as asking:
        asking.download(f"{server.url}/files/here.tif", tmp_path / "here.tif")
        asking.get_range(f"{server.url}/files/here.tif", 0, 4)
    assert {entry["agent"] for entry in server.log()} == {user_agent()}
