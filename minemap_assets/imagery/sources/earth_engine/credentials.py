"""Credentials for Earth Engine, from the places where Google's own tools keep them.

Nothing of a credential is ever put into an error: what is wrong with a file is said in our own words.
"""

import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from minemap_assets.errors import AuthenticationError
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.service_errors import (
    RENEW,
    missing_credentials,
    missing_project,
)

KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
PROJECT_VARIABLE = "GOOGLE_CLOUD_PROJECT"


@dataclass(frozen=True)
class Account:
    """Who asks, and the project that is charged. `credentials` is a google-auth object."""

    credentials: Any = field(repr=False)
    project: str


def fingerprint(config: EarthEngineConfig) -> str:
    """Changes with the credentials that would be read now; gives nothing of them away."""
    parts = [os.environ.get(KEY_VARIABLE, ""), os.environ.get(PROJECT_VARIABLE, ""), config.credentials]
    for path in (_key_file(), _user_file()):
        parts.append(str(path.stat().st_mtime_ns) if path is not None and path.is_file() else "")
    return sha256("\0".join(parts).encode()).hexdigest()


def find_account(config: EarthEngineConfig) -> Account:
    """The account to ask through. Raises `AuthenticationError` with what to do where there is none."""
    kind = config.credentials
    if kind == "auto":
        kind = "user" if _key_file() is None and _user_file().is_file() else "adc"
    if kind == "service-account":
        credentials, own = _service_account()
    elif kind == "user":
        credentials, own = _user(config)
    else:
        credentials, own = _default()
    project = config.project or os.environ.get(PROJECT_VARIABLE, "") or own
    if not project:
        raise missing_project()
    return Account(credentials, project)


def _key_file() -> Path | None:
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else None


def _user_file() -> Path:
    import ee

    return Path(ee.oauth.get_credentials_path())


def _read(path: Path, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AuthenticationError(f"{what} {path} does not exist; {RENEW}") from None
    except (OSError, ValueError):
        raise AuthenticationError(f"{what} {path} cannot be read as JSON; {RENEW}") from None
    if not isinstance(content, dict):
        raise AuthenticationError(f"{what} {path} holds no credentials; {RENEW}")
    return content


def _service_account() -> tuple[Any, str]:
    path = _key_file()
    if path is None:
        raise AuthenticationError(f"{KEY_VARIABLE} is not set; set it to the key file of a service account")
    return _from_key(_read(path, "the key file"), path)


def _from_key(key: dict[str, Any], path: Path) -> tuple[Any, str]:
    import ee
    from google.oauth2 import service_account

    try:
        # google-auth is typed in part only.
        credentials: Any = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            key, scopes=ee.oauth.SCOPES
        )
    except (ValueError, TypeError, KeyError):
        raise AuthenticationError(
            f"{path} is not the key file of a service account; create a JSON key in the Google Cloud console"
        ) from None
    return credentials, str(key.get("project_id") or "")


def _user(config: EarthEngineConfig) -> tuple[Any, str]:
    import ee
    from google.oauth2.credentials import Credentials

    path = _user_file()
    stored = _read(path, "the credentials file")
    if not stored.get("refresh_token"):
        raise AuthenticationError(f"{path} holds no credentials; run `earthengine authenticate`")
    arguments = ee.oauth.get_credentials_arguments() | {"token_uri": config.token_url}
    credentials: Any = Credentials(None, **arguments)  # type: ignore[no-untyped-call]
    return credentials, str(stored.get("project") or "")


def _default() -> tuple[Any, str]:
    import ee
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    path = _key_file()
    if path is not None:
        key = _read(path, "the key file")
        if key.get("type") == "service_account":
            return _from_key(key, path)
    try:
        credentials, project = google.auth.default(scopes=ee.oauth.SCOPES)
    except DefaultCredentialsError:
        raise missing_credentials() from None
    return credentials, str(getattr(credentials, "quota_project_id", None) or project or "")
