"""Quads and their masks fetched whole, each counted download used once.

The service answers a download's address with another one in storage, or with the file itself. What it answered is
remembered by this process until the file is whole, so that neither an interruption nor a file that arrived damaged asks
again.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.basemaps.quad_files import NoMaskError
from minemap_assets.imagery.sources.planet.api_answers import LedElsewhereError, StorageTransport
from minemap_assets.net.client import Client
from minemap_assets.net.downloads import Downloaded
from minemap_assets.net.policy import ClientPolicy, StopSignal
from minemap_assets.net.usage import charge


class QuadDownloads:
    """Downloads through one account. Safe to use from several threads."""

    def __init__(self, service: Client, rules: ClientPolicy, stop: StopSignal) -> None:
        self._service = service
        self._transport = StorageTransport()
        self._storage = Client("Planet storage", rules, sign=self._signed, transport=self._transport, stop=stop)
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._sums: dict[str, set[str]] = {}
        self._tags_are_sums = True

    def fetch(self, url: str, path: Path, verify: Callable[[Path], None], *, besides: str = "") -> Downloaded:
        """Fetch the file of a download's address to `path`, resuming where an earlier attempt stopped.

        The file is compared with the checksum that storage states; then `verify` judges it. `besides` is the address of
        the quad where the file is to be another one of it: `NoMaskError` is raised where both are the same.
        """

        def judge(arrived: Path) -> None:
            self._compare(url, arrived)
            verify(arrived)

        if not self._known(url):
            if not besides:
                charge(downloads=1)
            try:
                return self._service.download(url, path, verify=judge)
            except LedElsewhereError as led:
                if besides:
                    charge(downloads=1)
                self._remember(url, led.address)
        if besides and self._files.get(besides) == self._files[url]:
            raise NoMaskError(f"{urlsplit(url).path} leads to the quad itself, not to a mask of it")
        done = self._storage.download(url, path, verify=judge)
        with self._lock:
            self._addresses.pop(url, None)
            self._sums.pop(url, None)
        return done

    def _known(self, url: str) -> str | None:
        with self._lock:
            return self._addresses.get(url)

    def _remember(self, url: str, address: str) -> str:
        import httpx

        with self._lock:
            self._addresses[url] = str(httpx.URL(address))
            self._files[url] = urlsplit(address).path
            return self._addresses[url]

    def _signed(self, url: str, _: str | None) -> str:
        """The address in storage, asked for again only when it was refused."""
        known = self._known(url)
        if known is not None and not self._transport.refused(known):
            return known
        charge(downloads=1)
        return self._service.attempts(url, lambda asked: self._resolved(url, asked))

    def _resolved(self, url: str, asked: str) -> str:
        try:
            with self._service.streamed("GET", asked):
                pass
        except LedElsewhereError as led:
            return self._remember(url, led.address)
        raise RetryableError(f"Planet answered the download of {urlsplit(url).path} with no address; run again")

    def _compare(self, url: str, arrived: Path) -> None:
        """Raise `RetryableError` where a file is not what storage says it is.

        An entity tag only looks like a checksum. Where a file arrives twice with a sum that is not its tag, tags are
        none here, and are minded no more.
        """
        address = self._known(url)
        stated = None if address is None else self._transport.checksum(address)
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
