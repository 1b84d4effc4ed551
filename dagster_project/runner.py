"""Running a scope step by step against the Dagster instance: in this process, or side by side in worker processes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.decisions import Decisions
from dagster_project.event_log import kept_open
from dagster_project.outcomes import (
    Gaps,
    Holds,
    Notice,
    Progress,
    Recorder,
    Report,
    Result,
    State,
    Watch,
    no_hold,
)
from dagster_project.run_locks import running
from dagster_project.side_by_side import SideBySide
from dagster_project.step_maker import StepMaker, uncaptured
from dagster_project.workers import Crew
from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.disk_errors import storage_errors

__all__ = ["Gaps", "Holds", "Notice", "Progress", "Recorder", "Report", "Result", "Runner", "State", "no_hold"]


class Runner:
    """Drives the definitions, in this process or by a `crew`. They have to be built for the recorder's project.

    Every Dagster run has these `tags`, beside the step's and the process's own.
    """

    def __init__(
        self,
        definitions: dg.Definitions,
        graph: Graph,
        states: PartitionStates,
        instance: DagsterInstance,
        recorder: Recorder,
        *,
        crew: Crew | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._maker = StepMaker(definitions, states, instance, recorder)
        self._graph = graph
        self._states = states
        self._instance = instance
        self._crew = crew
        self._tags = dict(tags or {})

    def run(
        self,
        steps: Sequence[Step],
        *,
        told: Callable[[Step, Sequence[Result]], None] = lambda *_: None,
        begins: Callable[[Step], None] = lambda _: None,
        works: Callable[[Step], None] = lambda _: None,
        holds: Holds = no_hold,
        waits: Mapping[Step, Collection[Step]] | None = None,
        seconds: Mapping[Asset, float] | None = None,
    ) -> Report:
        """Make what is not current. A failed partition holds up only what needs it.

        `begins`, `works` and `told` hear of each step (`Watch`); `holds` is asked for each partition that is not
        current. Side by side, a step also comes after those that it `waits` for, and of several that may begin, the
        `seconds` that a partition of an asset usually takes say which is first.

        Raises `KeyboardInterrupt` where it was interrupted, and `StorageError` where nothing more can be stored.
        """
        report = Report()

        def settled(step: Step, results: Sequence[Result]) -> None:
            report.results.extend(results)
            told(step, results)

        watch = Watch(begins, works, settled)
        home = Path(self._instance.root_directory)
        self._states.project.lake.tidy()
        decisions = Decisions(self._graph, self._states, self._instance, holds)
        with (
            storage_errors(home, "MINEMAP_STATE"),
            uncaptured(self._instance),
            kept_open(self._instance),
            running(self._instance) as tags,
        ):
            if self._crew is None:
                self._one_by_one(steps, decisions, watch, {**tags, **self._tags})
            else:
                crew = self._crew
                run = SideBySide(self._graph, self._states, self._instance, decisions, crew, watch, steps)
                run.go(waits or {}, seconds or {})
        return replace(report, results=in_order(steps, report.results))

    def _one_by_one(self, steps: Sequence[Step], decisions: Decisions, watch: Watch, tags: Mapping[str, str]) -> None:
        for step in steps:
            watch.begins(step)
            watch.works(step)
            kept, wanted = decisions.on(step)
            made = self._maker.make(wanted, step, tags) if wanted else []
            watch.told(step, [*kept, *decisions.noted(made)])


def in_order(steps: Sequence[Step], results: Sequence[Result]) -> list[Result]:
    """Results of steps in the order in which these stand, whichever came first."""
    place = {ref: number for number, step in enumerate(steps) for ref in step.refs}
    return sorted(results, key=lambda result: place[result.ref])
