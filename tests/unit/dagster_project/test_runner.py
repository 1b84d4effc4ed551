"""What the runner says of a run in which something fails that no asset's build function is to blame for."""

from pathlib import Path

from dagster_project.definitions import build_definitions
from dagster_project.instance import open_instance
from dagster_project.registry import ROOMS, Registry
from dagster_project.runner import Recorder, Runner, State
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.lake.manifests import Outcome
from tiny import Chain


def unreadable(context: BuildContext) -> Outcome:
    """A table that is none: it can be stored, but nobody can tell its columns."""
    context.writer.path("table.parquet").write_text("no table")
    context.writer.add("table.parquet")
    return Outcome()


FIRST = Asset(room="toys", name="first", description="A toy.", build=unreadable)
SECOND = Asset(room="toys", name="second", description="A toy.", build=lambda _: Outcome(), deps=(Dep(FIRST),))


def test_a_partition_whose_facts_cannot_be_told_has_failed_and_holds_up_what_follows(tmp_path: Path) -> None:
    chain = Chain(tmp_path, Registry(rooms=(*ROOMS, Room("toys", (FIRST, SECOND))))).prepared()
    first, second = chain.run("toys/*").results
    assert (first.ref.asset, first.state) == ("first", State.FAILED)
    assert "ArrowInvalid" in first.reason
    assert (second.ref.asset, second.state) == ("second", State.BLOCKED)


def made(_: BuildContext) -> Outcome:
    return Outcome()


THIRD = Asset(room="toys", name="third", description="A toy.", build=made)
FOURTH = Asset(room="toys", name="fourth", description="A toy.", build=made, deps=(Dep(THIRD, lineage=True),))
FIFTH = Asset(room="toys", name="fifth", description="A toy.", build=made, deps=(Dep(FOURTH),))
SIXTH = Asset(room="toys", name="sixth", description="A toy.", build=made)


def test_what_is_held_back_is_not_made_and_holds_up_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    chain = Chain(tmp_path, Registry(rooms=(*ROOMS, Room("toys", (THIRD, FOURTH, FIFTH, SIXTH))))).prepared()
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    scope = Scope(frozenset({THIRD, FOURTH, FIFTH, SIXTH}), (), ())
    definitions = build_definitions(chain.environment, chain.project_home.pinned(project), chain.registry)
    with open_instance(chain.environment.dagster_home) as instance:
        runner = Runner(definitions, graph, PartitionStates(graph, project), instance, Recorder())
        report = runner.run(graph.steps(scope), holds=lambda ref: "not yet" if ref.asset == "fourth" else "")
    found = {result.ref.asset: (result.state, result.reason) for result in report.results}
    assert found["fourth"] == (State.BLOCKED, "not yet")
    assert found["fifth"][0] is State.BLOCKED
    assert not report.failures
    manifests = {manifest.asset for manifest in chain.manifests()}
    assert "third" in manifests
    assert "sixth" in manifests
    assert not manifests & {"fourth", "fifth"}
