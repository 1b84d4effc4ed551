"""The one connection of a process to Earth Engine.

The client is initialised when it is first needed. It keeps account and address in module variables: any number of
calls of one session may run at a time; a session of another account or address waits until they have ended, and then
takes the client over.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from minemap_assets.errors import AuthenticationError
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.credentials import find_account, fingerprint
from minemap_assets.imagery.sources.earth_engine.service_errors import translate
from minemap_assets.imagery.sources.earth_engine.transport import Exchange
from minemap_assets.net.connection import Counters
from minemap_assets.net.policy import ClientPolicy, Clock, StopSignal

T = TypeVar("T")

_CONNECTING = (
    *("url", "token_url", "project", "credentials", "workload_tag"),
    *("deadline", "rate", "concurrency", "attempts", "backoff"),
)


class _Client:
    """Who the client of this process is set up for, and how many calls are running."""

    def __init__(self) -> None:
        self.free = threading.Condition()
        self.owner: tuple[Any, ...] | None = None
        self.running = 0
        self.exchange: Exchange | None = None

    def serves(self, key: tuple[Any, ...]) -> bool:
        """Whether it is set up for somebody, and has not been stopped."""
        return self.owner == key and self.exchange is not None and not self.exchange.stop.is_set


_CLIENT = _Client()


class Session:
    """Asks Earth Engine through one account. Nothing is read or sent before the first call."""

    def __init__(self, config: EarthEngineConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock
        self._stop = StopSignal()
        self._key: tuple[Any, ...] | None = None

    @property
    def counters(self) -> Counters:
        """What the process's connection has done so far."""
        exchange = _CLIENT.exchange
        return exchange.counters if exchange is not None else Counters()

    def ask(self, what: str, question: Callable[[Any], T]) -> T:
        """`question(ee)`, with the client set up; `what` names in errors what is asked for.

        Raises `AuthenticationError`, `QuotaError`, `NotEntitledError`, `RetryableError`, `PermanentError`, and
        `TooMuchError` for a computation that is too large.
        """
        try:
            self._stop.check()
            self._enter()
            try:
                import ee

                return question(ee)
            finally:
                self._leave()
        except Exception as error:
            ours = translate(error, what)
            if isinstance(ours, AuthenticationError):
                self._forget()
            raise ours from None

    def stop(self) -> None:
        """Send nothing more; the process's connection ends with it, and another session makes a new one.

        Takes no lock: who holds it may be waiting for an answer.
        """
        self._stop.set()
        if _CLIENT.exchange is not None and _CLIENT.owner in (None, self._key):
            _CLIENT.exchange.stop.set()

    def _enter(self) -> None:
        with _CLIENT.free:
            key = self._identity()
            while not _CLIENT.serves(key) and _CLIENT.running:
                _CLIENT.free.wait()
            if not _CLIENT.serves(key):
                _CLIENT.owner = None
                self._initialise()
                _CLIENT.owner = key
            _CLIENT.running += 1

    def _leave(self) -> None:
        with _CLIENT.free:
            _CLIENT.running -= 1
            _CLIENT.free.notify_all()

    def _forget(self) -> None:
        """Have credentials read anew by the next call."""
        with _CLIENT.free:
            if _CLIENT.owner == self._key:
                _CLIENT.owner = None

    def _identity(self) -> tuple[Any, ...]:
        settings = tuple(getattr(self._config, name) for name in _CONNECTING)
        self._key = (*settings, fingerprint(self._config), self._clock)
        return self._key

    def _initialise(self) -> None:
        import ee

        config = self._config
        account = find_account(config)
        policy = ClientPolicy.of(config, burst=config.concurrency)
        if _CLIENT.exchange is not None:
            _CLIENT.exchange.close()
        _CLIENT.exchange = Exchange(policy, self._clock)
        self._stop.check()
        ee.Reset()
        # Requests are repeated and given deadlines by the exchange, and only there.
        ee.data.setMaxRetries(0)
        # The client would fetch the list of deprecated assets from another server, without a deadline.
        ee.deprecation.deprecated_assets = {"": ee.deprecation.DeprecatedAsset("", None, None, None)}
        ee.data.setDefaultWorkloadTag(config.workload_tag)
        ee.Initialize(account.credentials, url=config.url, project=account.project, http_transport=_CLIENT.exchange)
