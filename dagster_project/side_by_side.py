"""The steps of one run made side by side: each by a worker, as soon as all that it is made from is settled."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dagster import DagsterInstance

from dagster_project.decisions import Decisions
from dagster_project.outcomes import Result, State, Watch
from dagster_project.run_locks import close_orphans
from dagster_project.scheduling import Schedule, pools_of, tasks_of
from dagster_project.worker_messages import Finished
from dagster_project.workers import Crew, Lost
from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.routing import ACCELERATOR
from minemap_assets.graph.statement import Asset

TRIES = 2
"""A step whose worker is killed is begun so often."""


@dataclass(eq=False)
class SideBySide:
    """A run's steps on their way. `settled` is told of each step that is over."""

    graph: Graph
    states: PartitionStates
    instance: DagsterInstance
    decisions: Decisions
    crew: Crew
    watch: Watch
    steps: Sequence[Step]
    _wanted: dict[int, list[Asset]] = field(default_factory=dict)
    _kept: dict[int, list[Result]] = field(default_factory=dict)
    _tries: dict[int, int] = field(default_factory=dict)

    def go(self, waits: Mapping[Step, Collection[Step]], seconds: Mapping[Asset, float]) -> None:
        """Make everything; whatever ends this ends the crew, and what a killed worker held is given back."""
        tasks = tasks_of(self.graph, self.states.project, self.steps, seconds, waits)
        schedule = Schedule(tasks, self._limits())
        try:
            while not schedule.done:
                self._open(schedule)
                while self.crew.has_room and (number := schedule.begin()) is not None:
                    self._begin(number)
                if self.crew.busy:
                    for end in self.crew.wait():
                        self._ended(end, schedule)
                elif not schedule.done:
                    raise RuntimeError("steps are left, and none of them can begin")
        finally:
            self.crew.stop()
            close_orphans(self.instance)

    def _limits(self) -> dict[str, int]:
        """How many steps of each pool may be made at once. Where a person has set it to none, the worker waits."""
        storage, found = self.instance.event_log_storage, {ACCELERATOR: 1}
        for pool in sorted({pool for step in self.steps for pool in pools_of(step.assets)} - {ACCELERATOR}):
            storage.initialize_concurrency_limit_to_default(pool)
            limit = storage.get_concurrency_info(pool).limit
            if limit is not None:
                found[pool] = max(1, limit)
        return found

    def _open(self, schedule: Schedule) -> None:
        while opened := schedule.opened():
            for number in opened:
                step = self.steps[number]
                self.watch.begins(step)
                self._kept[number], self._wanted[number] = self.decisions.on(step)
                if self._wanted[number]:
                    schedule.queue(number, pools_of(self._wanted[number]))
                else:
                    self._over(number, [], schedule)

    def _begin(self, number: int) -> None:
        step, wanted = self.steps[number], self._wanted[number]
        self._tries[number] = self._tries.get(number, 0) + 1
        self.watch.works(step)
        self.crew.give(number, tuple(asset.ref(step.keys) for asset in wanted), pools_of(wanted))

    def _ended(self, end: Finished | Lost, schedule: Schedule) -> None:
        step = self.steps[end.number]
        self.states.forget(step.refs)
        if isinstance(end, Finished):
            for result in end.results:
                if result.state is State.MADE:
                    self.states.project.was_made(result.ref)
                    self.crew.made(result.ref)
            self._over(end.number, end.results, schedule)
            return
        close_orphans(self.instance)
        if self._tries[end.number] < TRIES:
            self.states.project.listener.noticed(
                f"the process that made {step.title} was ended from outside ({end.how}); another one begins it again"
            )
            # what it had published before is kept
            self._kept[end.number], self._wanted[end.number] = self.decisions.on(step)
            if self._wanted[end.number]:
                schedule.again(end.number)
                return
        self._over(end.number, self._given_up(end, step), schedule)

    def _given_up(self, end: Lost, step: Step) -> list[Result]:
        reason = (
            f"its process was ended from outside {TRIES} times ({end.how}), for want of memory perhaps; try again with "
            "fewer at once, as with --jobs 1"
        )
        return [Result(asset.ref(step.keys), State.FAILED, reason) for asset in self._wanted[end.number]]

    def _over(self, number: int, made: Sequence[Result], schedule: Schedule) -> None:
        schedule.over(number)
        self.watch.told(self.steps[number], [*self._kept[number], *self.decisions.noted(made)])
