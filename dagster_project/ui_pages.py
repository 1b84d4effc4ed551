"""What the web server shows besides Dagster's own pages: a first page with the finished work on it, and pictures.

Dagster's own first page is a timeline of scheduled runs, which is empty in a project that was made on the command line;
the catalogue shows every asset with what it holds and how many of its partitions are there.

A picture is drawn when somebody looks at it, from what the lake holds: so an event carries its path alone, and nothing
grows with the number of events. It stands behind the guard like every page.
"""

import asyncio
import re
from pathlib import PurePosixPath

from dagster_project.registry import Registry
from dagster_project.ui_guard import Application, Receive, Scope, Send
from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import MinemapError, NotFoundError
from minemap_assets.graph.existing_inputs import existing_inputs
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.metadata import PICTURES
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import ProjectHome

FIRST_PAGE = "/assets"

KEPT_PICTURES = 100
"""Of at most 60 kB each."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_IMAGE = "image/webp"
_TEXT = "text/plain; charset=utf-8"


class Pictures:
    """Draws partitions of a project; those that were drawn last are kept."""

    def __init__(self, home: ProjectHome, registry: Registry) -> None:
        self._home = home
        self._registry = registry
        self._drawn: LoadingCache[tuple[PartitionRef, str], bytes] = LoadingCache(KEPT_PICTURES)

    def picture(self, path: str) -> bytes:
        """The picture at a path such as `imagery/imagery/north/2019/1a2b3c4d5e6f.webp`, as WebP.

        Where the partition was made again since, it says so. Raises `NotFoundError` for a path that names no partition
        with a picture, and what reading the partition raises.
        """
        parts = PurePosixPath(path).parts
        if len(parts) < 3 or not path.endswith(".webp"):
            raise NotFoundError("there is no such picture; open the partition in the catalogue")
        room, name, *keys = parts[:-1]
        if not all(_PART.fullmatch(part) for part in (room, name, *keys)):
            raise NotFoundError("there is no such picture; open the partition in the catalogue")
        ref, content = PartitionRef(room, name, tuple(keys)), parts[-1].removesuffix(".webp")
        return self._drawn.get((ref, content), lambda: self._draw(ref, content))

    def _draw(self, ref: PartitionRef, content: str) -> bytes:
        project = self._home.open()
        graph = Graph(self._registry.rooms, project)
        try:
            asset = graph.asset(ref)
        except KeyError as error:
            raise NotFoundError(f"{ref} is no asset of this project") from error
        manifest = project.lake.manifest(ref) if len(ref.keys) == len(asset.partitions.names) else None
        if asset.picture is None or manifest is None:
            raise NotFoundError(f"{ref} has no picture; make it with `minemap run --select +{ref.asset}`")
        if not manifest.content.startswith(content):
            from minemap_assets.geo.pictures import sentence_picture

            return sentence_picture("Made again since: the newest materialization has a picture.")
        with project.lake.store.using():
            return asset.picture(Partition(project.lake.store, manifest), existing_inputs(project, graph, ref))


class OwnPages:
    """An ASGI application around Dagster's, which sees what is not answered here."""

    def __init__(self, app: Application, pictures: Pictures) -> None:
        self._app = app
        self._pictures = pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif scope["path"] == "/":
            await _answer(scope, send, 307, b"", [(b"location", FIRST_PAGE.encode())])
        elif scope["path"].startswith(f"/{PICTURES}/"):
            await self._send_picture(scope, send)
        else:
            await self._app(scope, receive, send)

    async def _send_picture(self, scope: Scope, send: Send) -> None:
        path = str(scope["path"]).removeprefix(f"/{PICTURES}/")
        try:
            body = await asyncio.to_thread(self._pictures.picture, path)
        except MinemapError as error:
            status = 404 if isinstance(error, NotFoundError) else 503
            await _answer(scope, send, status, f"{error}\n".encode(), [(b"content-type", _TEXT.encode())])
            return
        await _answer(
            scope, send, 200, body, [(b"content-type", _IMAGE.encode()), (b"cache-control", b"private, max-age=3600")]
        )


async def _answer(scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    stored = [] if any(name == b"cache-control" for name, _ in headers) else [(b"cache-control", b"no-store")]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *stored, length]})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
