"""The receivers of alerts as a test sees them: what arrived, and how they answer from now on."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path
from typing import Any

from servers.alert_receivers import PASSWORD
from servers.processes import free_port, running

SECRET_PATH = "/services/T0000/very-secret-hook"


@dataclass(frozen=True)
class Receivers:
    """A running webhook and mail server."""

    folder: Path
    http_port: int
    smtp_port: int

    @property
    def environment(self) -> dict[str, str]:
        """What tells the project of them."""
        return {
            "MINEMAP_ALERT_WEBHOOK": f"http://127.0.0.1:{self.http_port}{SECRET_PATH}",
            "MINEMAP_ALERT_SMTP_HOST": "127.0.0.1",
            "MINEMAP_ALERT_SMTP_PORT": str(self.smtp_port),
            "MINEMAP_ALERT_SMTP_USER": "alerts",
            "MINEMAP_ALERT_SMTP_PASSWORD": PASSWORD,
            "MINEMAP_ALERT_SMTP_FROM": "minemap@example.org",
            "MINEMAP_ALERT_SMTP_TO": "one@example.org, two@example.org",
            "MINEMAP_ALERT_SMTP_SECURITY": "none",
        }

    def behave(self, **how: Any) -> None:
        """Answer so from now on."""
        whole = self.folder / "behaviour.new"
        whole.write_text(json.dumps(how))
        whole.replace(self.folder / "behaviour.json")

    @property
    def posts(self) -> list[dict[str, Any]]:
        """Bodies that were posted."""
        return [entry["body"] for entry in self._entries("posts.jsonl")]

    @property
    def mails(self) -> list[tuple[str, str]]:
        """Subject and text of each mail."""
        messages = [message_from_string(entry["data"]) for entry in self._entries("mails.jsonl")]
        return [(one["Subject"], one.get_payload(decode=True).decode()) for one in messages]  # type: ignore[union-attr]

    def _entries(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def receivers(folder: Path) -> Iterator[Receivers]:
    """A webhook and a mail server in a process of their own."""
    folder.mkdir()
    ports = free_port(), free_port()
    script = Path(__file__).parent / "servers" / "alert_receivers.py"
    with running([sys.executable, str(script), str(folder), *map(str, ports)], ports[0]):
        yield Receivers(folder, *ports)
