"""The labelling page and the page for outlining: what they ask and tell, as routes behind the guard and the token."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dagster_project.pages.json_routes import asked, told
from dagster_project.pages.server import Page
from minemap_assets.errors import MinemapError, NotFoundError
from minemap_assets.publication import labelling

if TYPE_CHECKING:
    from minemap_assets.publication.labelling.desk import Desk
    from minemap_assets.publication.labelling.sitting import Sitting

FOLDER = Path(labelling.__file__).parent / "page"
"""The files of both pages."""


def label_page(sitting: "Sitting") -> Page:
    """The page on which one person labels."""

    async def picture(request: Request) -> Response:
        words = request.path_params
        return await drawn(lambda: sitting.picture(words["number"], words["year"], words["scale"]))

    routes: list[BaseRoute] = [
        asked("/api/state", lambda words: {**sitting.state(), "writable": words["writable"] == "yes"}),
        asked("/api/pictures/{number}", sitting.pictures),
        told("/api/answers", sitting.give),
        told("/api/remarks", sitting.note),
        Route("/chips/{number:int}/{year:int}/{scale}.webp", picture, methods=["GET"]),
    ]
    return Page(FOLDER, routes)


def outline_page(desk: "Desk") -> Page:
    """The page on which one person outlines mines."""

    async def picture(request: Request) -> Response:
        words = request.path_params
        return await drawn(lambda: desk.picture(words["region"], words["site"], words["year"]))

    async def first(_: Request) -> Response:
        return FileResponse(FOLDER / "outline.html")

    routes: list[BaseRoute] = [
        Route("/", first, methods=["GET"]),
        asked("/api/state", lambda words: {**desk.state(), "writable": words["writable"] == "yes"}),
        asked("/api/place", desk.at),
        asked("/api/sites/{region}/{site}", desk.site),
        told("/api/outlines", desk.save),
        told("/api/outlines/remove", desk.remove),
        Route("/images/{region}/{site}/{year:int}.webp", picture, methods=["GET"]),
    ]
    return Page(FOLDER, routes)


async def drawn(draw: Callable[[], bytes]) -> Response:
    """A picture, or one sentence where there is none. It belongs to this sitting: no browser keeps it for long."""
    try:
        data = await run_in_threadpool(draw)
    except MinemapError as error:
        return PlainTextResponse(f"{error}\n", 404 if isinstance(error, NotFoundError) else 503)
    return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=600"})
