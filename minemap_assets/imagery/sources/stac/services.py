"""The services that the source `stac` talks to: catalogues, storage, and tokens for it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from minemap_assets.errors import AuthenticationError
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.s3_login import (
    ACCESS_VARIABLE,
    KEYS_PAGE,
    SECRET_VARIABLE,
    SignedStorage,
    copernicus_keys,
    web_address,
)
from minemap_assets.imagery.sources.stac.signing import ContainerTokens, subscription
from minemap_assets.net.client import Client
from minemap_assets.net.connection import Counters, FailedAttemptError, Sign
from minemap_assets.net.policy import FORBIDDEN, ClientPolicy, Clock, StopSignal

T = TypeVar("T")


class Services:
    """Clients by what they are for. Safe from several threads."""

    def __init__(self, config: StacConfig, clock: Clock | None = None) -> None:
        self._clock = clock
        self._policy = ClientPolicy.of(config)
        self._stop = StopSignal()
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str], Client] = {}

    def catalogue(self, endpoint: str) -> Client:
        """The client of a STAC API."""
        return self._client("catalogue", endpoint)

    def files(self, collection: Collection) -> Client:
        """The client of a collection's files, which takes addresses as the catalogue writes them.

        It signs them where the collection says so. Raises `AuthenticationError` where the keys for that are missing.
        A file that storage without any signature refuses to everybody (403) is not there, says S3: `NotFoundError`.
        """
        with self._lock:
            key = ("files", collection.name)
            if key not in self._clients:
                self._clients[key] = self._files(collection)
            return self._clients[key]

    def address(self, collection: Collection, href: str) -> str:
        """Where a file of a collection is asked for, before it is signed."""
        opened = bool(collection.storage) and collection.login != "copernicus" and urlsplit(href).scheme == "s3"
        return web_address(href, collection.storage) if opened else href

    @property
    def counters(self) -> Counters:
        """What all clients together have done."""
        return self.counted("catalogue", "tokens", "files")

    def counted(self, *roles: str) -> Counters:
        """What the clients of catalogues, tokens or files have done."""
        with self._lock:
            each = [client.counters for (role, _), client in self._clients.items() if role in roles]
        return Counters(
            sum(c.requests for c in each),
            sum(c.retries for c in each),
            sum(c.bytes_read for c in each),
            sum(c.waited for c in each),
        )

    def stop(self) -> None:
        """Send nothing more through any of them."""
        self._stop.set()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _files(self, collection: Collection) -> Client:
        policy = self._policy
        if collection.concurrency is not None:
            policy = replace(policy, concurrency=min(policy.concurrency, collection.concurrency))
        if collection.tokens:
            headers = subscription() if collection.login == "planetary-computer" else {}
            tokens = self._client("tokens", collection.tokens, headers)
            return self._made(collection.name, policy, ContainerTokens(tokens, collection.tokens))
        if collection.login == "copernicus":
            signed = SignedStorage(collection.storage, copernicus_keys(), clock=self._clock or Clock())
            return _KeyedStorage(urlsplit(collection.storage).netloc, policy, signed, self._clock, self._stop)
        return self._made(collection.name, policy, hidden_keys=True)

    def _client(self, role: str, name: str, headers: Mapping[str, str] | None = None) -> Client:
        with self._lock:
            if (role, name) not in self._clients:
                said = urlsplit(name).netloc or name
                self._clients[role, name] = self._made(said, self._policy, headers=headers)
            return self._clients[role, name]

    def _made(
        self,
        name: str,
        policy: ClientPolicy,
        sign: Sign | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        hidden_keys: bool = False,
    ) -> Client:
        return Client(
            name, policy, headers=headers, sign=sign, clock=self._clock, stop=self._stop, hidden_keys=hidden_keys
        )


class _KeyedStorage(Client):
    """Storage whose files want the keys of an account; a refusal is about those keys."""

    def __init__(self, name: str, policy: ClientPolicy, sign: Sign, clock: Clock | None, stop: StopSignal) -> None:
        super().__init__(name, policy, sign=sign, clock=clock, stop=stop)

    def attempts(self, url: str, attempt: Callable[[str], T]) -> T:
        """As `Connection.attempts`."""

        def told(asked: str) -> T:
            try:
                return attempt(asked)
            except FailedAttemptError as failed:
                if failed.status != FORBIDDEN:
                    raise
                raise FailedAttemptError(_refused(self.where(url)), status=FORBIDDEN) from failed

        return super().attempts(url, told)


def _refused(where: str) -> AuthenticationError:
    return AuthenticationError(
        f"{where} refuses access (HTTP {FORBIDDEN}); check {ACCESS_VARIABLE} and {SECRET_VARIABLE}, or make a new pair "
        f"at {KEYS_PAGE} where they have expired"
    )
