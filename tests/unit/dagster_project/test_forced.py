"""A partition that is asked for again: made without anything of earlier runs, and nothing follows from equal bytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from dagster_project.registry import ROOMS, Registry
from dagster_project.runner import State
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.trash import Trash
from tiny import Chain

SAME = b"the same bytes each time"


class Toys:
    """Two toys: one is fetched file by file, the other is made from it."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.served = SAME
        self.fetched = Asset(room="toys", name="fetched", description="A toy.", build=self._fetch, fetched=True)
        self.made = Asset(room="toys", name="made", description="A toy.", build=self._make, deps=(Dep(self.fetched),))

    def _fetch(self, context: BuildContext) -> Outcome:
        if context.writer.reuse("one.tif", "0" * 64) is None:
            self.read.append(self.served)
            context.writer.path("one.tif").write_bytes(self.served)
            context.writer.add("one.tif", content_key="0" * 64)
        return Outcome()

    def _make(self, context: BuildContext) -> Outcome:
        context.writer.write("made.txt", lambda path: path.write_text("made"))
        return Outcome()

    def chain(self, folder: Path) -> Chain:
        return Chain(folder, Registry(rooms=(*ROOMS, Room("toys", (self.fetched, self.made))))).prepared()


@pytest.fixture
def toys() -> Toys:
    return Toys()


def states(chain: Chain, select: str, **forced: Asset) -> dict[str, State]:
    again = frozenset(asset.ref() for asset in forced.values())
    return {result.ref.asset: result.state for result in chain.run(select, forced=again).results}


def test_equal_bytes_change_nothing_that_follows(toys: Toys, tmp_path: Path) -> None:
    chain = toys.chain(tmp_path)
    assert states(chain, "toys/*") == {"fetched": State.MADE, "made": State.MADE}
    before = chain.contents()
    assert states(chain, "toys/*") == {"fetched": State.KEPT, "made": State.KEPT}
    assert states(chain, "toys/*", fetched=toys.fetched) == {"fetched": State.MADE, "made": State.KEPT}
    assert toys.read == [SAME, SAME], "it was adopted and not fetched"
    assert chain.contents() == before


def test_what_is_replaced_goes_to_the_trash_and_what_follows_is_made_anew(toys: Toys, tmp_path: Path) -> None:
    chain = toys.chain(tmp_path)
    chain.run("toys/*")
    toys.served = b"other bytes"
    assert states(chain, "toys/*", fetched=toys.fetched) == {"fetched": State.MADE, "made": State.MADE}
    partition = chain.open("toys", "fetched")
    assert partition.file("one.tif").read_bytes() == b"other bytes"
    store = chain.project.lake.store
    thrown = [Path(store.root, Trash(store).path(path)) for path in Trash(store).below("toys/fetched")]
    assert [path.read_bytes() for path in thrown] == [SAME]


def test_it_is_asked_for_once(toys: Toys, tmp_path: Path) -> None:
    chain = toys.chain(tmp_path)
    chain.run("toys/*")
    project = replace(chain.project, forced=frozenset({toys.fetched.ref()}))
    seen = PartitionStates(Graph(chain.registry.rooms, project), project)
    assert seen.state(toys.fetched, ()) is PartitionState.OUTDATED
    assert seen.state(toys.made, ()) is PartitionState.CURRENT
    assert seen.make(toys.fetched, ()).now
    assert seen.state(toys.fetched, ()) is PartitionState.CURRENT
    assert not seen.make(toys.fetched, ()).now
