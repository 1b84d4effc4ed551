"""A web server of files by range, as far away as it is told to be.

Run as a process of its own: `python slow_files.py ROOT PORT LATENCY BANDWIDTH`. Every answer begins LATENCY seconds
after its request, and all answers together leave at BANDWIDTH bytes a second (0: as fast as they can).
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

PIECE = 65_536


class Line:
    """What all answers share: bytes leave one after the other."""

    def __init__(self, bandwidth: float) -> None:
        self._bandwidth = bandwidth
        self._lock = threading.Lock()
        self._free = 0.0

    def wait(self, size: int) -> None:
        """Return when so many more bytes have gone through."""
        if not self._bandwidth:
            return
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / self._bandwidth
            until = self._free
        time.sleep(max(0.0, until - time.monotonic()))


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    root: Path
    latency: float
    line: Line

    def do_GET(self) -> None:
        """A file, or the part of it that is asked for."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """What there is to say of a file."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        time.sleep(self.latency)
        path = self.root / unquote(self.path.split("?")[0]).lstrip("/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        facts = path.stat()
        start, stop, total = 0, facts.st_size, facts.st_size
        asked = self.headers.get("Range")
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(total, int(last) + 1) if last else total
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{facts.st_mtime_ns:x}-{total:x}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "image/tiff")
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
        self.end_headers()
        if with_body:
            self._send(path, start, stop)

    def _send(self, path: Path, start: int, stop: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < stop:
                data = file.read(min(PIECE, stop - start))
                self.line.wait(len(data))
                self.wfile.write(data)
                start += len(data)


class Server(ThreadingHTTPServer):
    """Many connections at a time, and silence about those that break off."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    root, port, latency, bandwidth = sys.argv[1:]
    Handler.root, Handler.latency, Handler.line = Path(root), float(latency), Line(float(bandwidth))
    Server(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
