"""What the UI on one machine needs beside its web server: one code server and the daemon, which both end with it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from dagster_project import bound_process
from minemap_assets.errors import MinemapError

MODULE = "dagster_project.definitions"
"""What the code server loads, and the name of the code location: what is turned on in the UI is kept under it."""

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 45
"""Time after which the code server ends by itself where nobody asks for it any more."""

SHAPE_SECONDS = 60.0
"""Time after which it is looked whether the graph is still the one that was loaded."""

RELOAD_SECONDS = 40
"""Time that loading it again has, less than the code server stays without a heartbeat."""

END_SECONDS = 20.0
"""Time that a process has to end in order."""


@dataclass(frozen=True)
class Services:
    """Running services: the workspace file that leads to the code server, and the daemon."""

    workspace: Path
    daemon: "subprocess.Popen[bytes]"


PATIENT = {"DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "1"}
"""What the daemon finds in its environment besides: a backfill waits while the code server is started again."""

Shape = Callable[[], Hashable]
"""Tells what the code server would load now. Raises `MinemapError` where that cannot be said."""


@contextmanager
def services(shape: Shape) -> Iterator[Services]:
    """Start both and end them with the block, runs that they started included.

    The environment says which project and which Dagster instance. Whenever `shape` differs from what was loaded, as
    when a season ends, the code server loads it again. Raises `MinemapError` where the code server does not start.
    """
    with TemporaryDirectory(prefix="minemap-") as folder:
        socket, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        location = {"grpc_server": {"socket": str(socket), "location_name": MODULE}}
        workspace.write_text(json.dumps({"load_from": [location]}))
        words = ("dagster._daemon", "run", "--workspace", str(workspace))
        with _code_server(socket, shape), _process(*words, environment=PATIENT) as daemon:
            yield Services(workspace, daemon)


@contextmanager
def _code_server(socket: Path, shape: Shape) -> Iterator[None]:
    """A code server that answers at a socket; started again where it ends, as after a night of the machine's sleep."""
    words = ["--socket", str(socket), "--module-name", MODULE, "--location-name", MODULE, "--log-level", "warning"]
    words += ["--heartbeat", "--heartbeat-timeout", str(SILENCE_SECONDS)]
    client, answered, over = DagsterGrpcClient(socket=str(socket)), threading.Event(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            with _process("dagster", "code-server", "start", *words) as server:
                loaded = _Loaded(client, shape)
                while server.poll() is None and not over.wait(HEARTBEAT_SECONDS):
                    with suppress(DagsterUserCodeUnreachableError):
                        client.heartbeat("ping")
                        if answered.is_set():
                            loaded.renew()
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


class _Loaded:
    """What the code server has loaded, which is compared with what there is now every `SHAPE_SECONDS`."""

    def __init__(self, client: DagsterGrpcClient, shape: Shape) -> None:
        self._client = client
        self._shape = shape
        self._asked = time.monotonic()
        self._known = self._now()

    def renew(self) -> None:
        """Have it loaded again where it is not what there is now. Raises what the client raises."""
        if time.monotonic() - self._asked < SHAPE_SECONDS:
            return
        self._asked = time.monotonic()
        found = self._now()
        if found is not None and found != self._known:
            self._client.reload_code(RELOAD_SECONDS)
            self._known = found

    def _now(self) -> Hashable:
        """None for a project that somebody is just writing, or has damaged."""
        try:
            return self._shape()
        except MinemapError:
            return None


def _answers(client: DagsterGrpcClient) -> bool:
    try:
        client.ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


@contextmanager
def _process(*words: str, environment: Mapping[str, str] | None = None) -> "Iterator[subprocess.Popen[bytes]]":
    """`python -m WORDS`, ended with the block, and all processes that it started and that did not leave its group.
    Where this process is killed, it ends by itself (`bound_process.py`).

    It has a group of its own: Ctrl-C on a terminal interrupts this process alone, which then ends it once.
    """
    given = {**os.environ, **(environment or {})}
    bound = [sys.executable, "-m", bound_process.__name__, str(os.getpid()), *words]
    process = subprocess.Popen(bound, process_group=0, env=given)
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
