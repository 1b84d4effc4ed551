"""Pages of the UI that are the project's own: the first one, and pictures drawn from the lake when somebody looks."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from asgi_scopes import HOME, Headers, fetch, scope
from dagster_project.registry import Registry
from dagster_project.ui_guard import Message, OwnNames, Receive, Scope, Send, UiGuard
from dagster_project.ui_pages import OwnPages, Pictures
from minemap_assets.errors import NotFoundError
from minemap_assets.geo.pictures import MOST_BYTES
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.metadata import picture_path
from minemap_assets.lake.manifests import Manifest
from tiny import Chain


@pytest.fixture(scope="module")
def pictures(finished: Chain) -> Pictures:
    return Pictures(finished.project_home, finished.registry)


def drawn(chain: Chain) -> list[Manifest]:
    """One partition of each asset with a picture that a run of everything makes."""
    project = chain.project
    graph = Graph(Registry().rooms, project)
    with_picture = [a for a in graph.assets if a in graph.standard and a.picture is not None and a.applies(project)]
    return [list(project.lake.manifests(a.room, a.name))[-1] for a in with_picture]


async def dagster(asked: Scope, _: Receive, send: Send) -> None:
    """Answers everything."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"dagster {asked['method']} {asked['path']}".encode()})


def talk(pictures: Pictures, asked: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer, through the guard."""
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        told.append(message)

    asyncio.run(UiGuard(OwnPages(dagster, pictures), OwnNames(3000))(asked, receive, send))
    headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    return told[0]["status"], headers, told[1]["body"]


def test_every_picture_is_small_and_shows_something(finished: Chain, pictures: Pictures) -> None:
    manifests = drawn(finished)
    assert {m.asset for m in manifests} >= {"imagery", "raw_masks", "raw_polygons", "mining_polygons"}
    for manifest in manifests:
        status, headers, body = talk(pictures, scope(path=picture_path(manifest)))
        assert (status, headers["content-type"], headers["content-length"]) == (200, "image/webp", str(len(body)))
        assert len(body) <= MOST_BYTES
        with Image.open(BytesIO(body)) as image:
            assert image.width < 560, "it has to fit beside the other facts"
            assert len(set(image.convert("RGB").resize((64, 64)).get_flattened_data())) > 100, manifest.ref


def test_a_picture_of_what_was_made_again_says_so(finished: Chain, pictures: Pictures) -> None:
    manifest = drawn(finished)[0]
    now, old = (
        talk(pictures, scope(path=f"/pictures/{manifest.ref.prefix}/{content}.webp"))
        for content in (manifest.content[:12], "0" * 12)
    )
    assert (now[0], old[0]) == (200, 200)
    assert len(old[2]) < len(now[2]) / 2


@pytest.mark.parametrize(
    "path",
    [
        "imagery/imagery/birch-delta/2019/x.png",
        "imagery/imagery/birch-delta/1999/x.webp",
        "imagery/imagery/birch-delta/x.webp",
        "imagery/imagery/../../inputs/x.webp",
        "imagery/imagery/%2e%2e/2019/x.webp",
        "/etc/passwd/x.webp",
        "tables/polygons/2019/x.webp",
        "imagery/x.webp",
        "zebras/imagery/birch-delta/2019/x.webp",
        "",
    ],
)
def test_what_is_no_picture_is_not_found(pictures: Pictures, path: str) -> None:
    with pytest.raises(NotFoundError):
        pictures.picture(path)
    status, headers, body = talk(pictures, scope(path=f"/pictures/{path}"))
    assert (status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert body.count(b"\n") == 1


def test_the_first_page_is_the_catalogue(pictures: Pictures) -> None:
    status, headers, body = talk(pictures, scope())
    assert (status, headers["location"], headers["cache-control"], body) == (307, "/assets", "no-store", b"")


@pytest.mark.parametrize(("method", "path"), [("GET", "/assets"), ("GET", "/pictures.css"), ("GET", "/overview")])
def test_all_else_is_dagsters(pictures: Pictures, method: str, path: str) -> None:
    assert talk(pictures, scope(method, path))[2] == f"dagster {method} {path}".encode()


@pytest.mark.parametrize("headers", [fetch("cross-site", "no-cors", "image"), [("host", "evil.example")]])
def test_the_guard_stands_before_pictures_too(finished: Chain, pictures: Pictures, headers: Headers) -> None:
    status, _, body = talk(pictures, scope(path=picture_path(drawn(finished)[0]), headers=headers))
    assert status in (403, 421)
    assert not body.startswith(b"RIFF")


def test_nothing_is_written_under_the_path_of_pictures(pictures: Pictures) -> None:
    json = [HOME, ("content-type", "application/json")]
    asked = scope("POST", "/pictures/imagery/imagery/birch-delta/2019/x.webp", json)
    assert talk(pictures, asked)[2].startswith(b"dagster POST")
