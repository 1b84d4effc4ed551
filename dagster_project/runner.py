"""Running a scope step by step against the Dagster instance: order, what is kept, failures and what they hold up."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from dagster_project.instance import restore
from dagster_project.pools import pool_turn
from dagster_project.run_locks import running
from minemap_assets.errors import MinemapError, StorageError
from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.manifests import DamagedError, PartitionRef
from minemap_assets.lake.store import Patience
from minemap_assets.project.listener import Listener

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class State(Enum):
    """How a partition came out."""

    MADE = "made"
    KEPT = "kept"
    FAILED = "failed"
    BLOCKED = "held up"


@dataclass(frozen=True)
class Gaps:
    """Items that a partition should hold and does not: how many, and of how many sites (0 where it holds none).

    So many are `retried` by the next run; `first` is one of them with its reason.
    """

    missing: int
    of: int
    retried: int
    first: str

    def __str__(self) -> str:
        return f"{self.missing} of {self.of} sites missing" if self.of else f"{self.missing} missing"


@dataclass(frozen=True)
class Result:
    """One partition's state, one sentence where it failed or was held up, seconds that it took, and what it lacks."""

    ref: PartitionRef
    state: State
    reason: str = ""
    seconds: float = 0.0
    gaps: Gaps | None = None


@dataclass
class Report:
    """What a run came to; `stopped` says why it ended before its end though nothing failed."""

    results: list[Result] = field(default_factory=list)
    stopped: str = ""

    def count(self, state: State) -> int:
        """Partitions in a state."""
        return sum(r.state is state for r in self.results)

    @property
    def failures(self) -> list[Result]:
        """What failed, without what was only held up."""
        return [r for r in self.results if r.state is State.FAILED]

    @property
    def with_gaps(self) -> list[Result]:
        """What is there, made now or before, but lacks something."""
        return [r for r in self.results if r.gaps is not None]


Progress = Callable[[PartitionRef, int, int, str, str], None]
"""Called with a partition, its items that are done, all of them, the stage and a detail (`listener.Progress`)."""

Notice = Callable[[str], None]
"""Called with a sentence that a person should read, though the run goes on."""


Holds = Callable[[PartitionRef], str]
"""Why a partition is not to be made though nothing failed; empty where it is."""


def no_hold(_: PartitionRef) -> str:
    """Everything is to be made."""
    return ""


