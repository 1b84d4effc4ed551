"""A web server that misbehaves on demand: files by range, other servers behind it, and access tokens.

Run as a process of its own: `python unreliable.py ROOT PORT`. What it serves and how badly is said over HTTP:

- GET /files/<path>: a file below ROOT, whole or by range, with ETag.
- GET /private/<path>: the same, with a valid token only.
- GET /tokens/<account>/<container>: a token for /private, in the manner of Planetary Computer.
- anything under /<name>/: the server that was named so (`upstream`).
- POST /-/set: {"share", "kinds", "seed", "only", "upstream", "revoke", "delay"}, each optional.
- GET /-/log: one entry a request: path, range, the user agent, the fault that was put on it, and the seconds since 1970
  at its arrival.
- GET /-/sent: bytes of the bodies that it has answered with since it was told how.
"""

import json
import random
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KINDS = (
    "429",
    "429 with Retry-After",
    "500",
    "503",
    "stall",
    "reset",
    "truncated body",
    "wrong length",
    "corrupt block",
)
SIGNATURE = "s1gn4ture-of-the-stand-in"
"""What tokens for /private begin with; the number of the token's generation follows."""

EXPIRED = "expired signature"
"""A kind for paths under /private, where others are left as they are."""

STALL = 3.0
"""Seconds of silence; longer than a test's client waits."""


@dataclass
class Dealt:
    """How often each kind of failure came: each has its turn, so that a storm of some length holds all of them.

    Which request draws which kind hangs on the order in which threads ask; that every kind is drawn does not.
    """

    counts: Counter[str] = field(default_factory=Counter)

    def deal(self, kinds: Sequence[str], chance: random.Random) -> str:
        """One of the kinds that came least often so far; none where there is none."""
        if not kinds:
            return ""
        least = min(self.counts[kind] for kind in kinds)
        kind = chance.choice([kind for kind in kinds if self.counts[kind] == least])
        self.counts[kind] += 1
        return kind


@dataclass
class Mind:
    """What the server has been told, and what it has been asked."""

    root: Path
    share: float = 0.0
    kinds: tuple[str, ...] = KINDS
    seed: int = 0
    only: str = "/"
    delay: float = 0.0
    upstream: dict[str, str] = field(default_factory=dict)
    generation: int = 1
    asked: int = 0
    sent: int = 0
    dealt: Dealt = field(default_factory=Dealt)
    log: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def signature(self) -> str:
        """The one that opens /private now."""
        return f"{SIGNATURE}-{self.generation}"

    def tell(self, said: dict[str, Any]) -> None:
        """Take orders."""
        with self.lock:
            self.share = said.get("share", self.share)
            self.kinds = tuple(said.get("kinds", self.kinds))
            self.seed = said.get("seed", self.seed)
            self.only = said.get("only", self.only)
            self.delay = said.get("delay", self.delay)
            self.upstream |= said.get("upstream", {})
            self.generation += bool(said.get("revoke"))
            self.asked = self.sent = 0
            self.dealt = Dealt()
            if said.get("forget", True):
                self.log.clear()

    def fault_for(self, path: str, span: str, agent: str) -> str:
        """The fault of the next request ('' for none), written into the log."""
        with self.lock:
            self.asked += 1
            chance = random.Random(f"{self.seed}:{self.asked}")
            at_fault = path.startswith(self.only) and chance.random() < self.share
            fitting = [kind for kind in self.kinds if kind != EXPIRED or path.startswith("/private/")]
            kind = self.dealt.deal(fitting, chance) if at_fault else ""
            entry = {"path": path, "range": span, "agent": agent, "fault": kind, "at": f"{time.time():.3f}"}
            self.log.append(entry)
            return kind


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    mind: Mind
    timeout = 30

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if parts.path == "/-/set":
            self.mind.tell(json.loads(body))
            self._send(Answer(200, {}, b"{}"))
        elif parts.path == "/-/sent":
            self._send(Answer(200, {}, json.dumps(self.mind.sent).encode()))
        elif parts.path == "/-/log":
            self._send(Answer(200, {}, json.dumps(self.mind.log).encode()))
        else:
            fault = self.mind.fault_for(parts.path, self.headers.get("Range", ""), self.headers.get("User-Agent", ""))
            time.sleep(self.mind.delay)
            if fault in {"401", "403", "429", "500", "503"}:
                self._send(Answer(int(fault), {}, f"not now: {self.path}".encode()))
            elif fault == "429 with Retry-After":
                self._send(Answer(429, {"Retry-After": "2"}, b"not now"))
            elif fault == EXPIRED:
                self._send(Answer(403, {}, b"signature has expired"))
            elif fault == "reset":
                self._reset()
            else:
                answer = self._answer(parts.path, parts.query, body)
                with self.mind.lock:
                    self.mind.sent += len(answer.body)
                self._send(answer, fault)

    def _answer(self, path: str, query: str, body: bytes) -> Answer:
        first = path.split("/")[1]
        if first == "files":
            return self._file(path.removeprefix("/files/"))
        if first == "private":
            if parse_qs(query).get("sig") != [self.mind.signature]:
                return Answer(403, {}, b"signature is missing or has expired")
            return self._file(path.removeprefix("/private/"))
        if first == "tokens":
            expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            token = {"msft:expiry": expiry, "token": f"sig={self.mind.signature}"}
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(token).encode())
        if first in self.mind.upstream:
            return self._forward(first, path.removeprefix(f"/{first}"), query, body)
        return Answer(404, {}, b"nothing here")

    def _file(self, name: str) -> Answer:
        path = self.mind.root / unquote(name)
        if not path.is_file():
            return Answer(404, {}, b"no such file")
        data = path.read_bytes()
        headers = {"ETag": f'"{sha256(data).hexdigest()[:16]}"', "Content-Type": "image/tiff", "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range")
        if wanted is None or self.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
            return Answer(200, headers, data)
        start_text, _, stop_text = wanted.removeprefix("bytes=").partition("-")
        start = int(start_text)
        if start >= len(data):
            return Answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
        stop = min(len(data), int(stop_text) + 1) if stop_text else len(data)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return Answer(206, headers, data[start:stop])

    def _forward(self, name: str, path: str, query: str, body: bytes) -> Answer:
        """The answer of another server, whose links then lead here."""
        base, here = self.mind.upstream[name], f"http://{self.headers['Host']}/{name}"
        url = f"{base}{path}{'?' if query else ''}{query}"
        headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
        request = urllib.request.Request(url, data=body or None, headers=headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                said = answer.read().replace(base.encode(), here.encode())
                return Answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, said)
        except urllib.error.HTTPError as error:
            return Answer(error.code, {}, error.read())

    def _send(self, answer: Answer, fault: str = "") -> None:
        body = answer.body
        stated = len(body)
        if fault == "wrong length":
            body = body[: len(body) // 2]
            stated = len(body)
        elif fault == "corrupt block":
            third = max(1, len(body) // 3)
            body = body[:third] + bytes(third) + body[2 * third :]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(stated))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in {"stall", "truncated body"}:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "stall":
                time.sleep(STALL)
            self.close_connection = True
            return
        self.wfile.write(body)

    def _reset(self) -> None:
        """End the connection with RST instead of an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class Server(ThreadingHTTPServer):
    """Many connections at a time, and silence about those that break off."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def main() -> None:
    """Serve until killed."""
    Handler.mind = Mind(Path(sys.argv[1]))
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
