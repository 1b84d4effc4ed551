"""A Ray cluster on this machine: a head, and workers that come and are killed, each a set of processes of its own."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers.processes import free_port

NODE = "TEST_RAY_NODE"
"""Variable that every process of a node has inherited: the node's name."""

PATIENCE = 180.0
"""Seconds until a node that does not come up is given up."""


AGENTS = ("dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export")
"""What listens on every node."""

ATTEMPTS = 4
"""How often a node is started on a machine that is busy with other things."""


def environment_of(pid: int) -> dict[str, str]:
    """The variables that a process was begun with; none where it has ended."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(piece.split("=", 1) for piece in raw.decode(errors="replace").split("\0") if "=" in piece)


def processes() -> Iterator[int]:
    """The ids of all processes of this machine."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


@dataclass
class RayCluster:
    """A head without a GPU and what joins it. A node's processes know each other by a variable they inherit."""

    folder: Path
    cpus: int = 4
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    dashboard: int = field(default_factory=free_port)

    @property
    def variables(self) -> dict[str, str]:
        """What whoever submits jobs needs in its environment."""
        return {
            "RAY_ADDRESS": f"http://127.0.0.1:{self.dashboard}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }

    def start_head(self, variables: Mapping[str, str]) -> None:
        """Start the head; its jobs find the variables."""
        ports = ["--port", str(self.port), "--dashboard-port", str(self.dashboard), "--temp-dir", str(self.folder)]
        self._start("head", ["--head", *ports, "--num-gpus", "0", "--num-cpus", str(self.cpus)], variables)

    def start_worker(self, name: str, variables: Mapping[str, str]) -> None:
        """Start a worker that declares one GPU."""
        self._start(
            name, ["--address", f"127.0.0.1:{self.port}", "--num-gpus", "1", "--num-cpus", str(self.cpus)], variables
        )

    def kill(self, name: str) -> None:
        """Kill a node with everything that runs on it, as where its machine is switched off."""
        while left := self.at(name):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)

    def at(self, name: str) -> list[int]:
        """The processes of a node that are there."""
        return [pid for pid in processes() if self._mark(name) == environment_of(pid).get(NODE)]

    def close(self) -> None:
        """Kill every node."""
        for pid in processes():
            mark = environment_of(pid).get(NODE, "")
            if mark.startswith(f"{self.port}/"):
                self.kill(mark.partition("/")[2])

    def node_of(self, variables: Mapping[str, str]) -> str:
        """The node that a process with these variables belongs to; empty where it is none of this cluster's."""
        port, _, name = variables.get(NODE, "").partition("/")
        return name if port == str(self.port) else ""

    def _mark(self, name: str) -> str:
        return f"{self.port}/{name}"

    def _start(self, name: str, options: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start a node; again where it did not come up in the quarter or half of a minute that Ray gives its parts."""
        said = ""
        for _ in range(ATTEMPTS):
            said = self._started(name, options, variables)
            if "Ray runtime started" in said:
                return
            self.kill(name)
        raise AssertionError(said)

    def _started(self, name: str, options: Sequence[str], variables: Mapping[str, str]) -> str:
        ray = Path(sys.executable).with_name("ray")
        own = {agent: free_port() for agent in AGENTS}  # what it has to find out itself, it gives its agents 15 s for
        ports = [f"--{agent}-port={port}" for agent, port in own.items()]
        small = ["--object-store-memory=80000000", "--include-log-monitor=false", "--disable-usage-stats"]
        with (self.folder / f"{name}.log").open("wb") as log:
            subprocess.run(
                [ray, "start", *options, *ports, *small, "--node-ip-address=127.0.0.1"],
                env={**os.environ, **variables, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}
                | {NODE: self._mark(name), "PATH": f"{ray.parent}{os.pathsep}{os.environ['PATH']}"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                timeout=PATIENCE,
                check=False,
            )
        return (self.folder / f"{name}.log").read_text()


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """An empty cluster; every node that was started is killed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # a short path: those of sockets are
    cluster = RayCluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
