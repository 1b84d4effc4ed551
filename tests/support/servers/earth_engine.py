"""A stand-in for Earth Engine's REST interface on loopback, run as a process of its own.

Run it as `python -m servers.earth_engine ROOT` with `tests/support` on the path; it prints its port. The documents that
describe the interface come from the client's own package.

`ROOT/catalogue.json` holds `{"public_key": PEM, "collections": {asset: {"restricted": bool, "images": [{"index",
"start", "end", "footprint" (WKT), "properties", "bands": {name: {"files": [...], "number": n}}}]}}}`. Besides the
service's routes there are:

- POST /token: access tokens for service accounts (whose assertion must be signed by the key) and users.
- POST /-/set: {"share", "kinds", "seed", "only", "revoke", "most_pixels", "delay", "neighbours", "slowed"}, each
  optional; the log begins anew.
- GET /-/log: one entry a request: path, the fault that was put on it, the seconds since 1970 at its arrival, the user
  agent and the workload tag.
"""

import io
import json
import random
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import shapely
from affine import Affine

from servers.earth_engine_accounts import ASSERTION, REFRESH_TOKEN, Account
from servers.earth_engine_expressions import ComputationError, Graph
from servers.earth_engine_images import NEIGHBOURS, Grid, Image, SourceBand, source_image
from servers.unreliable import Dealt

REFUSALS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "earth_engine" / "refusals.json").read_text()
)
"""What the service answers, by names; where each comes from is said beside them."""

PASSING = ("too many requests a minute", "too many aggregations", "memory capacity", "capacity", "restricted")
KINDS = ("429 with Retry-After", "500", "stall", "reset", "truncated body", "wrong length", *PASSING[:2], "capacity")
EXPIRED = "expired token"
"""A kind for paths that want a token, where others are left as they are."""

STALL = 4.0
"""Seconds of silence; longer than a test's client waits."""

MOST_BYTES = 50_331_648
"""Of one answer with pixels (Earth Engine quotas)."""


@dataclass
class Mind:
    """What the server has been told, and what it has been asked."""

    root: Path
    share: float = 0.0
    kinds: tuple[str, ...] = KINDS
    seed: int = 0
    only: str = "/"
    most_pixels: int = 1 << 40
    delay: float = 0.0
    revoked: bool = False
    slowed: bool = False
    tokens: dict[str, Account] = field(default_factory=dict)
    asked: int = 0
    dealt: Dealt = field(default_factory=Dealt)
    log: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    catalogue: dict[str, Any] = field(default_factory=dict)

    def tell(self, said: dict[str, Any]) -> None:
        """Take orders."""
        with self.lock:
            self.share = said.get("share", self.share)
            self.kinds = tuple(said.get("kinds", self.kinds))
            self.seed = said.get("seed", self.seed)
            self.only = said.get("only", self.only)
            self.most_pixels = said.get("most_pixels", self.most_pixels)
            self.delay = said.get("delay", self.delay)
            self.slowed = said.get("slowed", self.slowed)
            NEIGHBOURS[:] = [said.get("neighbours", NEIGHBOURS[-1])]
            self.revoked = said.get("revoke", self.revoked)
            if self.revoked:
                self.tokens.clear()
            self.asked = 0
            self.dealt = Dealt()
            self.log.clear()

    def fault_for(self, path: str, agent: str, tag: str) -> str:
        """The fault of the next request ('' for none), written into the log."""
        with self.lock:
            self.asked += 1
            chance = random.Random(f"{self.seed}:{self.asked}")
            at_fault = self.only in path and chance.random() < self.share
            fitting = [kind for kind in self.kinds if kind != EXPIRED or path.startswith("/v1/")]
            kind = self.dealt.deal(fitting, chance) if at_fault else ""
            at = f"{time.time():.3f}"
            self.log.append({"path": path, "fault": kind, "at": at, "agent": agent, "tag": tag})
            return kind


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    kind: str = "application/json"
    after: int | None = None


