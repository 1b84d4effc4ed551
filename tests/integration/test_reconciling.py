"""What `reconcile` asks for on a finished project: whatever is not as it should be, inputs first, no decisions."""

from pathlib import Path

import pytest

from dagster_project.reconciling import Turn, Walk, due_now
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.assets import MINING_POLYGONS, RAW_POLYGONS
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.segmentation.assets import PROMOTED_MODEL, RAW_MASKS
from minemap_assets.simulation.built_in_worlds import ALDER, BIRCH
from tiny import YEARS, Chain

pytestmark = pytest.mark.integration

EVERY = [(region, str(year)) for region in (ALDER, BIRCH) for year in YEARS]


@pytest.fixture
def chain(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


def due(chain: Chain, limit: int = 1000) -> list[PartitionRef]:
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    return due_now(graph, PartitionStates(graph, project), limit)


def test_over_a_current_lake_nothing_is_due(chain: Chain) -> None:
    assert due(chain) == []


def test_a_setting_that_changed_is_followed_inputs_first(chain: Chain) -> None:
    """Polygons are made from outlines, which come first; tables wait for both."""
    chain.change("# Settings of the demo", '[polygons]\noperating_point = "max_miou"\n\n# Settings of the demo')
    found = due(chain)
    assert found[: len(EVERY)] == [RAW_POLYGONS.ref(keys) for keys in EVERY]
    assert not {ref.room for ref in found[len(EVERY) :]} & {"polygons", "tables"}
    assert due(chain, limit=2) == found[:2]


def test_what_follows_from_something_under_way_waits_and_what_rests_holds_up_nobody(chain: Chain) -> None:
    chain.change("# Settings of the demo", "[polygons]\nborder_tolerance_km = 3.0\n\n# Settings of the demo")
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    states = PartitionStates(graph, project)
    first, *others = (MINING_POLYGONS.ref(keys) for keys in EVERY)
    found = Walk(graph, states, lambda ref: Turn.IS_MADE if ref == first else Turn.NOW).due(1000)
    assert [ref for ref in found if ref.room in ("polygons", "tables")] == others
    assert Walk(graph, states, lambda _: Turn.RESTS).due(1000) == []
    rest = Walk(graph, states, lambda ref: Turn.RESTS if ref.room == "polygons" else Turn.NOW).due(1000)
    assert "site_panel" in {ref.asset for ref in rest}
    masks = frozenset({RAW_MASKS.ref(EVERY[0])})
    assert first not in Walk(graph, states, under_way=masks).due(1000)


def test_what_waits_for_a_persons_word_is_not_made_again_and_again(chain: Chain) -> None:
    gate = '[release]\ngate = "on"\ncountry_change = 0.0001\ncountry_change_km2 = 0.0\n\n# Settings of the demo'
    chain.change("# Settings of the demo", gate)
    assert due(chain) == [RELEASE_REVIEW.ref(())]
    assert chain.run("release_review").failures
    assert due(chain) == []


def test_a_walk_goes_on_where_the_last_one_stopped(chain: Chain) -> None:
    chain.change("# Settings of the demo", '[polygons]\noperating_point = "max_miou"\n\n# Settings of the demo')
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    walk = Walk(graph, PartitionStates(graph, project))
    first = walk.due(4)
    assert walk.cut is not None
    assert len(first) == 4
    again = Walk(graph, PartitionStates(graph, project), under_way=frozenset(first)).due(1000, walk.cut)
    found = [ref for ref in (*first, *again) if ref.room in ("polygons", "tables")]
    assert found == [RAW_POLYGONS.ref(keys) for keys in EVERY], "what follows from the first four waits for them"


def test_damage_and_lost_results_are_due_but_not_images_that_nobody_asked_for(chain: Chain) -> None:
    store = chain.project.lake.store
    partition = chain.open("imagery", "imagery", ALDER, str(YEARS[0]))
    store.delete(f"{COMPOSITES.ref((ALDER, str(YEARS[0]))).prefix}/{partition.manifest.files[0].path}")
    store.delete(f"{COMPOSITES.ref((BIRCH, str(YEARS[1]))).prefix}/manifest.json")
    store.delete(f"{RAW_MASKS.ref((ALDER, str(YEARS[2]))).prefix}/manifest.json")
    found = due(chain)
    assert COMPOSITES.ref((ALDER, str(YEARS[0]))) in found
    assert COMPOSITES.ref((BIRCH, str(YEARS[1]))) not in found
    assert RAW_MASKS.ref((ALDER, str(YEARS[2]))) in found
    assert not [ref for ref in found if ref.keys == (BIRCH, str(YEARS[1]))]


def test_a_promotion_is_for_people_to_follow(chain: Chain) -> None:
    """Masks are outdated then, as `minemap status` says, and only a person has them redone."""
    chain.change("steps = 48", "steps = 50")
    chain.run("+segmentation_model")
    chain.promote()
    chain.run("promoted_model")
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    states = PartitionStates(graph, project)
    assert states.state(PROMOTED_MODEL, ()).value == "current"
    assert {states.state(RAW_MASKS, keys).value for keys in EVERY} == {"outdated"}
    assert not [ref for ref in due(chain) if ref.asset == RAW_MASKS.name]
