"""How a step ends that does not succeed: with one sentence that Dagster shows, or stopped for good."""

from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined]


class StepFailedError(DagsterUserCodeProcessError, dg.Failure):
    """A failure that was foreseen, so that the lines of the program where it was raised would only hide the sentence.

    Dagster writes those lines into the run's log for every exception but one that brings its own account.
    """

    def __init__(self, sentence: str, *, allow_retries: bool = True, metadata: dict[str, Any] | None = None) -> None:
        account = SerializableErrorInfo(f"{sentence}\n", stack=[], cls_name=None)
        told = {"user_code_process_error_infos": [account], "allow_retries": allow_retries, "metadata": metadata}
        super().__init__(sentence, **told)  # type: ignore[no-untyped-call]


class StepStoppedError(dg.DagsterError, dg.DagsterExecutionInterruptedError):
    """The run was cancelled, or its process is to end.

    Dagster takes an interruption of a step that has a retry policy for a failure which may pass, and begins the step
    anew, so that a run could not be cancelled (dagster 1.13.27); an error of its own that is an interruption as well
    ends the run.
    """