class Recorder(Listener):
    """Remembers how the partitions of a step came out, with the errors themselves, and passes on what happens."""

    def __init__(self, progress: Progress = lambda *_: None, notice: Notice = lambda _: None) -> None:
        self._progress = progress
        self._notice = notice
        self._begun = time.monotonic()
        self.made: dict[PartitionRef, bool] = {}
        self.seconds: dict[PartitionRef, float] = {}
        self.errors: dict[PartitionRef, BaseException] = {}

    def tells(self, progress: Progress, notice: Notice) -> None:
        """Pass on to others from now on."""
        self._progress, self._notice = progress, notice

    def clear(self) -> None:
        """Forget everything, before the next step."""
        self.made.clear()
        self.seconds.clear()
        self.errors.clear()
        self._begun = time.monotonic()

    def progress(self, ref: PartitionRef, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """Pass it on."""
        self._progress(ref, done, total, stage, detail)

    def noticed(self, sentence: str) -> None:
        """Pass it on."""
        self._notice(sentence)

    def finished(self, ref: PartitionRef, made: bool) -> None:
        """Remember it."""
        self.made[ref] = made
        self._ended(ref)

    def failed(self, ref: PartitionRef, error: BaseException) -> None:
        """Remember it."""
        self.errors[ref] = error
        self._ended(ref)

    def _ended(self, ref: PartitionRef) -> None:
        """Partitions of a step are made one after the other."""
        now = time.monotonic()
        self.seconds[ref], self._begun = now - self._begun, now


@contextmanager
def _uncaptured(instance: DagsterInstance) -> Iterator[None]:
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


class Runner:
    """Drives the definitions in this process. They have to be built for the recorder's project."""

    def __init__(
        self,
        definitions: dg.Definitions,
        graph: Graph,
        states: PartitionStates,
        instance: DagsterInstance,
        recorder: Recorder,
    ) -> None:
        self._definitions = definitions
        self._graph = graph
        self._states = states
        self._instance = instance
        self._recorder = recorder
        self._stopped: dict[PartitionRef, str] = {}
        self._holds: Holds = no_hold
        self._tags: dict[str, str] = {}

    def run(
        self,
        steps: Sequence[Step],
        *,
        told: Callable[[Step, Sequence[Result]], None] | None = None,
        begins: Callable[[Step], None] = lambda _: None,
        holds: Holds = no_hold,
    ) -> Report:
        """Make what is not current. A failed partition holds up only what needs it.

        `begins` is told each step before it is looked at, `told` how it came out. `holds` is asked for each partition
        that is not current.

        Raises `KeyboardInterrupt` where it was interrupted, and `StorageError` where nothing more can be stored.
        """
        report = Report()
        self._holds = holds
        home = Path(self._instance.root_directory)
        self._states.project.lake.tidy()
        with storage_errors(home, "MINEMAP_STATE"), _uncaptured(self._instance), running(self._instance) as self._tags:
            for step in steps:
                begins(step)
                results = self._step(step)
                report.results.extend(results)
                if told is not None:
                    told(step, results)
        return report

    def _step(self, step: Step) -> list[Result]:
        kept = self._recorded(step)
        results = [self._whole(a.ref(step.keys), State.KEPT) for a in kept]
        wanted = [a for a in step.assets if a not in kept]
        results += self._held_back(wanted, step)
        wanted = [a for a in wanted if a.ref(step.keys) not in self._stopped]
        held = next((reason for a in wanted if (reason := self._held_up(a, step))), "")
        if held:
            for asset in wanted:
                self._stopped[asset.ref(step.keys)] = held
            return results + [Result(a.ref(step.keys), State.BLOCKED, held) for a in wanted]
        return results + (self._execute(wanted, step) if wanted else [])

    def _held_back(self, wanted: Sequence[Asset], step: Step) -> list[Result]:
        """What is not to be made though nothing failed."""
        refs = [asset.ref(step.keys) for asset in wanted]
        reasons = {ref: reason for ref in refs if (reason := self._holds(ref))}
        self._stopped.update(reasons)
        return [Result(ref, State.BLOCKED, reason) for ref, reason in reasons.items()]

    def _recorded(self, step: Step) -> list[Asset]:
        """Assets that are kept, once the instance knows of them; telling their facts may show that one is damaged."""
        while True:
            kept = self._kept(step)
            try:
                restore(self._instance, self._graph, self._states, [a.ref(step.keys) for a in kept])
            except DamagedError as damage:
                self._states.set_aside(damage)
            else:
                return kept

    def _kept(self, step: Step) -> list[Asset]:
        """Assets whose partition is current and stays so: none of their inputs is made anew in the same step."""
        kept: list[Asset] = []
        redone: set[PartitionRef] = set()
        for asset in step.assets:
            if (
                not redone & set(self._graph.reads(asset, step.keys))
                and self._states.state(asset, step.keys) is PartitionState.CURRENT
            ):
                kept.append(asset)
            else:
                redone.add(asset.ref(step.keys))
        return kept

    def _held_up(self, asset: Asset, step: Step) -> str:
        for ref in self._graph.needs(asset, step.keys):
            if ref in self._stopped:
                return f"waits for {ref}"
        return ""

    def _execute(self, wanted: Sequence[Asset], step: Step) -> list[Result]:
        keys = [asset_key(asset) for asset in wanted]
        job = self._definitions.resolve_implicit_job_def_def_for_assets(keys)
        if job is None:
            raise RuntimeError(f"no job holds {keys}")
        try:
            pools = {a.pool for a in wanted if a.pool is not None}
            with pool_turn(self._instance, pools, self._patience(step), step.title):
                self._recorder.clear()
                outcome = job.execute_in_process(
                    run_config=QUIET,
                    instance=self._instance,
                    asset_selection=keys,
                    partition_key=partition_key(step.keys),
                    raise_on_error=False,
                    tags={"minemap/step": step.title, **self._tags},
                )
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        self._states.forget(step.refs)
        self._raise_if_over()
        if not outcome.success and not self._recorder.errors:
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
            return self._whole(ref, State.MADE if self._recorder.made[ref] else State.KEPT, seconds)
        error = self._recorder.errors.get(ref)
        if error is not None:
            self._stopped[ref] = str(error) if isinstance(error, MinemapError) else f"{type(error).__name__}: {error}"
            return Result(ref, State.FAILED, self._stopped[ref], seconds)
        self._stopped[ref] = "waits for an earlier step of the same run"
        return Result(ref, State.BLOCKED, self._stopped[ref])

    def _whole(self, ref: PartitionRef, state: State, seconds: float = 0.0) -> Result:
        """The result of a partition that is there, with what it lacks."""
        manifest = self._states.manifest(ref)
        if manifest is None or not manifest.missing:
            return Result(ref, state, seconds=seconds)
        retried, of = sum(m.retry for m in manifest.missing), manifest.summary.get("sites", 0)
        first = manifest.missing[0]
        gaps = Gaps(len(manifest.missing), int(of), retried, f"{first.item}: {first.reason}")
        return Result(ref, state, seconds=seconds, gaps=gaps)
