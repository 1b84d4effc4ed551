"""Planet's basemaps service as this project asks it: mosaics, quads, scenes and downloads.

Addresses, paging and parsing are the planet SDK's; its requests are sent by `net/client.py`, so that there is
one place where requests are limited and repeated. The SDK's own download is never used: it leaves half a file under
the final name and takes it for whole the next time.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from minemap_assets.errors import NotFoundError, PermanentError, RetryableError
from minemap_assets.imagery.basemaps.mosaics import Mosaic, parse_mosaic
from minemap_assets.imagery.basemaps.quads import QuadId, parse_quad
from minemap_assets.imagery.sources.planet.api_answers import (
    LEADS_TO,
    PlanetTransport,
    StorageTransport,
    without_key,
)
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.credentials import PlanetAuth
from minemap_assets.net.client import Client
from minemap_assets.net.downloads import Downloaded
from minemap_assets.net.policy import ClientPolicy, StopSignal
from minemap_assets.net.usage import charge

if TYPE_CHECKING:
    from planet.sync.mosaics import MosaicsAPI

_IDS_AT_ONCE = 250
"""Scenes asked for in one search."""


class PlanetClient:
    """Asks the service. Safe to use from several threads. All methods raise as `net.client.Client` does, and
    `NotEntitledError` where the account's plan does not include what is asked for.
    """

    def __init__(self, config: PlanetConfig, policy: ClientPolicy | None = None) -> None:
        self._config = config
        burst = max(1, round(config.rate))
        rules = policy or ClientPolicy.of(config, burst=burst, timeout=config.timeout_s, deadline=3600.0)
        self._stop = StopSignal()
        self._api = Client(
            "Planet basemaps", rules, auth=PlanetAuth(config), transport=PlanetTransport(), stop=self._stop
        )
        self._storage_transport = StorageTransport()
        self._storage = Client(
            "Planet storage", rules, sign=self._signed, transport=self._storage_transport, stop=self._stop
        )
        self._lock = threading.Lock()
        self._mosaics_api: MosaicsAPI | None = None
        self._addresses: dict[str, str] = {}
        self._sums: dict[str, set[str]] = {}
        self._tags_are_sums = True

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    def mosaics(self) -> tuple[Mosaic, ...]:
        """All mosaics that the settings mean and the account sees, sorted by their days."""
        wanted, api = self._config.name_contains, self._sdk()
        if not self._config.series:
            records: list[Any] = list(api.list_mosaics(name_contains=wanted or None))
        else:
            records = [m for name in self._config.series for m in self._of_series(api, name)]
        found = [parse_mosaic(r) for r in records if wanted.lower() in str(r.get("name", "")).lower()]
        return tuple(sorted({mosaic for mosaic in found if mosaic is not None}))

    def has_quad(self, mosaic: Mosaic, quad: QuadId) -> bool:
        """Whether a mosaic has that quad."""
        try:
            record = self._sdk().get_quad(self._record(mosaic), str(quad))
        except NotFoundError:
            return False
        if record.get("id") != str(quad):
            raise PermanentError(f"Planet answered with quad {record.get('id')} of {mosaic.name} for {quad}")
        return bool(record.get("percent_covered", 100) > 0)

    def quads_in(self, mosaic: Mosaic, bounds: Sequence[float]) -> tuple[QuadId, ...]:
        """Quads of a mosaic that touch west, south, east, north in degrees, sorted."""
        quads = self._sdk().list_quads(self._record(mosaic), bbox=list(bounds), minimal=True)
        return tuple(sorted({parse_quad(str(quad["id"])) for quad in quads}))

    def scenes(self, mosaic: Mosaic, quad: QuadId) -> tuple[Mapping[str, Any], ...]:
        """Properties of the scenes that a quad was made from, as far as the account may see them."""
        from planet.models import Quad

        record = Quad({"id": str(quad), "_links": {"items": f"{self._url(mosaic, quad)}/items"}})
        places = [str(item["link"]).rstrip("/").split("/") for item in self._sdk().get_quad_contributions(record)]
        kinds = {place[-1]: place[-3] for place in places if len(place) >= 3}
        found: list[Mapping[str, Any]] = []
        ids = sorted(kinds)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            found += self._search(ids[start : start + _IDS_AT_ONCE], sorted(set(kinds.values())))
        return tuple(found)

    def download(self, mosaic: Mosaic, quad: QuadId, path: Path, verify: Callable[[Path], None]) -> Downloaded:
        """Fetch a quad whole to `path`, resuming where an earlier attempt stopped.

        The file is compared with the checksum that storage states; then `verify` judges it.
        """
        charge(downloads=1)
        url = f"{self._url(mosaic, quad)}/full"

        def judge(arrived: Path) -> None:
            self._compare(url, arrived)
            verify(arrived)

        done = self._storage.download(url, path, verify=judge)
        with self._lock:
            self._addresses.pop(url, None)
            self._sums.pop(url, None)
        return done

    def get(self, url: str, params: Mapping[str, Any] | None, body: Any) -> Any:
        """The JSON answer of the service at an address below its host; the key goes nowhere else."""
        own, asked = urlsplit(self._config.base_url), urlsplit(url)
        if (own.scheme, own.netloc) != (asked.scheme, asked.netloc):
            raise PermanentError(
                f"Planet refers to {asked.netloc}, which is not {own.netloc}; credentials are not sent there"
            )
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

    def _search(self, ids: Sequence[str], kinds: Sequence[str]) -> list[Mapping[str, Any]]:
        parts = urlsplit(self._config.base_url)
        question = {
            "item_types": list(kinds),
            "filter": {"type": "StringInFilter", "field_name": "id", "config": list(ids)},
        }
        answer = self.get(f"{parts.scheme}://{parts.netloc}/data/v1/quick-search?_page_size=250", None, question)
        return [feature["properties"] for feature in answer["features"]]

    def _signed(self, url: str, _: str | None) -> str:
        """The address in storage that a download leads to, asked for once and again only when it was refused."""
        import httpx

        with self._lock:
            known = self._addresses.get(url)
        if known is not None and not self._storage_transport.refused(known):
            return known
        leads_to = self._api.request("GET", url).headers.get(LEADS_TO)
        if leads_to is None:
            raise RetryableError(f"Planet answered the download of {urlsplit(url).path} with no address; run again")
        with self._lock:
            self._addresses[url] = str(httpx.URL(leads_to))
            return self._addresses[url]

    def _compare(self, url: str, arrived: Path) -> None:
        """Raise `RetryableError` where a file is not what storage says it is.

        A tag that only looks like a checksum is believed until a file arrived twice alike and contradicts it.
        """
        with self._lock:
            stated = self._storage_transport.checksum(self._addresses[url])
        if stated is None or not (stated.certain or self._tags_are_sums):
            return
        with arrived.open("rb") as handle:
            found = hashlib.file_digest(handle, "md5").hexdigest()
        with self._lock:
            before = self._sums.setdefault(url, set())
            if found == stated.md5:
                return
            if not stated.certain and found in before:
                self._tags_are_sums = False
                return
            before.add(found)
        raise RetryableError("its checksum is not the one that storage states")

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
