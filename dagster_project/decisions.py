"""What is to be made of a step: what is kept, what is held back, and what waits for something that failed."""

from collections.abc import Sequence

from dagster import DagsterInstance

from dagster_project.outcomes import Holds, Result, State
from dagster_project.restoring import restore
from dagster_project.step_maker import whole
from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import DamagedError, PartitionRef


class Decisions:
    """Those of one run, which remembers what it stopped at."""

    def __init__(self, graph: Graph, states: PartitionStates, instance: DagsterInstance, holds: Holds) -> None:
        """`holds` is asked for each partition that is not current."""
        self._graph = graph
        self._states = states
        self._instance = instance
        self._holds = holds
        self._stopped: dict[PartitionRef, str] = {}

    def on(self, step: Step) -> tuple[list[Result], list[Asset]]:
        """What of a step is settled without making it, and the assets that are to be made."""
        kept = self._recorded(step)
        results = [whole(self._states, a.ref(step.keys), State.KEPT) for a in kept]
        wanted = [a for a in step.assets if a not in kept]
        results += self._held_back(wanted, step)
        wanted = [a for a in wanted if a.ref(step.keys) not in self._stopped]
        held = next((reason for a in wanted if (reason := self._held_up(a, step))), "")
        if not held:
            return results, wanted
        waiting = [Result(a.ref(step.keys), State.BLOCKED, held) for a in wanted]
        return results + self.noted(waiting), []

    def noted(self, results: Sequence[Result]) -> list[Result]:
        """Remember what was not made, for all that needs it."""
        self._stopped.update({r.ref: r.reason for r in results if r.state in (State.FAILED, State.BLOCKED)})
        return list(results)

    def _held_back(self, wanted: Sequence[Asset], step: Step) -> list[Result]:
        """What is not to be made though nothing failed."""
        refs = [asset.ref(step.keys) for asset in wanted]
        return self.noted([Result(ref, State.BLOCKED, reason) for ref in refs if (reason := self._holds(ref))])

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
