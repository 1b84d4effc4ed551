"""What the runner says of a run in which something fails that no asset's build function is to blame for."""

from pathlib import Path

from dagster_project.registry import ROOMS, Registry
from dagster_project.runner import State
from minemap_assets.graph.context import BuildContext
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
