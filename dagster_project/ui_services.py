"""What the UI on one machine needs beside its web server: one code server and the daemon, which both end with it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from minemap_assets.errors import MinemapError

MODULE = "dagster_project.definitions"
"""What the code server loads, and the name of the code location: what is turned on in the UI is kept under it."""

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 45
"""Time after which the code server ends by itself where nobody asks for it any more."""

END_SECONDS = 20.0
"""Time that a process has to end in order."""


@dataclass(frozen=True)
class Services:
    """Running services: the workspace file that leads to the code server, and the daemon."""

    workspace: Path
    daemon: "subprocess.Popen[bytes]"


@contextmanager
def services() -> Iterator[Services]:
    """Start both and end them with the block, runs that they started included.

    The environment says which project and which Dagster instance. Raises `MinemapError` where the code server does not
    start.
    """
    with TemporaryDirectory(prefix="minemap-") as folder:
        socket, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        location = {"grpc_server": {"socket": str(socket), "location_name": MODULE}}
        workspace.write_text(json.dumps({"load_from": [location]}))
        with _code_server(socket), _process("dagster._daemon", "run", "--workspace", str(workspace)) as daemon:
            yield Services(workspace, daemon)


@contextmanager
def _code_server(socket: Path) -> Iterator[None]:
    """A code server that answers at a socket; started again where it ends, as after a night of the machine's sleep."""
    words = ["--socket", str(socket), "--module-name", MODULE, "--location-name", MODULE, "--log-level", "warning"]
    words += ["--heartbeat", "--heartbeat-timeout", str(SILENCE_SECONDS)]
    client, answered, over = DagsterGrpcClient(socket=str(socket)), threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            with _process("dagster", "code-server", "start", *words) as server:
                while server.poll() is None and not over.wait(HEARTBEAT_SECONDS):
                    with suppress(DagsterUserCodeUnreachableError):
                        client.heartbeat("ping")
            if not answered.is_set():
                over.set()

    thread = threading.Thread(target=watch, name="code-server", daemon=True)
    thread.start()
    try:
        while not _answers(client):
            if over.is_set():
                raise MinemapError("Dagster's code server ended before it answered; what it said last says why")
            time.sleep(0.1)
        answered.set()
        yield
    finally:
        over.set()
        thread.join()


def _answers(client: DagsterGrpcClient) -> bool:
    try:
        client.ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


@contextmanager
def _process(*words: str) -> "Iterator[subprocess.Popen[bytes]]":
    """`python -m WORDS`, ended with the block, and all processes that it started and that did not leave its group.

    It has a group of its own: Ctrl-C on a terminal interrupts this process alone, which then ends it once.
    """
    process = subprocess.Popen([sys.executable, "-m", *words], process_group=0)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
