"""Searching STAC catalogues, with pystac-client speaking through the project's one client.

Neighbouring sites share searches: an area is searched by the cells of a grid of degrees that hold it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import NotFoundError, PermanentError, RetryableError
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import Collection
from minemap_assets.imagery.sources.stac.scenes import Gap, Scene, gaps, parse_scene, without_duplicates
from minemap_assets.net.client import Client

if TYPE_CHECKING:
    import pystac_client

_CELL = 0.25
"""Degrees: about a quarter of a Sentinel-2 tile's side."""

_PAGE = 100
_REMEMBERED = 48
"""Searches whose scenes are kept; sites come in order of place, so that neighbours follow each other."""

_SHOWN_GAPS = 3

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees, as STAC has it."""


@dataclass(frozen=True)
class Note:
    """What a collection had for an area and season, in words."""

    collection: str
    text: str


@dataclass(frozen=True)
class Selection:
    """Scenes of an area and season in order of time, and what each collection that was asked had."""

    scenes: tuple[Scene, ...]
    notes: tuple[Note, ...]


class Catalogues:
    """Searches collections in order. Safe from several threads; a search is sent once."""

    def __init__(self, collections: Sequence[Collection], clients: Mapping[str, Client], gap_days: int) -> None:
        """`clients` by endpoint."""
        self._collections = tuple(collections)
        self._clients = clients
        self._gap_days = gap_days
        self._opened: LoadingCache[str, pystac_client.Client] = LoadingCache()
        self._found: LoadingCache[tuple[str, Box, Season], tuple[Scene, ...]] = LoadingCache(_REMEMBERED)

    def select(self, area: BaseGeometry, season: Season) -> Selection:
        """Scenes that touch an area (EPSG:4326): the first collection's, and in its gaps the next ones'.

        Raises `RetryableError` and its siblings where a catalogue that is needed does not answer: its silence is
        never taken for a gap.
        """
        points = probes(area)
        scenes: list[Scene] = []
        notes = []
        wanted = [Gap(season.start, season.end - timedelta(days=1))]
        for collection in self._collections:
            found = [
                scene
                for scene in self._search(collection, _cells(area), season)
                if scene.geometry.intersects(area) and any(gap.first <= scene.day <= gap.last for gap in wanted)
            ]
            before = len(scenes)
            scenes = without_duplicates([*scenes, *found])
            wanted = gaps(scenes, season, points, self._gap_days)
            notes.append(Note(collection.name, _in_words(len(scenes) - before, wanted)))
            if not wanted:
                break
        return Selection(tuple(scenes), tuple(notes))

    def newest(self, collection: Collection) -> Scene | None:
        """The newest scene of a collection, None where it is empty. Raises as `select` does."""
        search = self._client(collection).search(
            collections=[collection.collection],
            sortby=[{"field": "properties.datetime", "direction": "desc"}],
            limit=1,
            max_items=1,
        )
        found = [parse_scene(item, collection) for item in search.items()]
        return found[0] if found else None

    def _search(self, collection: Collection, box: Box, season: Season) -> tuple[Scene, ...]:
        def ask() -> tuple[Scene, ...]:
            last = season.end - timedelta(days=1)
            search = self._client(collection).search(
                collections=[collection.collection],
                bbox=box,
                datetime=f"{season.start}T00:00:00Z/{last}T23:59:59Z",
                limit=_PAGE,
            )
            scenes = (parse_scene(item, collection) for item in search.items())
            return tuple(s for s in scenes if s is not None and season.start <= s.day < season.end)

        return self._found.get((collection.name, box, season), ask)

    def _client(self, collection: Collection) -> "pystac_client.Client":
        def ask() -> "pystac_client.Client":
            opened: pystac_client.Client = _open(collection.endpoint, self._clients[collection.endpoint])
            return opened

        return self._opened.get(collection.endpoint, ask)


def probes(area: BaseGeometry) -> tuple[shapely.Point, ...]:
    """Points that stand for an area: its middle, and one near each corner."""
    west, south, east, north = area.bounds
    return tuple(
        shapely.Point(west + x * (east - west), south + y * (north - south))
        for x, y in ((0.5, 0.5), (0.05, 0.05), (0.95, 0.05), (0.05, 0.95), (0.95, 0.95))
    )


def _cells(area: BaseGeometry) -> Box:
    west, south, east, north = area.bounds
    return (
        max(-180.0, math.floor(west / _CELL) * _CELL),
        max(-90.0, math.floor(south / _CELL) * _CELL),
        min(180.0, math.ceil(east / _CELL) * _CELL),
        min(90.0, math.ceil(north / _CELL) * _CELL),
    )


def _in_words(images: int, left: Sequence[Gap]) -> str:
    count = f"{images} image{'' if images == 1 else 's'}"
    if not left:
        return count
    shown = ", ".join(str(gap) for gap in left[:_SHOWN_GAPS])
    more = f" and {len(left) - _SHOWN_GAPS} more" if len(left) > _SHOWN_GAPS else ""
    return f"{count}, still none from {shown}{more}"


def _open(endpoint: str, client: Client) -> Any:
    """A pystac-client `Client` whose requests go through ours."""
    import pystac_client
    from pystac_client.stac_api_io import StacApiIO

    class ClientStacIO(StacApiIO):
        """Sends pystac-client's requests under our policy; repeating is not its affair any more."""

        def request(
            self,
            href: str,
            method: str | None = None,
            headers: dict[str, str] | None = None,
            parameters: dict[str, Any] | None = None,
        ) -> str:
            asked = (method or "GET").upper()
            options: dict[str, Any] = {"body": parameters} if asked == "POST" else {"params": parameters or None}
            try:
                return client.request(asked, href, headers=headers, check=_is_document, **options).content.decode()
            except NotFoundError as error:  # a wrong address is not "no images here"
                raise PermanentError(f"{error}; correct the endpoint under [sources.stac] collections") from error

    try:
        return pystac_client.Client.open(endpoint, stac_io=ClientStacIO(max_retries=None))
    except (KeyError, TypeError, ValueError, pystac_client.exceptions.APIError) as error:
        raise PermanentError(f"{endpoint} is no STAC API ({error}); correct it under [sources.stac]") from error


def _is_document(content: bytes) -> None:
    import json

    try:
        whole = isinstance(json.loads(content), dict)
    except ValueError:
        whole = False
    if not whole:
        raise RetryableError("the answer is no JSON object")
