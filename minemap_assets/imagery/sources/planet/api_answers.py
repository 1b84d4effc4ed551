"""What Planet's service and its storage mean by their answers.

Neither a key nor the text of an answer (which may quote the key) gets into a message.
"""

import base64
import binascii
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

from minemap_assets.errors import AuthenticationError, MinemapError, NotEntitledError, QuotaError
from minemap_assets.net.certificates import trusted

KEY_VARIABLE = "PL_API_KEY"
"""Environment variable that holds the API key, the one that the planet SDK reads too."""

DOWNLOAD = "/full"
"""How the paths of downloads end."""

_DOMAIN = ".planet.com"
"""The service has several hosts: it sends downloads by `link` and tiles by `tiles` (links in its own records)."""

_HOPS = 5
"""The most addresses of the service that a download may lead through."""

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_QUOTA_WORDS = ("quota", "allowance")


@dataclass(frozen=True)
class Credential:
    """What a request is made with: how it is called, and how to get another one."""

    name: str
    renew: str

    def refused(self, status: int = 0) -> AuthenticationError:
        """It is not accepted."""
        how = f" (HTTP {status})" if status else ""
        return AuthenticationError(f"Planet refuses {self.name}{how}, it is wrong or has expired; {self.renew}")


CREDENTIAL, PASSES = "planet.credential", "planet.passes"
"""Extensions of a request: the `Credential` it is made with, and the statuses that whoever asked deals with himself."""


class LedElsewhereError(Exception):
    """A download's address is answered with another one, in storage, which wants no key."""

    def __init__(self, address: str) -> None:
        super().__init__("a download leads to storage")
        self.address = address


class PlanetTransport(httpx.BaseTransport):
    """Sends requests and turns refusals of the account into this project's errors.

    The redirects of a download are followed within the service, `own` says by which addresses, and no further: whoever
    follows the last one asks storage, which wants no key, and every request of the first address counts as a download.
    """

    def __init__(self, below: httpx.BaseTransport | None = None, own: Callable[[str], bool] = lambda _: False) -> None:
        self._below = below or httpx.HTTPTransport(verify=trusted())
        self._own = own

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `AuthenticationError`, `NotEntitledError` or `QuotaError` where the account is refused, and
        `LedElsewhereError` where a download lies in storage.
        """
        if not request.url.path.endswith(DOWNLOAD):
            return self._answer(request)
        asked = request
        for _ in range(_HOPS):
            answer = self._answer(asked)
            if not answer.has_redirect_location:
                return answer
            answer.close()
            address = asked.url.join(answer.headers["Location"])
            if not (address.path.endswith(DOWNLOAD) and self._own(str(address))):
                raise LedElsewhereError(str(address))
            headers = [(name, value) for name, value in asked.headers.multi_items() if name.lower() != "host"]
            address_only = without_key(str(address))
            asked = httpx.Request(asked.method, address_only, headers=headers, extensions=request.extensions)
        raise httpx.TooManyRedirects("a download leads from one address to the next", request=request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = self._below.handle_request(request)
        if answer.status_code in request.extensions.get(PASSES, ()):
            return answer
        if answer.status_code in (401, 402, 403, 429):
            text = _body(answer).lower()
            credential = request.extensions.get(CREDENTIAL, Credential("the credentials", "check them"))
            error = _refusal(answer.status_code, any(word in text for word in _QUOTA_WORDS), credential)
            if error is not None:
                raise error
            return httpx.Response(answer.status_code, headers=answer.headers, request=request)
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._below.close()


@dataclass(frozen=True)
class Checksum:
    """MD5 of a file as storage states it; an entity tag only looks like one, and is not `certain` to be one."""

    md5: str
    certain: bool


class StorageTransport(httpx.BaseTransport):
    """Sends requests to storage and remembers what it says of each file, and which signed addresses it refused.

    A refusal means that the signature has expired: it is reported as a failure that may be repeated, after which
    another address is to be asked for. Where storage leads on to another address, both are known by what that one says.
    Safe to use from several threads.
    """

    def __init__(self, below: httpx.BaseTransport | None = None) -> None:
        self._below = below or httpx.HTTPTransport(verify=trusted())
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._stated: dict[str, Checksum] = {}
        self._first: dict[str, str] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `httpx.RemoteProtocolError` for an address that is refused."""
        answer = self._below.handle_request(request)
        with self._lock:
            address = self._first.pop(str(request.url), str(request.url))
            if answer.has_redirect_location:
                self._first[str(request.url.join(answer.headers["Location"]))] = address
        if answer.status_code in (401, 403):
            answer.close()
            with self._lock:
                self._refused.add(address)
            raise httpx.RemoteProtocolError("the signed address is refused, it may have expired", request=request)
        stated = stated_checksum(answer.headers) if answer.is_success else None
        if stated is not None:
            with self._lock:
                self._stated[address] = stated
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._below.close()

    def refused(self, address: str) -> bool:
        """Whether a signed address was refused."""
        with self._lock:
            return address in self._refused

    def checksum(self, address: str) -> Checksum | None:
        """What storage said of the file at an address; None where it says nothing."""
        with self._lock:
            return self._stated.get(address)


def stated_checksum(headers: httpx.Headers) -> Checksum | None:
    """The checksum in an answer's headers: `x-goog-hash`, else an ETag that looks like an MD5; None without either."""
    for part in headers.get("x-goog-hash", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            try:
                return Checksum(base64.b64decode(value, validate=True).hex(), certain=True)
            except binascii.Error:
                return None
    match = _MD5.fullmatch(headers.get("ETag", "").lower())
    return Checksum(match[1], certain=False) if match else None


def is_own(service: str, url: str) -> bool:
    """Whether an address is one of the service's, to which credentials may go: at its host, or another of Planet's."""
    own, asked = urlsplit(service), urlsplit(url)
    if own[:2] == asked[:2]:
        return True
    hosts = (own.hostname or "", asked.hostname or "")
    return own.scheme == asked.scheme == "https" and all(host.endswith(_DOMAIN) for host in hosts)


def without_key(url: str) -> str:
    """An address that the service handed out, without the key it puts into it."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "api_key"]
    return urlunsplit(parts._replace(query=urlencode(query, safe=",:")))


def _body(answer: httpx.Response) -> str:
    try:
        return answer.read().decode(errors="replace")
    except httpx.HTTPError:
        return ""
    finally:
        answer.close()


def _refusal(status: int, quota: bool, credential: Credential) -> MinemapError | None:
    if quota or status == 402:
        return QuotaError(
            f"the download quota of the Planet account is used up (HTTP {status}); wait until it is renewed or raise "
            "it, then run again: quads that were fetched are kept"
        )
    if status == 401:
        return credential.refused(status)
    if status == 403:
        return NotEntitledError(
            "the plan of the Planet account does not include this (HTTP 403); name a series that it includes under "
            "[sources.planet_basemaps], or another source under [imagery] sources"
        )
    return None
