"""A stand-in for Planet's basemaps service on loopback, run as a process of its own.

It has the routes that a client of quads and tiles needs, with keys, paging, signed download addresses that expire,
ranges, entity tags, and failures on demand; quads and links to scenes have the form of the answers in
`recorded/planet`. Run it as `python -m servers.planet_basemaps` with `tests/support` on the path.

`--root` holds `mosaics.json` (a list of records: id, name, first_acquired, last_acquired, bbox, quad_pixels, and
optionally series, interval, datatype, coordinate_system, quad_download, and `locked`, the quads that may not be
downloaded), the quads as `<mosaic id>/<x-y>.tif`, their masks as `<x-y>_udm2.tif`, and optionally `scenes.json`
({mosaic id: {quad: [scene properties with an id, and an item_type where that is not PSScene]}}). Prints its port. POST
/_set changes how requests fail. The API key decides what kind of account is asking; see `Account`.
"""

import argparse
import hashlib
import json
import socket
import struct
import sys
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import rasterio
from rasterio.warp import transform_bounds

from servers.planet_faults import Account, Fault
from servers.planet_service import Options, Service, route_of
from servers.planet_tiles import in_full_depth, tile_of

RECORDED = Path(__file__).parents[1] / "recorded" / "planet"
QUAD = json.loads((RECORDED / "quad.json").read_text())
SCENE_LINK = json.loads((RECORDED / "contributions.json").read_text())["items"][0]["link"]

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(200)
"""What tiles are for a service that streams 8 bits only."""

