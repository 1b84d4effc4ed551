"""A STAC search service that answers in the shape that Earth Search or Planetary Computer was recorded with.

Run as a process of its own: `python stac_search.py FOLDER PORT`. Each file `FOLDER/<name>.json` is a catalogue at
`/<name>`: {"counts": whether it says how many items match, "items": [...]}. It is read anew for every request, so that
a catalogue can gain and lose items.

- GET /<name>: the landing page.
- POST /<name>/search: items by collection, box and dates, sorted by date (newest first), in pages.
- GET /-/log: what was asked, one body a search; POST /-/forget begins it anew.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CONFORMS = ("core", "collections", "ogcapi-features", "item-search", "item-search#sort")

Item = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    folder: Path
    log: list[dict[str, Any]]
    lock = threading.Lock()
    timeout = 30

    def do_GET(self) -> None:
        name = urlsplit(self.path).path.strip("/")
        if name == "-/log":
            with self.lock:
                self._send(self.log)
        elif (self.folder / f"{name}.json").is_file():
            self._send(self._landing(name))
        else:
            self._send({"code": "NotFound"}, 404)

    def do_POST(self) -> None:
        name, _, rest = urlsplit(self.path).path.strip("/").partition("/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if (name, rest) == ("-", "forget"):
            with self.lock:
                self.log.clear()
            self._send({})
        elif rest == "search":
            asked = json.loads(body)
            with self.lock:
                self.log.append({"catalogue": name, **asked})
            self._send(self._found(name, asked))
        else:
            self._send({"code": "NotFound"}, 404)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _landing(self, name: str) -> dict[str, Any]:
        here = f"http://{self.headers['Host']}/{name}"
        return {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": name,
            "description": "made for a test",
            "conformsTo": [f"https://api.stacspec.org/v1.0.0/{part}" for part in CONFORMS],
            "links": [
                {"rel": "self", "type": "application/json", "href": here},
                {"rel": "root", "type": "application/json", "href": here},
                {"rel": "search", "type": "application/geo+json", "href": f"{here}/search", "method": "POST"},
            ],
        }

    def _found(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        catalogue = json.loads((self.folder / f"{name}.json").read_text())
        every = [item for item in catalogue["items"] if matches(item, asked)]
        every.sort(key=lambda item: item["properties"]["datetime"], reverse=True)
        start, limit = int(asked.get("next", 0)), int(asked.get("limit", 10))
        page = every[start : start + limit]
        here = f"http://{self.headers['Host']}/{name}"
        links: list[dict[str, Any]] = [{"rel": "root", "type": "application/json", "href": here}]
        if start + limit < len(every):
            more = {"rel": "next", "type": "application/geo+json", "href": f"{here}/search", "method": "POST"}
            links.append({**more, "body": {**asked, "next": str(start + limit)}})
        answer: dict[str, Any] = {"type": "FeatureCollection"}
        if catalogue["counts"]:
            answer |= {"context": {"limit": limit, "matched": len(every), "returned": len(page)}}
            answer |= {"numberMatched": len(every), "numberReturned": len(page)}
        return answer | {"features": page, "links": links}

    def _send(self, answer: object, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/geo+json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def matches(item: Item, asked: dict[str, Any]) -> bool:
    """Whether an item is in a search's collections, box and dates."""
    if item["collection"] not in asked.get("collections", [item["collection"]]):
        return False
    first, _, last = asked.get("datetime", "/").partition("/")
    if not first <= item["properties"]["datetime"] or (last and item["properties"]["datetime"] > last):
        return False
    west, south, east, north = asked.get("bbox", (-180, -90, 180, 90))
    left, bottom, right, top = item["bbox"]
    return bool(left <= east and right >= west and bottom <= north and top >= south)


class Server(ThreadingHTTPServer):
    """Many connections at a time, and silence about those that break off."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def main() -> None:
    """Serve until killed."""
    Handler.folder, Handler.log = Path(sys.argv[1]), []
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
