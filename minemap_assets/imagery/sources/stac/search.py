"""Searching STAC catalogues, with pystac-client speaking through the project's one client.

Neighbouring sites share searches: an area is searched by the cells of a grid of degrees that hold it.
"""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import NotFoundError, PermanentError, RetryableError
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.stac.completeness import Shortage, shortage
from minemap_assets.imagery.sources.stac.config import Collection
from minemap_assets.imagery.sources.stac.scenes import Scene, SceneKey, images_of, is_copy, parse_scene, unreadable
from minemap_assets.lake.manifests import digest
from minemap_assets.net.client import Client
from minemap_assets.net.policy import StoppedError

if TYPE_CHECKING:
    import pystac
    import pystac_client

_CELL = 0.25
"""Degrees: about a quarter of a Sentinel-2 tile's side."""

_PAGE = 100
_REMEMBERED = 144
"""Searches whose scenes are kept; sites come in order of place, so that neighbours follow each other."""

_NOTABLE = 1.1
"""Holdings count as changed where the number of images has grown or shrunk by about a tenth. Numbers are rounded to
powers of this, so that a late image in a hundred thousand tips the balance in one of ten thousand cases, and a number
that only grows never comes back.
"""

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees, as STAC has it."""


class ItemIndex(Protocol):
    """STAC items at hand, without a search service."""

    def items(self, collection: str, box: Box, first: date, last: date) -> Iterable[Mapping[str, Any]]:
        """A collection's items that touch a box, from a first to a last day, both included."""


@dataclass(frozen=True)
class Note:
    """What a collection had for an area and season, or why something of it was left out, in words."""

    collection: str
    text: str


@dataclass(frozen=True)
class Selection:
    """Scenes of an area and season, one an image, in order of time; and what each collection that was asked had.

    `filled` counts the scenes that were lacking in the first collection that has their tile. `left_out` names items
    that cannot be read, with the reason; a good copy of the same image is among the scenes where there is one.
    """

    scenes: tuple[Scene, ...]
    notes: tuple[Note, ...]
    left_out: tuple[Note, ...] = ()
    filled: int = 0

    @property
    def digest(self) -> str:
        """Changes with the scenes that were chosen: their collections, ids, processing and versions."""
        return digest([[*scene.key, scene.baseline, scene.version] for scene in self.scenes])


@dataclass(frozen=True)
class _Found:
    """What a search gave; `aside` says where it does not come from the service itself."""

    scenes: tuple[Scene, ...]
    aside: str = ""


