"""What Earth Engine's refusals mean, in one sentence with the next step.

A message of the service is repeated only where it speaks of the computation; what it says of accounts is replaced by
our own words, so that no part of a credential ever reaches a log.
"""

import json
import re

from minemap_assets.errors import (
    AuthenticationError,
    MinemapError,
    NotEntitledError,
    PermanentError,
    QuotaError,
    RetryableError,
)

RENEW = (
    "run `earthengine authenticate`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account that "
    "is registered for Earth Engine"
)

REGISTER = "https://code.earthengine.google.com/register"
"""Where a project is registered, and where its noncommercial use is verified."""

_SPENT = re.compile(r"EECU|per (?:day|month)|(?:daily|monthly|compute) (?:quota|limit)", re.IGNORECASE)
_UNVERIFIED = re.compile(r"non-?commercial|verif(?:y|ied|ication)\b|eligib", re.IGNORECASE)
_UNREGISTERED = re.compile(r"not registered|not signed up|register (?:your|the|this) project", re.IGNORECASE)
_API_OFF = re.compile(r"has not been used in project|it is disabled|SERVICE_DISABLED", re.IGNORECASE)
_NO_ASSET = re.compile(
    r"asset '(?P<a>[^']+)' not found|does not have access|earthengine\.assets\.\w+' denied on resource '(?P<b>[^']+)'",
    re.IGNORECASE,
)
_TOO_MUCH = re.compile(
    r"memory limit exceeded|computation timed out|total request size|too many (?:concurrent )?bytes|"
    r"output of image computation is too large",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"too many concurrent aggregations|capacity exceeded|concurrency limit|rate ?limit ?exceeded", re.IGNORECASE
)
_SECRETS = re.compile(r"ya29\.[\w.-]+|1//[\w-]+|[Bb]earer\s+\S+|eyJ[\w.-]+|-----BEGIN.*", re.DOTALL)
_LONGEST = 200


class TooMuchError(MinemapError):
    """The computation is too large for one request; a smaller part of the grid may succeed."""


def server_message(content: bytes) -> str:
    """The message of an error document; empty for anything else."""
    if content.lstrip()[:1] != b"{" or len(content) > 1_000_000:
        return ""
    try:
        error = json.loads(content).get("error")
    except ValueError:
        return ""
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def is_spent(status: int, message: str) -> bool:
    """True where an allowance is used up that does not come back within minutes."""
    return status in (402, 403, 429) and bool(_SPENT.search(message))


def is_passing(status: int, content: bytes) -> bool:
    """True where a refusal, whatever its status, means only that much is asked at this moment: the same request is
    answered later. Both the message and the reason may say so.
    """
    return status >= 400 and bool(_PASSING.search(content[:10_000].decode("utf-8", "replace")))


def spent_error() -> QuotaError:
    """The account's computing time is used up."""
    return QuotaError(
        "the project's Earth Engine allowance is used up; wait until it is renewed, raise it in the Google Cloud "
        "console, or name another project under [sources.earth_engine]"
    )


def missing_credentials() -> AuthenticationError:
    """There are no credentials to be found."""
    return AuthenticationError(f"there are no credentials for Earth Engine; {RENEW}")


def refused_credentials() -> AuthenticationError:
    """The service or its token server does not accept the credentials."""
    return AuthenticationError(f"Earth Engine does not accept the credentials, they are wrong or have expired; {RENEW}")


def missing_project() -> AuthenticationError:
    """Credentials without a project of their own, and none is named."""
    return AuthenticationError(
        "Earth Engine wants a cloud project to charge; set GOOGLE_CLOUD_PROJECT, or project under "
        "[sources.earth_engine]"
    )


def not_entitled(asset: str) -> NotEntitledError:
    """The account works, but may not read a collection (or there is none of that name)."""
    how = (
        "access to the NICFI programme's collection is no longer given; name an archive or another product for it"
        if "nicfi" in asset
        else "check its name under [sources.earth_engine]"
    )
    return NotEntitledError(f"Earth Engine does not show this account the collection {asset}; {how}")


def error_for(status: int, message: str, what: str) -> MinemapError:
    """What an answer that is no success means; `what` is the collection that was asked for."""
    asset = _NO_ASSET.search(message)
    error: MinemapError
    if is_spent(status, message):
        error = spent_error()
    elif is_passing(status, message.encode()):
        error = RetryableError("Earth Engine is asked for too much at this moment; run again later")
    elif status == 401:
        error = refused_credentials()
    elif status in (400, 403, 404) and asset:
        error = not_entitled(asset["a"] or asset["b"] or what)
    elif status == 403:
        error = AuthenticationError(_refused_project(message))
    elif status == 400 and _TOO_MUCH.search(message):
        error = TooMuchError(f"Earth Engine cannot compute {what} in one piece ({_safe(message)})")
    elif status == 429 or status >= 500:
        error = RetryableError(f"Earth Engine cannot answer now (HTTP {status}); run again later")
    else:
        error = PermanentError(
            f"Earth Engine does not accept the request for {what} (HTTP {status}: {_safe(message)}); "
            "check the collections and bands under [sources.earth_engine]"
        )
    return error


def _refused_project(message: str) -> str:
    """Why a project or account may not use Earth Engine at all, and the page where that is changed."""
    if _API_OFF.search(message):
        return (
            "the Earth Engine API is not enabled in this cloud project; enable it at "
            "https://console.cloud.google.com/apis/library/earthengine.googleapis.com, or name another project under "
            "[sources.earth_engine]"
        )
    if _UNREGISTERED.search(message):
        return (
            f"this cloud project is not registered for Earth Engine; register it at {REGISTER}, or name another "
            "project under [sources.earth_engine]"
        )
    if _UNVERIFIED.search(message):
        return (
            "this cloud project's noncommercial use of Earth Engine is not verified; answer the questions about it at "
            f"{REGISTER}, or name another project under [sources.earth_engine]"
        )
    return (
        "Earth Engine refuses this project or account (HTTP 403); give the account the roles Service Usage Consumer "
        f"and Earth Engine Resource Viewer in the project, check its registration at {REGISTER}, or name another "
        "project under [sources.earth_engine]"
    )


def translate(error: Exception, what: str) -> MinemapError:
    """An exception of the Earth Engine client or its authentication as one of ours."""
    from google.auth import exceptions
    from googleapiclient.errors import HttpError, UnknownApiNameOrVersion

    if isinstance(error, MinemapError):
        return error
    cause = error if isinstance(error, HttpError) else error.__context__
    if isinstance(cause, HttpError):
        return error_for(int(cause.resp.status), server_message(cause.content) or str(error), what)
    match error:
        case exceptions.TransportError():
            ours: MinemapError = RetryableError(
                "the token server of Google cannot be reached; check the network and run again later"
            )
        case exceptions.GoogleAuthError():
            ours = refused_credentials()
        case UnknownApiNameOrVersion():
            ours = PermanentError("there is no Earth Engine at this address; correct url under [sources.earth_engine]")
        case _:
            ours = _unknown(error, what)
    return ours


def _unknown(error: Exception, what: str) -> MinemapError:
    if "no project found" in str(error):
        return missing_project()
    return PermanentError(f"the Earth Engine client failed over {what} ({type(error).__name__}: {_safe(str(error))})")


def _safe(message: str) -> str:
    """A message on one line, without anything that looks like a credential."""
    text = " ".join(_SECRETS.sub("[removed]", message).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
