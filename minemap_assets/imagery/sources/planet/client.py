"""Planet's basemaps service as this project asks it: mosaics, quads, scenes and downloads.

Addresses, paging and parsing are the planet SDK's; its requests are sent by `net/client.py`, so that there is
one place where requests are limited and repeated. The SDK's own download is never used: it leaves half a file under
the final name and takes it for whole the next time.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from minemap_assets.errors import NotEntitledError, NotFoundError, PermanentError
from minemap_assets.imagery.basemaps.mosaics import Listing, Mosaic
from minemap_assets.imagery.basemaps.quads import QuadId, parse_quad
from minemap_assets.imagery.basemaps.tiles import TileId
from minemap_assets.imagery.sources.planet.api_answers import PlanetTransport, is_own, without_key
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.credentials import PlanetAuth
from minemap_assets.imagery.sources.planet.quad_downloads import QuadDownloads
from minemap_assets.net.client import Check, Client
from minemap_assets.net.downloads import Downloaded
from minemap_assets.net.policy import ClientPolicy, StopSignal

if TYPE_CHECKING:
    from planet.sync.mosaics import MosaicsAPI

_IDS_AT_ONCE = 250
"""Scenes asked for in one search."""

_ITEM = re.compile(r"/item-types/([^/?#]+)/items/([^/?#]+)")
"""Type and id in the address of a scene, which goes on with `#` and the asset that was used."""

_SCENES = "PSScene"
_MERGED = frozenset({_SCENES, "PSScene3Band", "PSScene4Band"})
"""Types whose scenes are found under `PSScene`: Planet merged the older ones into it, under the same ids."""

_EMPTY = 204

_UDM2 = "ortho_udm2"
_TILE_QUERY = {"format": "geotiff", "empty": "404", "proc": "off"}
"""Numbers as they are in the mosaic, and 404 where it has none (Planet's own basemaps client asks for tiles so)."""


@dataclass(frozen=True)
class QuadOffer:
    """Whether a mosaic has a quad, and where the account may download it; `link` is empty where it may not."""

    there: bool
    link: str = ""


@dataclass(frozen=True, eq=False)
class Scenes:
    """Properties of the scenes of a quad, and how many others are of item types that Planet has retired."""

    properties: tuple[Mapping[str, Any], ...]
    retired: Mapping[str, int]

    @property
    def words(self) -> str:
        """The others in words."""
        return ", ".join(f"{count} of the retired item type {kind}" for kind, count in self.retired.items())


class PlanetClient:
    """Asks the service. Safe to use from several threads. All methods raise as `net.client.Client` does, and
    `NotEntitledError` where the account's plan does not include what is asked for.
    """

    def __init__(self, config: PlanetConfig, policy: ClientPolicy | None = None) -> None:
        self._config = config
        burst = max(1, round(config.rate))
        rules = policy or ClientPolicy.of(config, burst=burst, timeout=config.timeout_s, deadline=3600.0)
        self._stop = StopSignal()
        transport = PlanetTransport(own=lambda url: is_own(config.base_url, url))
        self._api = Client("Planet basemaps", rules, auth=PlanetAuth(config), transport=transport, stop=self._stop)
        self._downloads = QuadDownloads(self._api, rules, self._stop)
        self._lock = threading.Lock()
        self._mosaics_api: MosaicsAPI | None = None
        self._links: dict[tuple[str, QuadId], str] = {}

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    def mosaics(self) -> Listing:
        """All mosaics that the settings mean and the account sees."""
        wanted, api = self._config.names, self._sdk()
        if not self._config.series:
            records: list[Any] = list(api.list_mosaics(name_contains=wanted or None))
        else:
            records = [m for name in self._config.series for m in self._of_series(api, name)]
        return Listing.of(r for r in records if wanted.lower() in str(r.get("name", "")).lower())

    def quad(self, mosaic: Mosaic, quad: QuadId) -> QuadOffer:
        """Whether a mosaic has that quad, and whether the account may download it."""
        try:
            record = self._sdk().get_quad(self._record(mosaic), str(quad))
        except NotFoundError as error:
            if isinstance(error, NotEntitledError):
                raise
            return QuadOffer(there=False)
        if record.get("id") != str(quad):
            raise PermanentError(f"Planet answered with quad {record.get('id')} of {mosaic.name} for {quad}")
        if not record.get("percent_covered", 100) > 0:
            return QuadOffer(there=False)
        link = without_key(str(record.get("_links", {}).get("download") or ""))
        if link:
            self._check_own(link)
            with self._lock:
                self._links[mosaic.id, quad] = link
        return QuadOffer(there=True, link=link)

    def quads_in(self, mosaic: Mosaic, bounds: Sequence[float]) -> tuple[QuadId, ...]:
        """Quads of a mosaic that touch west, south, east, north in degrees, sorted."""
        quads = self._sdk().list_quads(self._record(mosaic), bbox=list(bounds), minimal=True)
        return tuple(sorted({parse_quad(str(quad["id"])) for quad in quads}))

    def scenes(self, mosaic: Mosaic, quad: QuadId) -> Scenes:
        """The scenes that a quad was made from, as far as the account may see them."""
        from planet.models import Quad

        record = Quad({"id": str(quad), "_links": {"items": f"{self._url(mosaic, quad)}/items"}})
        links = [str(item["link"]) for item in self._sdk().get_quad_contributions(record)]
        places = {match[2]: match[1] for match in map(_ITEM.search, links) if match is not None}
        ids = sorted(scene for scene, kind in places.items() if kind in _MERGED)
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(ids), _IDS_AT_ONCE):
            found += self._search(ids[start : start + _IDS_AT_ONCE])
        retired = Counter(kind for kind in places.values() if kind not in _MERGED)
        return Scenes(tuple(found), dict(sorted(retired.items())))

    def download(self, mosaic: Mosaic, quad: QuadId, path: Path, verify: Callable[[Path], None]) -> Downloaded:
        """Fetch a quad whole to `path` as `QuadDownloads.fetch` does. Raises `NotEntitledError` where the account may
        see the quad but not download it.
        """
        return self._downloads.fetch(self._link(mosaic, quad), path, verify)

    def download_mask(self, mosaic: Mosaic, quad: QuadId, path: Path, verify: Callable[[Path], None]) -> Downloaded:
        """Fetch a quad's usable data mask. Raises as `download` does, `NotFoundError` where there is none, and
        `NoMaskError` where the service does not know of such masks.
        """
        link = self._link(mosaic, quad)
        return self._downloads.fetch(f"{link}{'&' if '?' in link else '?'}asset={_UDM2}", path, verify, besides=link)

    def tile(self, mosaic: Mosaic, tile: TileId, check: Check) -> bytes | None:
        """A tile of a mosaic as GeoTIFF in full depth; None where the mosaic shows nothing there.

        `check` raises `RetryableError` for bytes that are to be fetched again.
        """
        place = f"{quote(mosaic.name, safe='')}/gmap/{tile.zoom}/{tile.x}/{tile.y}.tif"
        try:
            url = f"{self._config.tiles_url}/{place}"
            reply = self._api.request("GET", url, params=_TILE_QUERY, check=check)
            return None if reply.status == _EMPTY else reply.content
        except NotFoundError as error:
            if isinstance(error, NotEntitledError):
                raise
            return None

    def get(self, url: str, params: Mapping[str, Any] | None, body: Any) -> Any:
        """The JSON answer of the service at an address below its host; the key goes nowhere else."""
        self._check_own(url)
        clean = without_key(url)
        return self._api.get_json(clean, params) if body is None else self._api.post_json(clean, body)

    def _sdk(self) -> "MosaicsAPI":
        """The SDK's client, made on first use: it takes its time to import and starts a thread."""
        with self._lock:
            if self._mosaics_api is None:
                from planet.sync.mosaics import MosaicsAPI

                self._mosaics_api = MosaicsAPI(_session(self), self._config.base_url)
            return self._mosaics_api

    def _of_series(self, api: "MosaicsAPI", series: str) -> Iterable[Any]:
        try:
            return list(api.list_series_mosaics(series))
        except _missing_resource() as error:
            raise NotFoundError(
                f"Planet has no series {series!r} that this account sees; correct series under "
                "[sources.planet_basemaps]"
            ) from error

    def _search(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        parts = urlsplit(self._config.base_url)
        question = {
            "item_types": [_SCENES],
            "filter": {"type": "StringInFilter", "field_name": "id", "config": list(ids)},
        }
        answer = self.get(f"{parts.scheme}://{parts.netloc}/data/v1/quick-search?_page_size=250", None, question)
        return [feature["properties"] for feature in answer["features"]]

    def _link(self, mosaic: Mosaic, quad: QuadId) -> str:
        """Where a quad is downloaded, as its record says; asked for where this process has not seen it."""
        with self._lock:
            known = self._links.get((mosaic.id, quad))
        if known is not None:
            return known
        offer = self.quad(mosaic, quad)
        if not offer.there:
            raise NotFoundError(f"Planet has no quad {quad} of {mosaic.name} any more; run again")
        if not offer.link:
            raise NotEntitledError(f"the Planet account may see but not download quad {quad} of {mosaic.name}")
        return offer.link

    def _check_own(self, url: str) -> None:
        if not is_own(self._config.base_url, url):
            here, there = (urlsplit(one).netloc for one in (self._config.base_url, url))
            raise PermanentError(f"Planet refers to {there}, which is not {here}; credentials are not sent there")

    def _url(self, mosaic: Mosaic, quad: QuadId) -> str:
        return f"{self._config.base_url}/mosaics/{mosaic.id}/quads/{quad}"

    def _record(self, mosaic: Mosaic) -> Any:
        """A mosaic as the SDK wants it, with addresses that hold no key."""
        from planet.models import Mosaic as SdkMosaic

        quads = f"{self._config.base_url}/mosaics/{mosaic.id}/quads?bbox={{lx}},{{ly}},{{ux}},{{uy}}"
        return SdkMosaic({"id": mosaic.id, "_links": {"quads": quads}})


def _missing_resource() -> type[Exception]:
    from planet.exceptions import MissingResource

    error: type[Exception] = MissingResource
    return error


def _session(client: PlanetClient) -> Any:
    """A session of the SDK whose requests are sent by our client."""
    import httpx
    from planet.http import Session
    from planet.models import Response

    class _Session(Session):  # type: ignore[misc]  # the SDK has no type hints of its own
        async def request(
            self, method: str, url: str, json: Any = None, params: Mapping[str, Any] | None = None
        ) -> Any:
            if method not in ("GET", "POST"):
                raise PermanentError(f"the planet SDK wants to {method}, which this project never does")
            answer = await asyncio.to_thread(client.get, url, params, json)
            return Response(httpx.Response(200, json=answer))

    session = _Session(auth=httpx.Auth())
    session._init_loop()  # two threads at once would start two
    return session
