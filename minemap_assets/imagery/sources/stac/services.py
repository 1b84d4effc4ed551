"""The services that the source `stac` talks to: catalogues, storage, and tokens for it."""

import threading
from urllib.parse import urlsplit

from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.signing import ContainerTokens
from minemap_assets.net.client import Client
from minemap_assets.net.connection import Counters, Sign
from minemap_assets.net.policy import ClientPolicy, Clock, StopSignal


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
        """The client of a collection's files; it signs addresses where the collection has tokens."""
        with self._lock:
            if not collection.tokens:
                return self._client("files", collection.name)
            key = ("files", collection.name)
            if key not in self._clients:
                tokens = ContainerTokens(self._client("tokens", collection.tokens), collection.tokens)
                self._clients[key] = self._made(collection.name, tokens)
            return self._clients[key]

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

    def _client(self, role: str, name: str) -> Client:
        with self._lock:
            if (role, name) not in self._clients:
                said = urlsplit(name).netloc or name
                self._clients[role, name] = self._made(said)
            return self._clients[role, name]

    def _made(self, name: str, sign: Sign | None = None) -> Client:
        return Client(name, self._policy, sign=sign, clock=self._clock, stop=self._stop)