RESOLUTION = 40_075_016.685578488 / (2048 * 4096)
"""Pixel size of a NICFI quad in EPSG:3857, metres."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    service: Service
    _question: dict[str, Any]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer one request."""
        url = urlsplit(self.path)
        parts = [part for part in url.path.split("/") if part]
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if parts == ["_stats"]:
            service = self.service
            self._json({"counts": service.counts, "failed": service.failed, "bytes": service.bytes_sent})
            return
        route = "mask" if "asset" in query else route_of(url.path)
        self._fault = self.service.fault(route, url.path)
        if self._failed_at_once():
            return
        if parts[:1] == ["elsewhere"]:
            self._bytes(b"", 302, {"Location": self.path.removeprefix("/elsewhere")})
            return
        if route == "download":
            self._download(parts, query, url.path)
            return
        if route == "discovery":
            self._json({"token_endpoint": f"{self._here}/auth/token"})
            return
        if route == "token":
            status, said = self.service.tokens.grant(self._question)
            self._json(said, status)
            return
        account = self._account(query)
        if account is not None:
            self._answer(route, parts, query, account)

    def do_POST(self) -> None:
        """Answer one question that is sent as JSON."""
        said = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/_set":
            self.service.tell(json.loads(said))
            self._json({})
            return
        self._question = dict(parse_qsl(said.decode())) if self.path == "/auth/token" else json.loads(said)
        self.do_GET()

    def _failed_at_once(self) -> bool:
        match self._fault:
            case Fault.BUSY_LATER:
                self._json({"message": "slow down"}, 429, {"Retry-After": "1"})
            case Fault.BUSY:
                self._json({"message": "slow down"}, 429)
            case Fault.ERROR:
                self._json({"message": "internal error"}, 500)
            case Fault.UNAVAILABLE:
                self._json({"message": "unavailable"}, 503)
            case Fault.RESET:
                self._reset()
            case Fault.EXPIRED_SIGNATURE:
                self._bytes(b"<Error><Code>ExpiredToken</Code></Error>", 403, {"Content-Type": "application/xml"})
            case _:
                return False
        return True

    def _account(self, query: dict[str, str]) -> Account | None:
        header = self.headers.get("Authorization", "")
        if self.service.tokens.knows(header):
            return Account.GOOD
        key = header.removeprefix("api-key ") if header.startswith("api-key ") else query.get("api_key", "")
        try:
            account = Account(key)
        except ValueError:
            self._json({"message": "Please enter your API key, or email and password."}, 401)
            return None
        if account is Account.EXPIRED:
            self._json({"message": f"The key {key} has expired."}, 401)
            return None
        return account

    def _answer(self, route: str, parts: list[str], query: dict[str, str], account: Account) -> None:
        service = self.service
        mosaics = [] if account is Account.EMPTY else service.mosaics
        mosaic = next((m for m in mosaics if len(parts) > 3 and m["id"] == parts[3]), None)
        if route == "mosaics":
            wanted = query.get("name__contains", "").lower()
            named = [m for m in mosaics if wanted in m["name"].lower()]
            self._page("mosaics", [self._mosaic(m, account) for m in named], query)
        elif route in ("series", "series-mosaics"):
            self._series(route, parts, mosaics, query, account)
        elif route == "search":
            self._search(account)
        elif route == "tile":
            self._tile(mosaics, parts, query)
        elif parts[0] == "link":
            self._full(parts[4], parts[6], query, account, linked=True)
        elif mosaic is None:
            self._json({"message": "Mosaic Not Found"}, 404)
        else:
            self._of_mosaic(route, mosaic, parts, query, account)

    def _of_mosaic(
        self, route: str, mosaic: dict[str, Any], parts: list[str], query: dict[str, str], account: Account
    ) -> None:
        service = self.service
        if route == "mosaic":
            self._json(self._mosaic(mosaic, account))
        elif route == "quads":
            self._quads(mosaic, query, account)
        elif not service.quad_file(mosaic["id"], parts[5]).exists():
            self._json({"message": "Quad Not Found"}, 404)
        elif route == "quad":
            self._json(self._quad(mosaic, parts[5], account))
        elif route == "items":
            scenes = service.scenes.get(mosaic["id"], {}).get(parts[5], [])
            links = [{"link": self._scene_link(scene)} for scene in scenes]
            self._json({"items": links, "_links": {"_self": f"{self._here}{self.path}"}})
        elif parts[5] in mosaic.get("locked", ()):
            self._json({"message": "Access denied - insufficient privileges."}, 403)
        else:
            self._full(mosaic["id"], parts[5], query, account)

    def _series(
        self, route: str, parts: list[str], mosaics: list[dict[str, Any]], query: dict[str, str], account: Account
    ) -> None:
        names = sorted({m["series"] for m in mosaics if "series" in m})
        if route == "series":
            wanted = [n for n in names if query.get("name__is", n) == n]
            self._page("series", [{"id": _series_id(n), "name": n} for n in wanted], query)
            return
        members = [m for m in mosaics if "series" in m and _series_id(m["series"]) == parts[3]]
        self._page("mosaics", [self._mosaic(m, account) for m in members], query)

    def _scene_link(self, scene: dict[str, Any]) -> str:
        """As it was recorded, for another scene."""
        start, _, asset = SCENE_LINK.partition("#")
        address = urlsplit(start).path.split("/")
        address[-3], address[-1] = scene.get("item_type", "PSScene"), scene["id"]
        return f"{self._here}{'/'.join(address)}#{asset}"

    def _tile(self, mosaics: list[dict[str, Any]], parts: list[str], query: dict[str, str]) -> None:
        mosaic = next((m for m in mosaics if m["name"] == parts[1]), None)
        zoom, x, y = int(parts[3]), int(parts[4]), int(parts[5].removesuffix(".tif"))
        found = None if mosaic is None else tile_of(self.service.options.root, mosaic, zoom, x, y)
        if found is None:
            self._json({"message": "Tile Not Found"}, 404)
            return
        data = found if self.service.options.tiles and in_full_depth(query) else PICTURE
        self.service.bytes_sent += len(data)
        self._bytes(data, 200, {"Content-Type": "image/tiff"})

    def _full(self, mosaic: str, quad: str, query: dict[str, str], account: Account, *, linked: bool = False) -> None:
        options = self.service.options
        if account is Account.SPENT:
            self._json({"message": "You have exceeded your download quota."}, 429)
            return
        if account is Account.FORBIDDEN:
            self._json({"message": f"Key {account} may not download."}, 403)
            return
        asset = f"_{query['asset'].removeprefix('ortho_')}" if options.assets and "asset" in query else ""
        if not self.service.quad_file(mosaic, f"{quad}{asset}").exists():
            self._json({"message": "Asset Not Found"}, 404)
            return
        if options.hops and not linked:
            further = urlencode({"api_key": account} | ({"asset": query["asset"]} if asset else {}))
            address = f"{self._here}/link/basemaps/v1/mosaics/{mosaic}/quads/{quad}/full?{further}"
            self._bytes(b"", 302, {"Location": address})
            return
        if options.direct:
            self._send_file([mosaic, f"{quad}{asset}.tif"])
            return
        path = f"/download/{mosaic}/{quad}{asset}.tif"
        expires = round((time.time() + options.signature_s) * 1000)
        signed = urlencode({"expires": expires, "signature": self.service.sign(path, expires)})
        lead = f"/elsewhere{path}" if options.hops else path
        self._bytes(b"", 302, {"Location": f"{self._here}{lead}?{signed}"})

    def _download(self, parts: list[str], query: dict[str, str], path: str) -> None:
        """The file itself: no key here, as real storage refuses a request that brings one besides the signature."""
        expires = int(query.get("expires", "0"))
        if "Authorization" in self.headers:
            self._bytes(b"<Error><Code>InvalidArgument</Code></Error>", 400)
            return
        if query.get("signature") != self.service.sign(path, expires) or expires < time.time() * 1000:
            self._bytes(b"<Error><Code>ExpiredToken</Code></Error>", 403)
            return
        self._send_file(parts[1:])

    def _send_file(self, parts: list[str]) -> None:
        data = self.service.options.root.joinpath(*parts).read_bytes()
        md5 = hashlib.md5(data)
        tag = f'"{md5.hexdigest() if self.service.options.tags == "md5" else hashlib.sha256(data).hexdigest()[:32]}"'
        if self._fault is Fault.CORRUPT_BLOCK:
            middle = len(data) // 2
            data = data[: middle - 64] + bytes(128) + data[middle + 64 :]
        if self._fault is Fault.WRONG_LENGTH:
            data = data[: len(data) * 2 // 3]
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "image/tiff"}
        if self.service.options.tags == "google":
            headers["x-goog-hash"] = f"crc32c=AAAAAA==,md5={b64encode(md5.digest()).decode()}"
        if tag in self.headers.get("If-None-Match", ""):
            self._bytes(b"", 304, headers)
            return
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            if start >= len(data):
                self._bytes(b"", 416, headers | {"Content-Range": f"bytes */{len(data)}"})
                return
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.service.bytes_sent += len(data) - start
            self._bytes(data[start:], 206, headers | {"Content-Range": span})
            return
        self.service.bytes_sent += len(data)
        self._bytes(data, 200, headers)

    def _mosaic(self, record: dict[str, Any], account: Account) -> dict[str, Any]:
        base = f"{self._here}/basemaps/v1/mosaics/{record['id']}"
        pixels = record["quad_pixels"]
        return {
            "_links": {"_self": base, "quads": f"{base}/quads?api_key={account}&bbox={{lx}},{{ly}},{{ux}},{{uy}}"},
            "id": record["id"],
            "name": record["name"],
            "interval": record.get("interval", "1 mon"),
            "first_acquired": record["first_acquired"],
            "last_acquired": record["last_acquired"],
            "bbox": record["bbox"],
            "coordinate_system": record.get("coordinate_system", "EPSG:3857"),
            "datatype": record.get("datatype", "uint16"),
            "grid": {"quad_size": pixels, "resolution": RESOLUTION},
            "item_types": ["PSScene"],
            "level": 15,
            "product_type": "timelapse",
            "quad_download": record.get("quad_download", True),
        }

    def _quads(self, mosaic: dict[str, Any], query: dict[str, str], account: Account) -> None:
        west, south, east, north = (float(v) for v in query["bbox"].split(","))
        found = []
        for path in sorted((self.service.options.root / mosaic["id"]).glob("*.tif")):
            if path.stem.endswith("_udm2"):
                continue
            quad = self._quad(mosaic, path.stem, account)
            left, bottom, right, top = quad["bbox"]
            if left < east and right > west and bottom < north and top > south:
                found.append({"id": quad["id"]} if query.get("minimal") == "true" else quad)
        self._page("items", found, query)

    def _quad(self, mosaic: dict[str, Any], quad: str, account: Account) -> dict[str, Any]:
        """As it was recorded, for another quad."""
        base = f"{self._here}/basemaps/v1/mosaics/{mosaic['id']}/quads/{quad}"
        with rasterio.open(self.service.quad_file(mosaic["id"], quad)) as source:
            bounds = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
        ends = {name: urlsplit(link).path.partition(f"/quads/{QUAD['id']}")[2] for name, link in QUAD["_links"].items()}
        links = {name: f"{base}{end}?api_key={account}" for name, end in ends.items()}
        if quad in mosaic.get("locked", ()):
            del links["download"]
        return {**QUAD, "id": quad, "bbox": list(bounds), "_links": links}

    def _search(self, account: Account) -> None:
        if account is Account.NO_SCENES:
            self._json({"message": "Your plan does not include the Data API."}, 403)
            return
        if set(self._question["item_types"]) != {"PSScene"}:
            self._json({"field": {"ItemTypes": [{"message": "unknown item type"}]}}, 400)
            return
        wanted = set(self._question["filter"]["config"])
        every = {s["id"]: s for quads in self.service.scenes.values() for scenes in quads.values() for s in scenes}
        found = [every[scene] for scene in sorted(wanted & set(every))]
        features = [
            {"id": s["id"], "properties": {k: v for k, v in s.items() if k not in ("id", "item_type")}} for s in found
        ]
        self._json({"type": "FeatureCollection", "features": features, "_links": {}})

    def _page(self, key: str, items: list[dict[str, Any]], query: dict[str, str]) -> None:
        page, size = int(query.get("_page", "1")), self.service.options.page_size
        body: dict[str, Any] = {key: items[(page - 1) * size : page * size], "_links": {}}
        if page * size < len(items):
            further = urlencode(query | {"_page": str(page + 1)})
            body["_links"]["_next"] = f"{self._here}{urlsplit(self.path).path}?{further}"
        self._json(body)

    @property
    def _here(self) -> str:
        return f"http://{self.headers['Host']}"

    def _json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._bytes(json.dumps(body).encode(), status, {"Content-Type": "application/json"} | (headers or {}))

    def _bytes(self, body: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        fault = getattr(self, "_fault", None)
        if fault is Fault.WRONG_LENGTH and "ETag" not in (headers or {}):
            body = body[: len(body) * 2 // 3]
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        if fault is Fault.STALL:
            self.wfile.write(body[:half])
            time.sleep(self.service.options.stall_s)
            self.close_connection = True
        elif fault is Fault.TRUNCATED:
            self.wfile.write(body[:half])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _series_id(name: str) -> str:
    text = hashlib.md5(name.encode()).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=Fault, action="append", default=[])
    parser.add_argument("--page-size", type=int, default=50)
    parser.add_argument("--signature-s", type=float, default=60.0)
    parser.add_argument("--stall-s", type=float, default=2.0)
    for name, value in (("--hops", 0), ("--direct", 0), ("--assets", 1), ("--tiles", 1)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--tags", choices=("md5", "other", "google"), default="md5")
    given = parser.parse_args()
    options = Options(**{**vars(given), "only": tuple(given.only)})
    handler = type("BoundHandler", (Handler,), {"service": Service(options)})
    server = _Server(("127.0.0.1", 0), handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
