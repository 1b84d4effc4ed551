"""Dagster's daemon in a process of its own, over a project that a test may change, kill and look at meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES

from tiny import Chain

MODULE = "dagster_project.definitions"

PATIENCE = 300.0
"""Seconds after which what a test waits for is not going to happen."""

AT_REST = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass
class Daemon:
    """A daemon with its code server; both are ended with `stop`, and killed at once with `kill`."""

    chain: Chain
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def variables(self) -> dict[str, str]:
        """What the project's processes find in their environment."""
        own = self.chain.environment
        named = {"MINEMAP_HOME": own.home, "MINEMAP_STATE": str(own.state), "DAGSTER_HOME": str(own.dagster_home)}
        return dict(os.environ) | named | dict(self.environment)

    @property
    def log(self) -> Path:
        """What the daemon, its code server and the runs of it print."""
        return self.chain.folder / "daemon.log"

    def start(self) -> None:
        """Start it, in a session of its own."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-m", MODULE],
                env=self.variables,
                cwd=self.chain.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it in order, and whatever it started."""
        self._signal(signal.SIGTERM)
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.kill()

    def kill(self) -> None:
        """Kill it and whatever it started that stayed in its session."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(20)
            self.process = None

    def processes(self) -> dict[int, str]:
        """Commands of the processes of its session by their ids: the daemon, its code server, the workers of runs."""
        if self.process is None:
            return {}
        listed = subprocess.run(["ps", "-wweo", "sid=,pid=,args="], capture_output=True, text=True, check=True).stdout
        lines = [line.split(maxsplit=2) for line in listed.splitlines()]
        return {int(pid): args for session, pid, args in lines if session == str(self.process.pid)}

    def _signal(self, how: signal.Signals) -> None:
        for pid in self.processes():
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue

    def dagster(self, *words: str) -> str:
        """A command of Dagster's own over the project, such as `sensor start automation`."""
        done = subprocess.run(
            [sys.executable, "-m", "dagster", *words, "-m", MODULE],
            env=self.variables,
            cwd=self.chain.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def turn_on(self, *sensors: str) -> None:
        """Turn on sensors, as a switch of the UI does."""
        for name in sensors:
            self.dagster("sensor", "start", name)

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        """The instance that the daemon works with."""
        with DagsterInstance.from_config(str(self.chain.environment.dagster_home)) as instance:
            yield instance


@contextmanager
def running_daemon(chain: Chain, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A daemon over a project whose instance exists; killed with everything it started at the end."""
    daemon = Daemon(chain, environment or {})
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def wait_until(happened: Callable[[], bool], what: str, patience: float = PATIENCE, pause: float = 0.5) -> None:
    """Wait for something. Raises `AssertionError` where it has not happened in time."""
    end = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen in {patience:.0f} s"
        time.sleep(pause)


def wait_for_rest(instance: DagsterInstance, quiet: float, patience: float = PATIENCE) -> None:
    """Wait until no run and no backfill is on its way and none was begun for `quiet` seconds."""
    since, known = time.monotonic(), -1

    def rests() -> bool:
        nonlocal since, known
        runs, backfills = instance.get_runs(), instance.get_backfills()
        at_work = [run for run in runs if run.status not in AT_REST] + [
            one for one in backfills if one.status not in BULK_ACTION_TERMINAL_STATUSES
        ]
        if len(runs) + len(backfills) != known or at_work:
            since, known = time.monotonic(), len(runs) + len(backfills)
        return time.monotonic() - since > quiet

    wait_until(rests, f"a rest of {quiet:.0f} s", patience)


def made_partitions(instance: DagsterInstance, after: float = 0.0) -> Counter[tuple[str, str]]:
    """How often runs recorded each partition since a time: by `room/asset` and partition key (empty for none)."""
    found: Counter[tuple[str, str]] = Counter()
    for key in instance.all_asset_keys():
        records = instance.fetch_materializations(dg.AssetRecordsFilter(key, after_timestamp=after or None), limit=5000)
        for record in records.records:
            if record.run_id:
                found["/".join(key.path), str(record.partition_key or "")] += 1
    return found
