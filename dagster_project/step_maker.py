"""Making the partitions of one step in this process, as one run of Dagster's that the UI shows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dagster as dg
from dagster import DagsterInstance
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from dagster_project.in_process_jobs import InProcessJobs
from dagster_project.outcomes import Gaps, Recorder, Result, State
from dagster_project.pools import pool_turn
from minemap_assets.errors import MinemapError, StorageError
from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.graph.graph import Step
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.store import Patience

WAITS = "waits for an earlier step of the same run"


@contextmanager
def uncaptured(instance: DagsterInstance) -> Iterator[None]:
    """Within, what steps print goes where this process prints, and not into files of Dagster's.

    It would start four processes for every step to copy that back here, which Ctrl-C in a terminal hits as well. Which
    manager does so is a matter of the instance's configuration; that is shared with the UI, whose runs are captured.
    """
    before = instance._compute_log_manager
    instance._compute_log_manager = NoOpComputeLogManager()
    try:
        yield
    finally:
        instance._compute_log_manager = before


def whole(states: PartitionStates, ref: PartitionRef, state: State, seconds: float = 0.0) -> Result:
    """The result of a partition that is there, with what it lacks."""
    manifest = states.manifest(ref)
    if manifest is None or not manifest.missing:
        return Result(ref, state, seconds=seconds)
    retried, of = sum(m.retry for m in manifest.missing), manifest.summary.get("sites", 0)
    first = manifest.missing[0]
    gaps = Gaps(len(manifest.missing), int(of), retried, f"{first.item}: {first.reason}")
    return Result(ref, state, seconds=seconds, gaps=gaps)


class StepMaker:
    """Makes steps one after the other. The definitions have to be built for the recorder's project."""

    def __init__(
        self, definitions: dg.Definitions, states: PartitionStates, instance: DagsterInstance, recorder: Recorder
    ) -> None:
        self._jobs = InProcessJobs(definitions)
        self._states = states
        self._instance = instance
        self._recorder = recorder

    def make(self, wanted: Sequence[Asset], step: Step, tags: Mapping[str, str]) -> list[Result]:
        """Make some assets of a step in one run with these tags, once their pools have room for it.

        Raises `KeyboardInterrupt` where it was interrupted, `StorageError` where nothing more can be stored, and
        `BusyError` where a pool was waited for long enough.
        """
        keys = [asset_key(asset) for asset in wanted]
        try:
            pools = {a.pool for a in wanted if a.pool is not None}
            with pool_turn(self._instance, pools, self._patience(step), step.title):
                self._recorder.clear()
                own = {"minemap/step": step.title, **tags}
                succeeded = self._jobs.run(self._instance, keys, partition_key(step.keys), own)
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        self._states.forget(step.refs)
        self._raise_if_over()
        if not succeeded and not self._recorder.errors:
            # outside of the assets' own code; taken for held up, it would pass unseen
            raise RuntimeError(f"Dagster ended the run of {step.title} before any asset could say why")
        return [self._result(asset.ref(step.keys)) for asset in wanted]

    def _patience(self, step: Step) -> Patience:
        minutes = self._states.project.settings.general.wait_minutes
        return Patience(minutes * 60, lambda who: self._recorder.noticed(f"{step.title} waits for {who}"))

    def _raise_if_over(self) -> None:
        """Dagster takes Ctrl-C and a full disk for the failure of one step; here they end the whole command."""
        for error in self._recorder.errors.values():
            if isinstance(error, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
                raise KeyboardInterrupt from error
            if isinstance(error, StorageError):
                raise error

    def _result(self, ref: PartitionRef) -> Result:
        seconds = self._recorder.seconds.get(ref, 0.0)
        if ref in self._recorder.made:
            return whole(self._states, ref, State.MADE if self._recorder.made[ref] else State.KEPT, seconds)
        error = self._recorder.errors.get(ref)
        if error is None:
            return Result(ref, State.BLOCKED, WAITS)
        said = str(error) if isinstance(error, MinemapError) else f"{type(error).__name__}: {error}"
        return Result(ref, State.FAILED, said, seconds)
