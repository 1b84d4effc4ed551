"""Dagster's own run launcher with what its monitoring asks for: whether the process of a run still lives.

Without it a run whose process was killed together with its code server would count as going on for ever.
"""

from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from dagster_project.run_locks import is_alive


class WatchingRunLauncher(DefaultRunLauncher):
    """Runs are processes of the code server; each holds a lock file, by which it is seen from outside that it lives.

    Of a run without such a file the code server is asked. One that does not answer may be ending in order, while its
    runs go on; so that alone says nothing.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run that is on its way lives."""
        alive = is_alive(self._instance, run)
        if alive is None:
            alive = self._is_known(run)
        if alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the process of this run is gone")

    def _is_known(self, run: dg.DagsterRun) -> bool:
        """False where nobody can be running it any more."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return True
        if client.socket is not None and not Path(client.socket).exists():
            return False
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            return True
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel
