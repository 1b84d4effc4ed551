"""Running a scope step by step against the Dagster instance, keeping what is current.

What belongs here: order, skipping, failures and what they hold up. What does not: showing progress (`cli/`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.graph import Scope, Step, steps
from dagster_project.instance import restore
from dagster_project.orphans import presence
from minemap_assets.errors import StorageError
from minemap_assets.graph.materialization import MADE_NOW
from minemap_assets.graph.recipes import Recipe
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.segmentation.recipes import PROMOTED_MODEL

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


INTERRUPTS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


class State(Enum):
    """How a partition came out."""

    MADE = "made"
    KEPT = "kept"
    FAILED = "failed"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Result:
    """One partition's state, and one sentence where it failed or was held up."""

    ref: PartitionRef
    state: State
    reason: str = ""


@dataclass
class Report:
    """What a run came to."""

    results: list[Result] = field(default_factory=list)

    def count(self, state: State) -> int:
        """Partitions in a state."""
        return sum(r.state is state for r in self.results)

    @property
    def failures(self) -> list[Result]:
        """What failed, without what was only held up."""
        return [r for r in self.results if r.state is State.FAILED]


class Runner:
    """Drives the definitions in this process."""

    def __init__(self, definitions: dg.Definitions, project: Project, instance: DagsterInstance) -> None:
        self._definitions = definitions
        self._project = project
        self._instance = instance
        self._stopped: dict[PartitionRef, str] = {}
        self._tags: dict[str, str] = {}

    def run(
        self, scope: Scope, *, promote: bool = False, told: Callable[[Step, Sequence[Result]], None] | None = None
    ) -> Report:
        """Make what is not current. A failed partition holds up only what needs it.

        A model that is in use stays in use, unless `promote` says otherwise. Raises `KeyboardInterrupt` where it was
        interrupted, and `StorageError` where nothing more can be stored.
        """
        report = Report()
        home = Path(self._instance.root_directory)
        with storage_errors(home, "MINEMAP_STATE"), presence(self._instance) as self._tags:
            for step in steps(self._project, scope):
                results = self._step(step, promote)
                report.results.extend(results)
                if told is not None:
                    told(step, results)
        return report

    def _step(self, step: Step, promote: bool) -> list[Result]:
        kept = self._kept(step, promote)
        restore(self._instance, self._project, [r.ref(step.keys) for r in kept])
        results = [Result(r.ref(step.keys), State.KEPT) for r in kept]
        wanted = [r for r in step.recipes if r not in kept]
        held = next((reason for r in wanted if (reason := self._held_up(r, step))), "")
        if held:
            for recipe in wanted:
                self._stopped[recipe.ref(step.keys)] = held
            return results + [Result(r.ref(step.keys), State.BLOCKED, held) for r in wanted]
        return results + (self._execute(wanted, step) if wanted else [])

    def _kept(self, step: Step, promote: bool) -> list[Recipe]:
        """Recipes whose partition is current and stays so: none of their inputs is made anew in the same run."""
        kept: list[Recipe] = []
        redone: set[PartitionRef] = set()
        for recipe in step.recipes:
            inputs = {*recipe.needs(self._project, step.keys), *recipe.reads(self._project, step.keys)}
            if not inputs & redone and self._keep(recipe, step, promote):
                kept.append(recipe)
            else:
                redone.add(recipe.ref(step.keys))
        return kept

    def _keep(self, recipe: Recipe, step: Step, promote: bool) -> bool:
        if recipe is PROMOTED_MODEL and not promote and self._project.lake.manifest(recipe.ref(step.keys)) is not None:
            return True
        return recipe.is_current(self._project, step.keys)

    def _held_up(self, recipe: Recipe, step: Step) -> str:
        for ref in recipe.needs(self._project, step.keys):
            if ref in self._stopped:
                return f"waits for {ref}"
        return ""

    def _execute(self, wanted: Sequence[Recipe], step: Step) -> list[Result]:
        keys = [dg.AssetKey([r.room, r.asset]) for r in wanted]
        job = self._definitions.resolve_implicit_job_def_def_for_assets(keys)
        if job is None:
            raise RuntimeError(f"no job holds {keys}")
        try:
            outcome = job.execute_in_process(
                run_config=QUIET,
                instance=self._instance,
                asset_selection=keys,
                partition_key=dagster_key(step),
                raise_on_error=False,
                tags={"minemap/stage": step.stage.title, **self._tags},
            )
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        _raise_if_over(outcome.all_events)
        reasons = dict(_failures(outcome.all_events))
        made = set(_made_now(outcome.all_events))
        results = []
        for recipe in wanted:
            ref = recipe.ref(step.keys)
            name = f"{recipe.room}__{recipe.asset}"
            if name in reasons:
                self._stopped[ref] = reasons[name]
                results.append(Result(ref, State.FAILED, reasons[name]))
            elif reasons:
                self._stopped[ref] = "an earlier step of the same run failed"
                results.append(self._after_failure(recipe, step, ref))
            else:
                results.append(Result(ref, State.MADE if name in made else State.KEPT))
        return results

    def _after_failure(self, recipe: Recipe, step: Step, ref: PartitionRef) -> Result:
        """A step of a run in which another one failed: made before it, or held up by it."""
        if recipe.is_current(self._project, step.keys):
            self._stopped.pop(ref)
            return Result(ref, State.MADE)
        return Result(ref, State.BLOCKED, "waits for an earlier step of the same run")


def dagster_key(step: Step) -> str | None:
    """The Dagster partition key of a step."""
    from minemap_assets.graph.partitions import partition_key

    return partition_key(step.keys)


def _made_now(events: Iterable[dg.DagsterEvent]) -> Iterable[str]:
    """Names of the steps that made their partition, and did not find it current after all."""
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and event.step_key is not None:
            value = event.step_materialization_data.materialization.metadata.get(MADE_NOW)
            if value is not None and value.value:
                yield event.step_key


def _raise_if_over(events: Iterable[dg.DagsterEvent]) -> None:
    """Dagster records Ctrl-C and a full disk as a step's failure; here they end the whole command."""
    for event in events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            while error is not None:
                if error.cls_name in INTERRUPTS:
                    raise KeyboardInterrupt
                if error.cls_name == StorageError.__name__:
                    raise StorageError(_sentence(error.message))
                error = error.cause


def _sentence(message: str) -> str:
    """An error's text without the name of its class."""
    return message.split(": ", 1)[-1].strip()


def _failures(events: Iterable[dg.DagsterEvent]) -> Iterable[tuple[str, str]]:
    """Name of each failed step and one sentence why."""
    for event in events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE and event.step_key is not None:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                yield event.step_key, data.user_failure_data.description
            elif data.error is not None:
                cause = data.error.cause or data.error
                yield event.step_key, cause.message.strip()
