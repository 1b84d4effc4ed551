"""When a run of a deployment is taken for dead: not before somebody could start it again."""

import time

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from dagster_project.launching import WatchingRunLauncher

SETTLED_SECONDS = 20.0
"""How long a code server answers before the daemon, too, has surely loaded what it serves."""


class DeployedRunLauncher(WatchingRunLauncher):
    """As `WatchingRunLauncher`, for a code server that may be gone for a while, as in a redeploy.

    The daemon starts a failed run again at once or never (dagster 1.13.27): where it cannot reach the code server in
    that moment, it gives up. So a run whose process ended with its code server goes on by the records, until that
    server, or the one in its place, has answered for some time.
    """

    _answering_since: tuple[str, float] = ("", 0.0)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run lives, or cannot be replaced yet."""
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.FAILED or self._has_settled(run):
            return found
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _has_settled(self, run: dg.DagsterRun) -> bool:
        """Whether the code server that the run was sent to, or its successor, has answered for long enough."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return True
        try:
            identity = str(client.get_server_id(timeout=10))
        except DagsterUserCodeUnreachableError:
            return False
        known, since = self._answering_since
        if identity != known:
            since = time.monotonic()
            self._answering_since = identity, since
        return time.monotonic() - since >= SETTLED_SECONDS
