"""Pages on this machine: who may read, who may write, and what a page may load."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dagster_project.pages.json_routes import MOST_BYTES, asked, told
from dagster_project.pages.server import Page, page_application
from minemap_assets.errors import BadInputError, BusyError

PORT = 8123
TOKEN = "a-token-that-nobody-guesses"
OWN = {"host": f"127.0.0.1:{PORT}"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def kept() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def client(tmp_path: Path, kept: list[Mapping[str, Any]]) -> TestClient:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>A map</title>")
    (folder / "tiles.bin").write_bytes(bytes(range(100)))
    (tmp_path / "secret.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")

    def take(given: Mapping[str, Any]) -> Mapping[str, Any]:
        if given.get("what") == "wrong":
            raise BadInputError("that is wrong; say something else")
        if given.get("what") == "busy":
            raise BusyError("somebody else writes; try again")
        kept.append(given)
        return {"kept": len(kept)}

    page = Page(folder, [asked("/api/state/{name}", dict), told("/api/take", take)])
    app = page_application(page, PORT, TOKEN, "minemap map")
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)


def enter(client: TestClient) -> None:
    answer = client.get(f"/?token={TOKEN}&view=3")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?view=3"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]


def test_files_are_read_without_a_token(client: TestClient) -> None:
    page = client.get("/")
    assert page.text.startswith("<!doctype html>")
    policies = page.headers.get_list("content-security-policy")
    assert any("default-src 'none'" in policy and "script-src 'self'" in policy for policy in policies)
    assert any("frame-ancestors 'none'" in policy for policy in policies)
    part = client.get("/tiles.bin", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "/..%2fsecret.txt"])
def test_nothing_outside_the_folder_is_read(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "outside" not in answer.text


def test_writing_needs_the_printed_address(client: TestClient, kept: list[Mapping[str, Any]]) -> None:
    refused = client.post("/api/take", json={"what": "a"})
    assert refused.status_code == 403
    assert "minemap map" in refused.json()["error"]
    assert client.get("/api/state/x").json() == {"name": "x", "writable": "no"}
    enter(client)
    assert client.post("/api/take", json={"what": "a"}).json() == {"kept": 1}
    assert client.get("/api/state/x?year=2019").json() == {"name": "x", "year": "2019", "writable": "yes"}
    assert kept == [{"what": "a"}]


def test_a_wrong_token_opens_nothing(client: TestClient) -> None:
    assert client.get("/?token=guess").status_code == 403
    assert client.get(f"/?token={TOKEN}&token=guess").status_code == 403
    client.cookies.set(f"minemap_{PORT}", "guess")
    assert client.post("/api/take", json={}).status_code == 403


def test_the_token_leads_to_no_other_host(client: TestClient) -> None:
    answer = client.get(f"http://127.0.0.1:{PORT}//evil.example/?token={TOKEN}")
    assert answer.headers["location"].startswith("/evil.example")


def test_another_site_writes_nothing(client: TestClient, kept: list[Mapping[str, Any]]) -> None:
    enter(client)
    foreign = {"origin": "http://evil.example"}
    assert client.post("/api/take", json={"what": "a"}, headers=foreign).status_code == 403
    assert client.post("/api/take", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/api/take", json={"what": "a"}, headers={"host": "evil.example"}).status_code == 421
    assert not kept


def test_an_error_is_one_sentence_with_its_status(client: TestClient) -> None:
    enter(client)
    wrong = client.post("/api/take", json={"what": "wrong"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "that is wrong; say something else"})
    assert client.post("/api/take", json={"what": "busy"}).status_code == 503
    for body in (b"{", b"[1]", b'"text"', b"\xff"):
        answer = client.post("/api/take", content=body, headers=JSON)
        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]
    long = client.post("/api/take", content=b" " * (MOST_BYTES + 1), headers=JSON)
    assert long.status_code == 400
    assert "at most" in long.json()["error"]
