"""How the Earth Engine client's requests reach the service: under deadlines, a rate, and with bounded repetition.

The client takes any object with the method `request` of httplib2. Given this one, and told not to repeat anything
itself, it has every request repeated by the `Connection`, and only there: time-outs, broken connections, answers that
are cut off or garbled, 429, 5xx, and refusals that say, with whatever status, that too much is asked at this moment.
Other answers go back to the client, which adds and renews access tokens.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from minemap_assets.errors import QuotaError, RetryableError
from minemap_assets.imagery.sources.earth_engine.service_errors import (
    is_passing,
    is_spent,
    server_message,
    spent_error,
)
from minemap_assets.net.certificates import trusted
from minemap_assets.net.client import user_agent
from minemap_assets.net.connection import Connection, FailedAttemptError
from minemap_assets.net.policy import ClientPolicy, Clock, error_for_status

_OWN_HEADERS = frozenset({"content-length", "host", "accept-encoding", "connection", "user-agent"})
"""Headers that the connection sets itself."""

_QUOTA_STATUS = "x-earth-engine-quota-status"
_RESTRICTED = "parallelism_restricted=true"
"""What the header above says of a project that has used its month's noncommercial allowance (released client)."""

_KEPT_BACK = frozenset({"content-encoding", "status", _QUOTA_STATUS})
"""Headers of an answer that the client does not get."""

_LOG = logging.getLogger(__name__)

NPY = b"\x93NUMPY"


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class Exchange(Connection):
    """Sends the client's requests until `stop` is set. Safe from several threads."""

    def __init__(self, policy: ClientPolicy, clock: Clock | None = None) -> None:
        """An answer is silent while it is computed, so that only the deadline bounds the wait for its next byte."""
        http = httpx.Client(
            headers={"User-Agent": user_agent()},
            timeout=httpx.Timeout(policy.deadline, connect=min(policy.timeout, policy.deadline)),
            limits=httpx.Limits(max_connections=policy.concurrency),
            follow_redirects=True,
            verify=trusted(),
        )
        super().__init__("Earth Engine", policy, http, clock=clock)
        self._told = False

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        """An `httplib2.Response` and the body, for any answer that repetition would not change.

        Raises `RetryableError` once all attempts failed, and `QuotaError` where the allowance is used up.
        """
        import httplib2

        sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _OWN_HEADERS}
        answer = self.attempts(uri, lambda asked: self._once(asked, method, body, sent))
        return httplib2.Response(dict(answer.headers) | {"status": str(answer.status)}), answer.content

    def too_long(self, seconds: float, status: int, url: str) -> QuotaError:  # noqa: ARG002
        """Names the service alone: the wait is asked of the whole project, whatever the address."""
        return QuotaError(
            f"Earth Engine asks to be left alone for {seconds:.0f} s, longer than the {self.policy.longest_wait:g} s "
            "this source waits; run again later"
        )

    def _once(self, uri: str, method: str, body: str | bytes | None, headers: Mapping[str, str]) -> _Answer:
        where = self.where(uri)
        with self.answered(method, uri, content=body, headers=headers) as answer:
            content = b"".join(self.chunks(answer))
        if is_spent(answer.status_code, server_message(content)):
            raise spent_error()
        self._tell(answer.headers.get(_QUOTA_STATUS, ""))
        status = 429 if is_passing(answer.status_code, content) else answer.status_code
        error = error_for_status(status, where)
        if isinstance(error, RetryableError):
            raise FailedAttemptError(error, self.asked_wait(answer))
        if error is None and not _is_whole(uri, content):
            raise FailedAttemptError(RetryableError(f"{where} sent an answer that is cut off or garbled"))
        kept = {name: value for name, value in answer.headers.items() if name not in _KEPT_BACK}
        return _Answer(answer.status_code, kept, content)

    def _tell(self, status: str) -> None:
        """Say once that the project is slowed down; the client would say so at every answer."""
        if _RESTRICTED in status and not self._told:
            self._told = True
            _LOG.warning(
                "the project has used its noncommercial Earth Engine allowance of this month and is slowed down until "
                "the next one; see https://developers.google.com/earth-engine/guides/noncommercial_tiers"
            )


def _is_whole(uri: str, content: bytes) -> bool:
    """Whether a successful answer is what the request asks for: an array of pixels, or a JSON document."""
    try:
        if urlsplit(uri).path.endswith(":computePixels"):
            if not content.startswith(NPY):
                return False
            np.load(BytesIO(content), allow_pickle=False)
        else:
            json.loads(content)
    except (ValueError, EOFError, OSError):
        return False
    return True
