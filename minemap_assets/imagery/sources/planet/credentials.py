"""Who asks Planet: an API key, a service account (OAuth client), or the session of `planet auth login`.

The first of these that is there counts, read anew for every request:

- PL_API_KEY, an API key.
- PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET, a service account. Its access token is fetched by the client whose
  request needs it, so under the same time-outs and repetitions, and shared by all clients of the process. The planet
  SDK does this too, but without a time-out, and goes on without a token where it cannot have one.
- The stored session of `planet auth login` (the profile PL_AUTH_PROFILE or the SDK's default), which the SDK renews.

Nothing of a credential, and nothing of what a token server says, gets into a message.
"""

import json
import os
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from minemap_assets.errors import AuthenticationError, PermanentError
from minemap_assets.imagery.sources.planet.api_answers import CREDENTIAL, KEY_VARIABLE, PASSES, Credential
from minemap_assets.imagery.sources.planet.config import PlanetConfig

CLIENT_VARIABLE = "PL_AUTH_CLIENT_ID"
SECRET_VARIABLE = "PL_AUTH_CLIENT_SECRET"
PROFILE_VARIABLE = "PL_AUTH_PROFILE"

_AUDIENCE = "https://api.planet.com/"
_DEFAULT_PROFILE = "planet-user"
_REFUSALS = (401, 402, 403, 429)
_EARLY = 60.0
"""Seconds before its end from which a token is not used any more."""

_KEY = Credential(f"the API key in {KEY_VARIABLE}", "copy the API key from your Planet account settings again")
_CLIENT = Credential(
    f"the service account in {CLIENT_VARIABLE}",
    f"check {CLIENT_VARIABLE} and {SECRET_VARIABLE}, or make a new secret in your Planet account settings",
)
_SESSION = Credential("the session of `planet auth login`", "run `planet auth login` again")

Flow = Generator[httpx.Request, httpx.Response, None]


def describe_credentials() -> str:
    """What was found, without anything of its value. Raises `AuthenticationError` where there is nothing."""
    if os.environ.get(KEY_VARIABLE, "").strip():
        return f"{KEY_VARIABLE} is set"
    if _client() is not None:
        return f"{CLIENT_VARIABLE} and {SECRET_VARIABLE} are set"
    profile = _profile()
    if profile is not None:
        return f"session of `planet auth login`, profile {profile}"
    raise _missing()


class PlanetAuth(httpx.Auth):
    """Puts credentials on requests. Safe to use from several threads."""

    def __init__(self, config: PlanetConfig) -> None:
        self._server = config.auth_server

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """Raises `AuthenticationError` where there are no usable credentials."""
        client = None if os.environ.get(KEY_VARIABLE, "").strip() else _client()
        if os.environ.get(KEY_VARIABLE, "").strip():
            yield _marked(request, f"api-key {_key()}", _KEY)
        elif client is not None:
            yield from self._as_client(request, _Tokens.of(self._server, *client))
        else:
            yield _marked(request, _session_header(request.url), _SESSION)

    def _as_client(self, request: httpx.Request, tokens: "_Tokens") -> Flow:
        token = yield from tokens.get(request)
        answer = yield _marked(request, f"Bearer {token}", _CLIENT, passes=(401,))
        if answer.status_code == 401:
            token = yield from tokens.get(request, refused=token)
            yield _marked(request, f"Bearer {token}", _CLIENT)


@dataclass
class _Tokens:
    """The access token of one service account."""

    server: str
    client: str
    secret: str = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    token: str = field(default="", repr=False)
    ends: float = 0.0

    _known: ClassVar[dict[str, "_Tokens"]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def of(cls, server: str, client: str, secret: str) -> "_Tokens":
        """Those of this process for an account."""
        key = sha256("\0".join((server, client, secret)).encode()).hexdigest()
        with cls._guard:
            return cls._known.setdefault(key, cls(server, client, secret))

    def get(self, cause: httpx.Request, refused: str = "") -> Generator[httpx.Request, httpx.Response, str]:
        """A token other than `refused`, fetched where there is none; others who want one wait for it meanwhile.

        Asked for with the patience of the request that it is for.
        """
        extensions = {**cause.extensions, PASSES: _REFUSALS}
        with self.lock:
            if self.token in ("", refused) or time.monotonic() >= self.ends:
                self.token = ""
                address = yield from self._endpoint(extensions)
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self.client,
                    "client_secret": self.secret,
                    "audience": _AUDIENCE,
                }
                said = _said((yield httpx.Request("POST", address, data=form, extensions=extensions)))
                token, seconds = said.get("access_token"), said.get("expires_in", 300)
                if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
                    raise _strange(self.server)
                self.token, self.ends = token, time.monotonic() + max(seconds - _EARLY, seconds / 2)
            return self.token

    def _endpoint(self, extensions: dict[str, Any]) -> Generator[httpx.Request, httpx.Response, str]:
        """Where tokens are to be had, as the server says; never at another host, which would get the secret."""
        address = f"{self.server}/.well-known/openid-configuration"
        said = _said((yield httpx.Request("GET", address, extensions=extensions)))
        endpoint = str(said.get("token_endpoint", ""))
        if urlsplit(endpoint)[:2] != urlsplit(self.server)[:2]:
            raise _strange(self.server)
        return endpoint