def recorded(name: str) -> Answer:
    """A refusal as the service sends it."""
    known = REFUSALS[name]
    return refusal(known["status"], known["message"], known["code"])


def refusal(status: int, message: str, code: str = "") -> Answer:
    """An error document as Google's interfaces send it."""
    error = {"code": status, "message": message, "status": code or {400: "INVALID_ARGUMENT"}.get(status, "UNKNOWN")}
    return Answer(status, json.dumps({"error": error}).encode())


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    mind: Mind
    timeout = 60

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/-/set":
            self.mind.tell(json.loads(body))
            self._send(Answer(200, b"{}"))
        elif path == "/-/log":
            self._send(Answer(200, json.dumps(self.mind.log).encode()))
        else:
            asked = json.loads(body) if path.startswith("/v1/") and body else {}
            agent = self.headers.get("User-Agent", "")
            self._fail_or_send(self.mind.fault_for(path, agent, asked.get("workloadTag", "")), path, body)

    def _fail_or_send(self, fault: str, path: str, body: bytes) -> None:
        time.sleep(self.mind.delay)
        if fault == EXPIRED:
            self._send(refusal(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED"))
        elif fault in {"500", "503"}:
            self._send(refusal(int(fault), "An internal error has occurred."))
        elif fault in REFUSALS:
            self._send(recorded(fault))
        elif fault == "429 with Retry-After":
            self._send(Answer(429, b"slow down", "text/plain", after=2))
        elif fault == "reset":
            self._reset()
        else:
            self._send(self._answer(path, body), fault)

    def _answer(self, path: str, body: bytes) -> Answer:
        if path == "/token":
            return self._token(parse_qs(body.decode()))
        if path == "/$discovery/rest":
            return Answer(200, _document("cloud_api_discovery_document.json").replace(b"v1alpha", b"v1"))
        return self._authorised(path.strip("/").split("/"), body)

    def _authorised(self, parts: list[str], body: bytes) -> Answer:
        header = self.headers.get("Authorization", "")
        account = self.mind.tokens.get(header.removeprefix("Bearer "))
        if account is None:
            return refusal(401, f"Request had invalid authentication credentials: {header}", "UNAUTHENTICATED")
        if account is Account.UNREGISTERED:
            return recorded("unregistered")
        if account is Account.UNVERIFIED:
            return recorded("unverified")
        if parts[3:] == ["algorithms"]:
            return Answer(200, _document("algorithms.json"))
        if account is Account.SPENT:
            limit = "limit 'Earth Engine compute time (EECU-time) per day in seconds'"
            return refusal(429, f"Quota exceeded for quota metric 'EECU-time' and {limit}.", "RESOURCE_EXHAUSTED")
        return self._computed(parts, json.loads(body), account)

    def _computed(self, parts: list[str], question: dict[str, Any], account: Account) -> Answer:
        try:
            value = Graph(question["expression"], lambda asset: self._collection(asset, account)).evaluate()
            if parts[3:] == ["value:compute"]:
                return Answer(200, json.dumps({"result": value}).encode())
            if parts[3:] == ["image:computePixels"]:
                return self._pixels(value, question)
        except (ComputationError, ValueError) as error:
            return refusal(400, str(error))
        except Exception:
            traceback.print_exc()
            return refusal(500, "the stand-in failed; its standard error says why")
        return refusal(404, "there is nothing at this address")

    def _pixels(self, image: Image, question: dict[str, Any]) -> Answer:
        if question["fileFormat"] != "NPY":
            return refusal(400, "the stand-in sends NPY only")
        sizes, affine = question["grid"]["dimensions"], question["grid"]["affineTransform"]
        names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
        grid = Grid(
            int(sizes["width"]),
            int(sizes["height"]),
            Affine(*(float(affine.get(name, 0)) for name in names)),
            question["grid"]["crsCode"],
        )
        if grid.width * grid.height > self.mind.most_pixels:
            return refusal(400, "User memory limit exceeded.")
        planes = image.on(grid)
        table = np.zeros((grid.height, grid.width), dtype=[(name, "<u2") for name in planes.names])
        if table.nbytes > MOST_BYTES:
            return recorded("too many bytes")
        for name, values in zip(planes.names, planes.values, strict=True):
            table[name] = values.astype(np.uint16)
        buffer = io.BytesIO()
        np.save(buffer, table)
        return Answer(200, buffer.getvalue(), "application/octet-stream")

    def _collection(self, asset: str, account: Account) -> list[Image]:
        found = self.mind.catalogue["collections"].get(asset)
        if found is None or (found.get("restricted") and account is Account.NO_NICFI):
            raise ComputationError(
                f"ImageCollection.load: ImageCollection asset '{asset}' not found (does not exist or caller does not "
                "have access)."
            )
        return [self._image(record) for record in sorted(found["images"], key=lambda record: str(record["index"]))]

    def _image(self, record: Mapping[str, Any]) -> Image:
        bands = {
            name: SourceBand(tuple(str(self.mind.root / f) for f in band["files"]), band.get("number", 1))
            for name, band in record["bands"].items()
        }
        properties = {"system:index": record["index"], "system:time_start": record["start"], **record["properties"]}
        if "end" in record:
            properties["system:time_end"] = record["end"]
        return source_image(bands, properties, shapely.from_wkt(record["footprint"]))

    def _token(self, form: dict[str, list[str]]) -> Answer:
        account = None if self.mind.revoked else self._account(form)
        if account is None:
            said = form.get("refresh_token", form.get("assertion", [""]))[0]
            error = {"error": "invalid_grant", "error_description": f"Token has been expired or revoked: {said}"}
            return Answer(400, json.dumps(error).encode())
        with self.mind.lock:
            token = f"ya29.{account.value}-{len(self.mind.tokens)}"
            self.mind.tokens[token] = account
        said_back = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        return Answer(200, json.dumps(said_back).encode())

    def _account(self, form: dict[str, list[str]]) -> Account | None:
        from google.auth import jwt

        if form["grant_type"] != [ASSERTION]:
            return Account.GOOD if form.get("refresh_token") == [REFRESH_TOKEN] else None
        try:
            claims = jwt.decode(form["assertion"][0], self.mind.catalogue["public_key"], audience=None)  # type: ignore[no-untyped-call]
            return Account(str(claims["iss"]).partition("@")[0])
        except ValueError:
            return None

    def _send(self, answer: Answer, fault: str = "") -> None:
        body = answer.body
        half = body[: len(body) // 2]
        whole = half if fault == "wrong length" else body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(whole)))
        if answer.after is not None:
            self.send_header("Retry-After", str(answer.after))
        if self.mind.slowed:
            self.send_header("X-Earth-Engine-Quota-Status", "parallelism_restricted=true")
        self.end_headers()
        if fault in {"stall", "truncated body"}:
            self.wfile.write(half)
            self.wfile.flush()
            if fault == "stall":
                time.sleep(STALL)
            self.close_connection = True
            return
        self.wfile.write(whole)

    def _reset(self) -> None:
        """End the connection with RST instead of an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _document(name: str) -> bytes:
    """A document that the client's package brings for its own tests."""
    from importlib.util import find_spec

    package = find_spec("ee")
    if package is None or package.origin is None:
        raise RuntimeError("the Earth Engine client is not installed")
    return (Path(package.origin).parent / "tests" / name).read_bytes()


class Server(ThreadingHTTPServer):
    """Many connections at a time, and silence about those that break off."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def main() -> None:
    """Serve until killed."""
    root = Path(sys.argv[1])
    Handler.mind = Mind(root, catalogue=json.loads((root / "catalogue.json").read_text()))
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