class Catalogues:
    """Searches collections in order. Safe from several threads; a search is sent once."""

    def __init__(
        self,
        collections: Sequence[Collection],
        clients: Mapping[str, Client],
        indexes: Mapping[str, ItemIndex] | None = None,
        stand_in: ItemIndex | None = None,
    ) -> None:
        """`clients` by endpoint, or `indexes` where an endpoint is no service; `stand_in` answers for a service that
        cannot be reached.
        """
        self._collections = tuple(collections)
        self._clients = clients
        self._indexes = indexes or {}
        self._stand_in = stand_in
        self._opened: LoadingCache[str, pystac_client.Client] = LoadingCache()
        self._found: LoadingCache[tuple[str, Box, Season], _Found] = LoadingCache(_REMEMBERED)

    def select(self, area: BaseGeometry, season: Season, bands: Sequence[str] = ()) -> Selection:
        """Scenes that touch an area (EPSG:4326) and whose `bands` can be read, as far as items tell.

        Collections are asked in order until no pass of the satellites is without an image (`completeness`); a later one
        gives every image that the earlier ones lack.

        Raises `RetryableError` and its siblings where a catalogue that is needed does not answer: its silence is never
        taken for a lack of images.
        """
        points = probes(area)
        offered: list[Scene] = []
        images: list[Scene] = []
        notes, left_out = [], []
        for collection in self._collections:
            found = self._search(collection, _cells(area), season)
            before = len(images)
            for scene in found.scenes:
                if scene.geometry.intersects(area):
                    reason = unreadable(scene, bands)
                    if reason:
                        left_out.append(Note(f"{collection.name}/{scene.id}", reason))
                    else:
                        offered.append(scene)
            images = images_of(offered)
            lack = shortage(images, season, points, self._now(collection))
            notes.append(Note(collection.name, _in_words(len(images) - before, bool(before), lack) + found.aside))
            if not lack:
                break
        return Selection(tuple(images), tuple(notes), tuple(left_out), _filled(images, self._collections))

    def copies(self, scene: Scene, area: BaseGeometry, season: Season, bands: Sequence[str] = ()) -> tuple[Scene, ...]:
        """Other copies of a scene's image, in the order in which they should be tried, also from collections that its
        selection did not need to ask. Raises as `select` does.
        """
        found: dict[SceneKey, Scene] = {other.key: other for other in scene.alternatives}
        names = [collection.name for collection in self._collections]
        for collection in self._collections[names.index(scene.collection.name) + 1 :]:
            there = [s for s in self._search(collection, _cells(area), season).scenes if is_copy(s, scene)]
            for image in images_of(s for s in there if not unreadable(s, bands)):
                for copy in (image, *image.alternatives):
                    found.setdefault(copy.key, copy)
        return tuple(found.values())

    def newest(self, collection: Collection) -> Scene | None:
        """The newest scene of a collection, None where it is empty or no service. Raises as `select` does."""
        if collection.endpoint in self._indexes:
            return None
        search = self._client(collection).search(
            collections=[collection.collection],
            sortby=[{"field": "properties.datetime", "direction": "desc"}],
            limit=1,
            max_items=1,
        )
        found = [parse_scene(item, collection) for item in search.items()]
        return found[0] if found else None

    def holdings(self, rule: SeasonRule, years: Iterable[int]) -> dict[int, str]:
        """By year, about how many images each collection has of its season worldwide, in words: they change where a
        catalogue fills a gap of its own. Empty where no service counts. Raises as `select` does.

        Earth Search counts, Planetary Computer does not; a service that does not is asked once. Steps are of a tenth.
        """
        counted = [c for c in self._collections if c.endpoint not in self._indexes]
        said: dict[int, str] = {}
        for year in years:
            season = rule.season(year)
            counts = {collection.name: self._count(collection, season) for collection in counted}
            counted = [collection for collection in counted if counts[collection.name] is not None]
            said[year] = "; ".join(f"{name}: {_about(n)}" for name, n in counts.items() if n is not None)
        return said

    def _count(self, collection: Collection, season: Season) -> int | None:
        search = self._client(collection).search(collections=[collection.collection], datetime=_interval(season))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a service does not count is an answer, too
            matched: int | None = search.matched()
        return matched

    def _search(self, collection: Collection, box: Box, season: Season) -> _Found:
        def ask() -> _Found:
            index = self._indexes.get(collection.endpoint)
            if index is not None:
                return _Found(_indexed(index, collection, box, season))
            search = self._client(collection).search(
                collections=[collection.collection], bbox=box, datetime=_interval(season), limit=_PAGE
            )
            return _Found(_scenes(search.items(), collection, season))

        def ask_or_look_up() -> _Found:
            try:
                return ask()
            except RetryableError as error:
                if self._stand_in is None or isinstance(error, StoppedError):
                    raise
                scenes = _indexed(self._stand_in, collection, box, season)
                return _Found(scenes, f" (by the static index, because the service cannot be reached: {error})")

        return self._found.get((collection.name, box, season), ask_or_look_up)

    def _client(self, collection: Collection) -> "pystac_client.Client":
        def ask() -> "pystac_client.Client":
            opened: pystac_client.Client = _open(collection.endpoint, self._clients[collection.endpoint])
            return opened

        return self._opened.get(collection.endpoint, ask)

    def _now(self, collection: Collection) -> datetime:
        client = self._clients.get(collection.endpoint)
        return client.clock.now() if client is not None else datetime.now(UTC)


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


def _interval(season: Season) -> str:
    return f"{season.start}T00:00:00Z/{season.end - timedelta(days=1)}T23:59:59Z"


def _scenes(items: "Iterable[pystac.Item]", collection: Collection, season: Season) -> tuple[Scene, ...]:
    scenes = (parse_scene(item, collection) for item in items)
    return tuple(scene for scene in scenes if scene is not None and season.start <= scene.day < season.end)


def _indexed(index: ItemIndex, collection: Collection, box: Box, season: Season) -> tuple[Scene, ...]:
    import pystac

    items = index.items(collection.collection, box, season.start, season.end - timedelta(days=1))
    return _scenes((pystac.Item.from_dict(dict(item)) for item in items), collection, season)


def _filled(images: Sequence[Scene], collections: Sequence[Collection]) -> int:
    """Scenes that are not in the first collection that has anything of their tile."""
    order = [collection.name for collection in collections]
    first: dict[str, int] = {}
    for scene in images:
        for copy in (scene, *scene.alternatives):
            place = order.index(copy.collection.name)
            first[scene.tile] = min(place, first.get(scene.tile, place))
    return sum(scene.collection.name != order[first[scene.tile]] for scene in images)


def _in_words(images: int, more: bool, lack: Shortage) -> str:
    count = f"{images}{' more' if more else ''} image{'' if images == 1 else 's'}"
    return f"{count}, {lack}" if lack else count


def _about(images: int) -> str:
    if images <= 0:
        return "no images"
    return f"about {round(_NOTABLE ** round(math.log(images, _NOTABLE))):,} images"


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
