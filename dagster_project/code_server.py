"""The code server of a deployment: `python -m dagster_project.code_server --port PORT --module-name MODULE`.

Runs are processes below Dagster's own code server, and end with its container. This one stands above it and lets a
restart cost no run. Told to end, it closes the port at once, so that new runs stay in the queue, and lets those at work
come to their end as long as `--grace` says. What is left then, and what a crash ends, is found dead by the daemon as
soon as the next code server has answered for a while (`deployed_runs.py`), and started again; what such a run had
published is kept by the next.
"""

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from ctypes import CDLL
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

POLL_SECONDS = 1.0
"""How often it looks what still works."""

_SUBREAPER = 36
"""Linux's PR_SET_CHILD_SUBREAPER: whoever loses its parent below this process becomes its child."""


class _ToldError(Exception):
    """A signal said that it is time to end."""


@dataclass(frozen=True)
class Address:
    """What the daemon calls this server; it notes that in each run which it sends here."""

    host: str
    port: int

    def unfinished(self, instance: "DagsterInstance") -> "list[DagsterRun]":
        """Runs that were sent here and have not ended, by Dagster's records."""
        import json

        from dagster import DagsterRunStatus, RunsFilter
        from dagster._core.storage.tags import GRPC_INFO_TAG

        begun = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
        found = []
        for run in instance.get_runs(RunsFilter(statuses=begun)):
            told = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
            if (told.get("host"), told.get("port")) == (self.host, self.port):
                found.append(run)
        return found


def serve(instance: "DagsterInstance", address: Address, words: Sequence[str], grace: float) -> int:
    """Run Dagster's code server with these words until it ends or a signal says so; returns the exit status."""
    CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, _tell)
    try:
        command = [sys.executable, "-m", "dagster", "code-server", "start", "--port", str(address.port), *words]
        server = subprocess.Popen(command, start_new_session=True)
    except _ToldError:
        return 0
    try:
        status = server.wait()
    except _ToldError:
        status = 0
        # not asked to end: it would go on to be asked for runs, and fail them
        server.kill()
        server.wait()
        _drain(instance, address, grace)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    return status


def _drain(instance: "DagsterInstance", address: Address, grace: float) -> None:
    """Wait for the runs at work to end; a second signal ends the wait."""
    end, said = time.monotonic() + grace, 0
    with suppress(_ToldError):
        while (runs := address.unfinished(instance)) and time.monotonic() < end:
            if len(runs) != said:
                said = len(runs)
                sys.stderr.write(f"waiting for runs to end, {said} of them, {end - time.monotonic():.0f} s at most\n")
            time.sleep(POLL_SECONDS)


def _tell(_: int, __: FrameType | None) -> None:
    raise _ToldError


def main() -> None:
    """Serve until a signal ends it."""
    parser = ArgumentParser(prog="dagster_project.code_server", description="A code server whose runs outlive its end.")
    parser.add_argument("--known-as", required=True, metavar="HOST", help="host name in the workspace file")
    parser.add_argument("--port", type=int, required=True, help="port to serve on, as in the workspace file")
    parser.add_argument("--grace", type=float, default=60.0, help="seconds that runs have to end; default: %(default)s")
    given, words = parser.parse_known_args()
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        sys.exit(serve(instance, Address(given.known_as, given.port), words, given.grace))


if __name__ == "__main__":
    main()
