"""Access tokens of Planetary Computer's storage: one a container, kept until shortly before it expires.

They are given to everybody, and with a subscription key more often. The names of its variable and of its header are
those of the service's own client (planetary-computer 1.0).
"""

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from minemap_assets.errors import PermanentError
from minemap_assets.net.client import Client

_MARGIN = timedelta(minutes=2)
"""A token is not used in its last minutes."""

SUBSCRIPTION_VARIABLE = "PC_SDK_SUBSCRIPTION_KEY"
_SUBSCRIPTION_HEADER = "Ocp-Apim-Subscription-Key"


def subscription() -> dict[str, str]:
    """The header that requests for tokens carry; none without a subscription key in the environment."""
    key = os.environ.get(SUBSCRIPTION_VARIABLE, "").strip()
    return {_SUBSCRIPTION_HEADER: key} if key else {}


@dataclass(frozen=True)
class _Token:
    text: str
    expiry: datetime


class ContainerTokens:
    """Signs addresses of the form https://<account>.<domain>/<container>/<path>. Safe from several threads."""

    def __init__(self, client: Client, url: str) -> None:
        """`url` is where tokens are to be had, as `<url>/<account>/<container>`."""
        self._client = client
        self._url = url.rstrip("/")
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}

    def __call__(self, href: str, refused: str | None) -> str:
        """The address with a token; with another one than in the address `refused`, where that is given."""
        parts = urlsplit(href)
        container = f"{(parts.hostname or '').partition('.')[0]}/{parts.path.lstrip('/').partition('/')[0]}"
        with self._lock:
            token = self._tokens.get(container)
            spent = token is not None and refused is not None and refused.endswith(token.text)
            if token is None or spent or token.expiry - _MARGIN <= self._client.clock.now():
                token = self._ask(container)
                self._tokens[container] = token
        return f"{href}{'&' if parts.query else '?'}{token.text}"

    def _ask(self, container: str) -> _Token:
        answer = self._client.get_json(f"{self._url}/{container}")
        try:
            expiry = datetime.fromisoformat(str(answer["msft:expiry"]).replace("Z", "+00:00"))
            return _Token(str(answer["token"]), expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC))
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(f"{self._url} answered without a token for {container}") from error
