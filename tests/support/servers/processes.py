"""Servers for tests, each a process of its own on a free port of this machine."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds until a server that does not answer is given up."""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """A process that listens on a port, ended with the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} did not begin to listen on port {port}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Unreliable:
    """A running `unreliable.py`."""

    url: str

    def set(self, **orders: Any) -> None:
        """Tell it how to behave; its log begins anew."""
        data = json.dumps(orders).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/-/set", data=data, method="POST")).close()

    def log(self) -> list[dict[str, str]]:
        """What it has been asked since."""
        with urllib.request.urlopen(f"{self.url}/-/log") as answer:
            entries: list[dict[str, str]] = json.load(answer)
            return entries

    def sent(self) -> int:
        """Bytes of the bodies that it has answered with since."""
        with urllib.request.urlopen(f"{self.url}/-/sent") as answer:
            return int(json.load(answer))


@contextmanager
def unreliable(root: Path) -> Iterator[Unreliable]:
    """Files below `root` served by a server that misbehaves when told to."""
    port = free_port()
    script = Path(__file__).with_name("unreliable.py")
    with running([sys.executable, str(script), str(root), str(port)], port):
        yield Unreliable(f"http://127.0.0.1:{port}")


@dataclass(frozen=True)
class StacSearch:
    """A running `stac_search.py` over the catalogues of a folder."""

    url: str
    folder: Path

    def put(self, name: str, items: Sequence[Any], *, counts: bool = True) -> str:
        """Fill a catalogue, in place of what it held, and give its address."""
        (self.folder / f"{name}.json").write_text(json.dumps({"counts": counts, "items": list(items)}))
        return f"{self.url}/{name}"

    def log(self) -> list[dict[str, Any]]:
        """The searches since the start, or since they were forgotten."""
        with urllib.request.urlopen(f"{self.url}/-/log") as answer:
            entries: list[dict[str, Any]] = json.load(answer)
            return entries

    def forget(self) -> None:
        """Begin the log anew."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/-/forget", data=b"", method="POST")).close()


@contextmanager
def stac_search(folder: Path) -> Iterator[StacSearch]:
    """Search services over `folder`, empty at first."""
    port = free_port()
    script = Path(__file__).with_name("stac_search.py")
    with running([sys.executable, str(script), str(folder), str(port)], port):
        yield StacSearch(f"http://127.0.0.1:{port}", folder)


@contextmanager
def stac_api(files: Sequence[Path]) -> Iterator[str]:
    """`rustac serve` over collections and items; yields its address."""
    port = free_port()
    program = shutil.which("rustac", path=str(Path(sys.executable).parent)) or "rustac"
    command = [program, "serve", *map(str, files), "-a", f"127.0.0.1:{port}"]
    with running(command, port):
        yield f"http://127.0.0.1:{port}"
