"""Access tokens of the Planet stand-in: one service account, and tokens that end when they are told to."""

import threading
from dataclasses import dataclass, field
from secrets import token_hex

CLIENT_ID = "minemap-test-client"
CLIENT_SECRET = "s3cret-of-the-test-client"


@dataclass
class Tokens:
    """Given out so far; `seconds` is how long each is said to last."""

    seconds: float = 3600.0
    given: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def grant(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Status and answer to a request for a token."""
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client", "error_description": f"no such secret: {form.get('client_secret')}"}
        with self.lock:
            token = f"token-of-planet-{token_hex(8)}"
            self.given.add(token)
        return 200, {"access_token": token, "expires_in": self.seconds, "token_type": "Bearer"}

    def knows(self, header: str) -> bool:
        """Whether an Authorization header holds a token that is good."""
        with self.lock:
            return header.removeprefix("Bearer ") in self.given

    def revoke(self) -> None:
        """Take all tokens back."""
        with self.lock:
            self.given.clear()
