"""What all requests to the stand-in for Planet's service share: options, failures by the seed, counts and signatures.

Requests are answered in `planet_basemaps.py`.
"""

import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from servers.planet_faults import DOWNLOADS, EVERYWHERE, Fault
from servers.planet_tokens import Tokens

SECRET = b"signing secret of the stand-in"


ROUTES = {
    "discovery": r"/auth/.well-known/openid-configuration",
    "token": r"/auth/token",
    "download": r"/download/[^/]+/[^/]+",
    "series": r"/basemaps/v1/series/?",
    "series-mosaics": r"/basemaps/v1/series/[^/]+/mosaics",
    "search": r"/data/v1/quick-search",
    "mosaics": r"/basemaps/v1/mosaics/?",
    "mosaic": r"/basemaps/v1/mosaics/[^/]+",
    "quads": r"/basemaps/v1/mosaics/[^/]+/quads",
    "quad": r"/basemaps/v1/mosaics/[^/]+/quads/[^/]+",
    "items": r"/basemaps/v1/mosaics/[^/]+/quads/[^/]+/items",
    "full": r"(/link)?/basemaps/v1/mosaics/[^/]+/quads/[^/]+/full",
    "tile": r"/planet-tiles/[^/]+/gmap/\d+/\d+/\d+\.tif",
}
"""Name of every route, by which requests are counted."""


@dataclass(frozen=True)
class Options:
    """What the server was started with; `faults` is the share of requests that fail, `tags` what an ETag is.

    `hops` are the further addresses of the service, each of which counts, and of storage through which a download
    leads. With `direct` the service sends files itself, without `assets` it minds no question for another file, and
    without `tiles` it streams pictures only.
    """

    root: Path
    faults: float
    seed: int
    only: tuple[Fault, ...]
    page_size: int
    signature_s: float
    stall_s: float
    tags: str
    hops: int
    direct: int
    assets: int
    tiles: int


class Service:
    """What all requests share."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.mosaics: list[dict[str, Any]] = json.loads((options.root / "mosaics.json").read_text())
        scenes = options.root / "scenes.json"
        read = json.loads(scenes.read_text()) if scenes.exists() else {}
        self.scenes: dict[str, dict[str, list[dict[str, Any]]]] = read
        self.counts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.bytes_sent = 0
        self.tokens = Tokens()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def tell(self, said: dict[str, Any]) -> None:
        """Fail more or less from now on: `faults`, and `only` where it is to be of some kinds; `revoke` tokens."""
        only = tuple(Fault(kind) for kind in said.get("only", ()))
        with self._lock:
            self.options = replace(self.options, faults=said.get("faults", self.options.faults), only=only)
        self.tokens.seconds = said.get("token_seconds", self.tokens.seconds)
        if said.get("revoke"):
            self.tokens.revoke()

    def fault(self, route: str, path: str) -> Fault | None:
        """Whether this request fails, and how: decided by the seed, the path and how often it was asked."""
        with self._lock:
            self.counts[route] += 1
            self._asked[path] += 1
            nth = self._asked[path]
        draw = hashlib.sha256(f"{self.options.seed}|{path}|{nth}".encode()).digest()
        if int.from_bytes(draw[:4], "big") / 2**32 >= self.options.faults:
            return None
        possible = DOWNLOADS if route == "download" else EVERYWHERE
        kinds = [kind for kind in possible if not self.options.only or kind in self.options.only]
        if not kinds:
            return None
        kind = kinds[draw[4] % len(kinds)]
        with self._lock:
            self.failed[kind.value] += 1
        return kind

    def quad_file(self, mosaic: str, quad: str) -> Path:
        """Where a quad lies."""
        return self.options.root / mosaic / f"{quad}.tif"

    def sign(self, path: str, expires: int) -> str:
        """Signature of a download address."""
        return hashlib.sha256(SECRET + f"{path}|{expires}".encode()).hexdigest()


def route_of(path: str) -> str:
    """The name of the route of a path."""
    return next((name for name, pattern in ROUTES.items() if re.fullmatch(pattern, path)), "unknown")
