"""The labelling pages over HTTP: what is read, what is written, and that nobody writes without the token."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from dagster_project.pages.label_routes import FOLDER, label_page, outline_page
from dagster_project.pages.server import page_application
from minemap_assets.errors import BadInputError, NotFoundError

PORT = 8124
TOKEN = "a-token-that-nobody-guesses"


class Sitting:
    """Stands for a sitting, and keeps what is written."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def state(self) -> dict[str, Any]:
        return {"task": "t"}

    def pictures(self, words: Any) -> dict[str, Any]:
        return {"years": [], "number": words["number"]}

    def give(self, words: Any) -> dict[str, Any]:
        if words.get("answer") == "perhaps":
            raise BadInputError("that is no answer")
        self.said.append(dict(words))
        return {"stored": True}

    note = give

    def picture(self, number: int, year: int, scale: str) -> bytes:
        if scale != "wide":
            raise NotFoundError("there is no such picture")
        return f"{number} {year}".encode()


def client_of(page: Any) -> TestClient:
    app = page_application(page, PORT, TOKEN, "minemap label")
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}")


@pytest.fixture
def sitting() -> Sitting:
    return Sitting()


@pytest.fixture
def client(sitting: Sitting) -> TestClient:
    return client_of(label_page(sitting))  # type: ignore[arg-type]


def test_answers_need_the_token(client: TestClient, sitting: Sitting) -> None:
    assert client.get("/api/state").json() == {"task": "t", "writable": False}
    assert client.post("/api/answers", json={"answer": "mine"}).status_code == 403
    assert sitting.said == []
    client.get(f"/?token={TOKEN}")
    assert client.get("/api/state").json()["writable"] is True
    assert client.post("/api/answers", json={"answer": "mine"}).json() == {"stored": True}
    assert client.post("/api/remarks", json={"note": "pit"}).status_code == 200
    assert sitting.said == [{"answer": "mine"}, {"note": "pit"}]
    refused = client.post("/api/answers", json={"answer": "perhaps"})
    assert (refused.status_code, refused.json()) == (400, {"error": "that is no answer"})
    foreign = client.post("/api/answers", json={"answer": "mine"}, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403


def test_pictures_are_served_and_kept_by_this_browser_alone(client: TestClient) -> None:
    found = client.get("/chips/3/2019/wide.webp")
    assert (found.content, found.headers["content-type"]) == (b"3 2019", "image/webp")
    assert found.headers["cache-control"].startswith("private")
    assert client.get("/chips/3/2019/near.webp").status_code == 404
    assert client.get("/chips/x/2019/wide.webp").status_code == 404
    assert client.get("/api/pictures/3").json()["number"] == "3"


def test_each_page_is_the_first_thing_at_its_address(client: TestClient) -> None:
    assert "<title>Label points</title>" in client.get("/").text
    desk = SimpleNamespace(
        state=dict,
        at=lambda words: {"longitude": words["longitude"]},
        site=dict,
        save=dict,
        remove=dict,
        picture=lambda region, site, year: f"{region} {site} {year}".encode(),
    )
    outline = client_of(outline_page(desk))  # type: ignore[arg-type]
    assert "<title>Outline mines</title>" in outline.get("/").text
    assert outline.get("/images/north/m1/2019.webp").content == b"north m1 2019"
    assert outline.get("/api/place?longitude=9.5").json() == {"longitude": "9.5"}
    assert outline.post("/api/outlines", json={}).status_code == 403


def test_the_files_of_the_pages_hold_no_markup_in_strings_and_name_no_other_host() -> None:
    files = [path for path in Path(FOLDER).iterdir() if path.suffix in (".js", ".html", ".css")]
    assert len(files) >= 10
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path.name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, f"{path.name} says {word}"
        hosts = text.replace("http://www.w3.org/2000/svg", "").count("://")
        assert not hosts, path.name