def _marked(
    request: httpx.Request, header: str, credential: Credential, *, passes: tuple[int, ...] = ()
) -> httpx.Request:
    request.headers["Authorization"] = header
    request.extensions = {**request.extensions, CREDENTIAL: credential, PASSES: passes}
    return request


def _said(answer: httpx.Response) -> dict[str, Any]:
    """What a token server says. Raises `AuthenticationError` where it refuses, and where it fails what httpx raises."""
    content = answer.read()
    if answer.status_code in (400, 401, 403):
        raise _CLIENT.refused(answer.status_code)
    if answer.status_code != 200:
        raise httpx.RemoteProtocolError(f"Planet's token server answers with HTTP {answer.status_code}")
    try:
        said = json.loads(content)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise httpx.RemoteProtocolError("Planet's token server sent an answer that is cut off or garbled")
    return said


def _key() -> str:
    key = os.environ[KEY_VARIABLE].strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise AuthenticationError(f"{KEY_VARIABLE} holds characters that no API key has; {_KEY.renew}")
    return key


def _client() -> tuple[str, str] | None:
    """Id and secret of a service account. Raises `AuthenticationError` where one of them is missing."""
    found = {name: os.environ.get(name, "").strip() for name in (CLIENT_VARIABLE, SECRET_VARIABLE)}
    lacking = [name for name, value in found.items() if not value]
    if len(lacking) == 1 and _profile() is None:
        other = next(name for name in found if name not in lacking)
        raise AuthenticationError(f"{other} is set and {lacking[0]} is not; set both, or {KEY_VARIABLE} alone")
    return None if lacking else (found[CLIENT_VARIABLE], found[SECRET_VARIABLE])


def _profile() -> str | None:
    """The profile with a stored session; None where nobody logged in."""
    named = os.environ.get(PROFILE_VARIABLE, "").strip() or _profile_of_file() or _DEFAULT_PROFILE
    folder = Path.home() / ".planet" / named.lower()
    return named if any((folder / name).is_file() for name in ("token.json", "token.sops.json")) else None


def _profile_of_file() -> str:
    """The profile that `planet auth profile` made the default."""
    try:
        said = json.loads((Path.home() / ".planet.json").read_text(encoding="utf-8"))
        return str(said.get("pl_auth_profile") or "")
    except (OSError, ValueError, AttributeError):
        return ""


_SESSION_LOCK = threading.Lock()


def _session_header(url: httpx.URL) -> str:
    """The header of the stored session, which the SDK renews where it has to."""
    profile = _profile()
    if profile is None:
        raise _missing()
    import planet

    with _SESSION_LOCK:
        try:
            request = next(planet.Auth.from_profile(profile).auth_flow(httpx.Request("GET", url)))
        except Exception:  # of the SDK's many kinds, some quote what they could not read
            raise _SESSION.refused() from None
    header: str = request.headers.get("Authorization", "")
    if not header:
        raise _SESSION.refused()
    return header


def _missing() -> AuthenticationError:
    return AuthenticationError(
        f"{KEY_VARIABLE} is not set; copy the API key from your Planet account settings and set it, or set "
        f"{CLIENT_VARIABLE} and {SECRET_VARIABLE}, or run `planet auth login`"
    )


def _strange(server: str) -> PermanentError:
    return PermanentError(
        f"{urlsplit(server).hostname} is no token server of Planet; correct auth_server under [sources.planet_basemaps]"
    )
