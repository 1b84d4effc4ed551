"""Whoever receives alerts, on loopback: a webhook, and a mail server that speaks enough SMTP for a client of it.

Run as a process of its own: `python alert_receivers.py FOLDER HTTP_PORT SMTP_PORT`. What arrives is appended to
`posts.jsonl` and `mails.jsonl` in the folder. `behaviour.json` there says how to answer from now on: `http` is a status
or "stall", `smtp` is "" or "refuse" (451 for every message), "stall" (never a greeting) or "drip" (a line that never
ends). The mail server wants the user `alerts` with the password `PASSWORD`.
"""

import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

PASSWORD = "only-for-the-mail-server"
STALL_SECONDS = 60.0


def behaviour(folder: Path) -> dict[str, Any]:
    """How to answer."""
    try:
        found: dict[str, Any] = json.loads((folder / "behaviour.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def append(path: Path, entry: Any) -> None:
    """Note what arrived."""
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


class Webhook(BaseHTTPRequestHandler):
    """Posts."""

    folder: Path

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Take one, or not."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        how = behaviour(self.folder).get("http", 200)
        if how == "stall":
            time.sleep(STALL_SECONDS)
            return
        if how == 200:
            append(self.folder / "posts.jsonl", {"path": self.path, "body": body})
        self.send_response(how)
        self.send_header("Content-Length", "0")
        self.end_headers()


class MailServer(StreamRequestHandler):
    """A session with the mail server."""

    folder: Path

    def say(self, line: str) -> None:
        """Answer a line."""
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        """Go on until the client leaves."""
        self.how = behaviour(self.folder).get("smtp", "")
        self.mail: dict[str, Any] = {"to": [], "user": ""}
        if self.how == "stall":
            time.sleep(STALL_SECONDS)
        elif self.how == "drip":
            self.drip()
        else:
            self.say("220 mail.example.org")
            while (line := self.rfile.readline().decode().strip()) and self.answer(line):
                pass

    def drip(self) -> None:
        """Send a letter a second."""
        end = time.monotonic() + STALL_SECONDS
        while time.monotonic() < end:
            self.wfile.write(b"2")
            time.sleep(1.0)

    def answer(self, line: str) -> bool:
        """Answer one command; False at the end."""
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb == "AUTH":
            self.log_in(rest.split()[1])
        elif verb == "DATA":
            self.take()
        elif verb == "RCPT":
            self.mail["to"].append(rest.partition(":")[2])
            self.say("451 later" if self.how == "refuse" else "250 ok")
        else:
            self.say({"EHLO": "250-mail.example.org\r\n250 AUTH PLAIN", "QUIT": "221 bye"}.get(verb, "250 ok"))
        return verb != "QUIT"

    def log_in(self, words: str) -> None:
        """Look at user and password."""
        _, user, password = base64.b64decode(words).decode().split("\0")
        self.mail["user"] = user
        self.say("235 welcome" if (user, password) == ("alerts", PASSWORD) else "535 wrong")

    def take(self) -> None:
        """Take a message."""
        self.say("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        append(self.folder / "mails.jsonl", self.mail | {"data": b"".join(lines).decode()})
        self.say("250 ok")


def main() -> None:
    """Serve until the end."""
    folder, ports = Path(sys.argv[1]), [int(port) for port in sys.argv[2:4]]
    Webhook.folder = MailServer.folder = folder
    ThreadingTCPServer.allow_reuse_address = True
    mail = ThreadingTCPServer(("127.0.0.1", ports[1]), MailServer)
    mail.daemon_threads = True
    threading.Thread(target=mail.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", ports[0]), Webhook).serve_forever()


if __name__ == "__main__":
    main()
