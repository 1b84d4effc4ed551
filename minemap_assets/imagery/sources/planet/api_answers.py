"""What Planet's service and its storage mean by their answers.

Neither a key nor the text of an answer (which may quote the key) gets into a message.
"""

import base64
import binascii
import re
import threading
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

from minemap_assets.errors import AuthenticationError, MinemapError, NotEntitledError, QuotaError

KEY_VARIABLE = "PL_API_KEY"
"""Environment variable that holds the API key, the one that the planet SDK reads too."""

LEADS_TO = "X-Leads-To"
"""Header under which a download's signed address is handed on."""

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


class PlanetTransport(httpx.BaseTransport):
    """Sends requests and turns refusals of the account into this project's errors.

    A redirect of a quad's download is not followed but handed on in the header `LEADS_TO`: whoever follows it asks
    storage, which wants no key, and every request of the first address counts as a download.
    """

    def __init__(self, below: httpx.BaseTransport | None = None) -> None:
        self._below = below or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `AuthenticationError`, `NotEntitledError` or `QuotaError` where the account is refused."""
        answer = self._below.handle_request(request)
        if answer.has_redirect_location and request.url.path.endswith("/full"):
            answer.close()
            return httpx.Response(200, headers={LEADS_TO: answer.headers["Location"]}, request=request)
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
    another address is to be asked for. Safe to use from several threads.
    """

    def __init__(self, below: httpx.BaseTransport | None = None) -> None:
        self._below = below or httpx.HTTPTransport()
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._stated: dict[str, Checksum] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `httpx.RemoteProtocolError` for an address that is refused."""
        answer = self._below.handle_request(request)
        address = str(request.url)
        if answer.status_code in (401, 403):
            answer.close()
            with self._lock:
                self._refused.add(address)
            raise httpx.RemoteProtocolError("the signed address is refused, it may have expired", request=request)
        stated = stated_checksum(answer.headers)
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
            "the plan of the Planet account does not include this (HTTP 403); ask Planet for access, or name another "
            "source under [imagery] sources"
        )
    return None
