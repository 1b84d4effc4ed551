"""Why a partition is not current: every sort of reason on a graph of toys, and where it begins."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import shapely

from dagster_project.environment import Environment
from dagster_project.registry import Registry, home_of
from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import BuildContext, Check, CheckOutcome, Keys
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.graph.partitioning import by_region, by_region_and_year, by_year
from minemap_assets.graph.reasons import Kind, Reason, Reasons
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.lake.manifests import Missing, Outcome, manifest_bytes
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH, Section, StrictModel

YEARS = ("2020", "2021")


class ToyConfig(StrictModel):
    share: float = 0.5
    names: tuple[str, ...] = ("a", "b")
    source: str = "one"


def _boundary(project: Project, keys: Keys) -> Any:
    return {"region": project.region(keys[0]).geometry.wkb_hex}


def _leaf_settings(project: Project, _: Keys) -> Any:
    config = project.section(ToyConfig)
    return {"share": config.share, "names": config.names, "order": [[config.source, "x" * 100]]}


@dataclass
class Toys:
    """`seed` of a region, `leaf` of a region and year, `heap` of a year; `decided` waits for a person.

    What a test changes of them is in the fields: a region's side, gaps, a failing check, a file outside, code.
    """

    folder: Path
    settings: str = ""
    side: float = 1.0
    regions: tuple[str, ...] = ("alder", "birch")
    gaps: tuple[Missing, ...] = ()
    passes: bool = True
    intact: bool = True
    code: str = "1"

    def __post_init__(self) -> None:
        self._state()

    def _state(self) -> None:
        """The statements, as the fields are now."""

        def toy(name: str, text: Callable[[], str], **more: Any) -> Asset:
            build = partial(self._write, text)
            return Asset(room="toys", name=name, description="A toy.", build=build, **more)

        self.seed = toy("seed", lambda: repr(self.side), partitions=by_region, settings=_boundary)
        self.leaf = toy(
            "leaf",
            lambda: "leaf",
            partitions=by_region_and_year,
            deps=(Dep(self.seed),),
            settings=_leaf_settings,
            code_version=self.code,
            checks=(Check("is_well", "Is well.", lambda _, __: CheckOutcome(self.passes, "it is not well", {})),),
            intact=lambda _, __: self.intact,
        )
        self.heap = toy(
            "heap",
            lambda: "heap",
            partitions=by_year,
            deps=(Dep(self.leaf, optional=True),),
            settings=lambda project, _: [project.section(ToyConfig).share],
            setting_names=("toys.share",),
        )
        self.trained = toy("trained", lambda: "trained")
        self.decided = toy(
            "decided", lambda: "decided", deps=(Dep(self.trained, lineage=True),), settings=self._decision
        )

    def _write(self, text: Callable[[], str], context: BuildContext) -> Outcome:
        context.writer.write("toy.txt", lambda path: path.write_text(text()))
        return Outcome(missing=self.gaps if context.ref.asset == "leaf" else ())

    def _decision(self, _: Project, __: Any) -> Any:
        raise BadInputError("nobody has decided; decide with `toys decide`")

    def reasons(self) -> Reasons:
        """Of the project as it is now."""
        self._state()
        assets = (self.seed, self.leaf, self.heap, self.trained, self.decided)
        room = Room("toys", assets, (Section("toys", ToyConfig),))
        environment = Environment(home=str(self.folder / "lake"), state=self.folder / "state")
        home = home_of(environment, Registry(rooms=(room,), sources=()))
        squares = [Region(slug, slug, shapely.box(0, 0, self.side, self.side)) for slug in self.regions]
        home.lake.store.write_bytes(REGIONS_PATH, write_regions(squares))
        home.lake.store.write_bytes(SETTINGS_PATH, self.settings.encode())
        project = home.open()
        self.graph = Graph((room,), project)
        self.states = PartitionStates(self.graph, project)
        return Reasons(self.graph, self.states)

    def make(self, asset: Callable[["Toys"], Asset], *keys: str) -> None:
        """Make one partition of what `asset` picks."""
        self.reasons()
        self.states.make(asset(self), keys)

    def why(self, asset: Callable[["Toys"], Asset], *keys: str) -> tuple[Reason, ...]:
        reasons = self.reasons()
        return reasons.why(asset(self), keys)

    def path(self, asset: str, *keys: str) -> Path:
        return self.folder.joinpath("lake", "toys", asset, *keys)


def seed(toys: Toys) -> Asset:
    return toys.seed


def leaf(toys: Toys) -> Asset:
    return toys.leaf


def heap(toys: Toys) -> Asset:
    return toys.heap


def decided(toys: Toys) -> Asset:
    return toys.decided


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    """With everything of alder and one leaf and the heap of 2020 made."""
    toys = Toys(tmp_path)
    toys.make(seed, "alder")
    toys.make(leaf, "alder", "2020")
    toys.make(heap, "2020")
    assert [toys.why(a, *k) for a, k in ((seed, ("alder",)), (leaf, ("alder", "2020")), (heap, ("2020",)))] == [()] * 3
    return toys


def only(reasons: tuple[Reason, ...]) -> tuple[Kind, str, str]:
    (reason,) = reasons
    return reason.kind, reason.subject, reason.sentence


def sentences(reasons: tuple[Reason, ...]) -> set[str]:
    return {reason.sentence for reason in reasons}


def test_what_was_never_made_begins_with_the_first_input_that_was_not(toys: Toys) -> None:
    assert only(toys.why(seed, "birch")) == (Kind.NEVER_MADE, "seed[birch]", "seed[birch] has not been made yet")
    waits = "it is made from seed[birch], which has not been made"
    assert only(toys.why(leaf, "birch", "2020")) == (Kind.UPSTREAM, "seed[birch]", waits)
    reasons = toys.reasons()
    (cause,) = reasons.causes(toys.leaf, ("birch", "2020"))
    assert (cause.ref, cause.reason.kind) == (toys.seed.ref(("birch",)), Kind.NEVER_MADE)


def test_a_partition_that_may_do_without_its_inputs_waits_for_them_where_there_are_none(toys: Toys) -> None:
    causes = toys.reasons().causes(toys.heap, ("2021",))
    assert {str(cause.ref) for cause in causes} == {"leaf[alder|2021]", "seed[birch]"}
    toys.make(leaf, "alder", "2021")
    assert only(toys.why(heap, "2021"))[0] is Kind.NEVER_MADE


@pytest.mark.parametrize(
    ("change", "name", "sentence"),
    [
        ("share = 1", "toys.share", "setting toys.share changed from 0.5 to 1"),
        ('names = ["a"]', "toys.names", 'setting toys.names changed from ["a", "b"] to ["a"]'),
    ],
)
def test_a_setting_is_named_with_both_values(toys: Toys, change: str, name: str, sentence: str) -> None:
    toys.settings = f"[toys]\n{change}\n"
    assert only(toys.why(leaf, "alder", "2020")) == (Kind.SETTING, name, sentence)


def test_settings_in_a_list_have_the_names_of_the_statement(toys: Toys) -> None:
    toys.settings = "[toys]\nshare = 0.25\n"
    first = toys.why(heap, "2020")[0]
    assert (first.subject, first.sentence) == ("toys.share", "setting toys.share changed from 0.5 to 0.25")


def test_what_has_a_name_of_its_own_is_told_as_new_and_as_gone(toys: Toys) -> None:
    """Long values are known by their hash, and never shown."""
    toys.settings = '[toys]\nsource = "two"\n'
    told = {reason.subject: reason.sentence for reason in toys.why(leaf, "alder", "2020")}
    assert told == {
        "leaf.order": 'leaf.order changed from ["one"] to ["two"]',
        "leaf.order[one]": "what leaf.order[one] stands for does not count any more",
        "leaf.order[two]": "what leaf.order[two] stands for is new",
    }


def test_a_boundary_is_told_by_its_region(toys: Toys) -> None:
    toys.side = 2.0
    assert only(toys.why(seed, "alder")) == (
        Kind.SETTING,
        "regions.alder",
        "the boundary of region alder changed",
    )
    reasons = toys.reasons()
    assert reasons.state(toys.leaf, ("alder", "2020")) is PartitionState.CURRENT
    assert reasons.is_pending(toys.leaf, ("alder", "2020"))
    assert reasons.is_pending(toys.heap, ("2020",))
    (cause,) = reasons.pending(toys.heap, ("2020",))
    assert (str(cause.ref), cause.reason.subject) == ("seed[alder]", "regions.alder")


def test_another_version_of_the_code(toys: Toys) -> None:
    toys.code = "2"
    kind, _, sentence = only(toys.why(leaf, "alder", "2020"))
    assert (kind, sentence) == (Kind.CODE, "the code that makes toys/leaf changed from version 1 to 2")


def test_inputs_that_changed_are_new_or_gone(toys: Toys) -> None:
    toys.side = 2.0
    toys.make(seed, "alder")
    kind, subject, sentence = only(toys.why(leaf, "alder", "2020"))
    assert (kind, subject) == (Kind.INPUT, "seed[alder]")
    assert sentence == "input seed[alder] was made again and holds something else now"
    toys.make(seed, "birch")
    toys.make(leaf, "birch", "2020")
    new = "input leaf[birch|2020] is new: it was not there when this was made"
    assert toys.why(heap, "2020")[0].sentence == new
    toys.make(heap, "2020")
    toys.passes = False
    toys.path("leaf", "birch", "2020", MANIFEST).unlink()
    toys.make(leaf, "birch", "2020")
    assert "input leaf[birch|2020] failed a check since, and is left out" in sentences(toys.why(heap, "2020"))
    toys.regions = ("alder",)
    assert "input leaf[birch|2020] is gone or no longer asked for" in sentences(toys.why(heap, "2020"))


def test_an_input_that_is_outdated_itself_is_told_with_its_own_reason(toys: Toys) -> None:
    toys.side, toys.settings = 2.0, "[toys]\nshare = 1\n"
    own, upstream = toys.why(leaf, "alder", "2020")
    assert own.kind is Kind.SETTING
    assert upstream.sentence == ("it is made from seed[alder], which is outdated: the boundary of region alder changed")


def test_a_damaged_file_and_a_damaged_manifest_are_named(toys: Toys) -> None:
    toys.path("leaf", "alder", "2020", "toy.txt").unlink()
    assert only(toys.why(leaf, "alder", "2020")) == (
        Kind.DAMAGED,
        "toy.txt",
        "its file toy.txt is gone or not what was published",
    )
    toys.path("leaf", "alder", "2020", MANIFEST).write_text("{")
    kind, subject, sentence = only(toys.why(leaf, "alder", "2020"))
    assert (kind, subject) == (Kind.DAMAGED, MANIFEST)
    assert sentence.endswith("cannot be read, so leaf[alder|2020] has to be made again")
    kind, subject, sentence = only(toys.why(heap, "2020"))
    assert (kind, subject) == (Kind.UPSTREAM, "leaf[alder|2020]"), "though it may do without"
    assert "leaf[alder|2020], which is damaged" in sentence


def test_gaps_that_are_tried_again_are_told_together_and_others_are_no_reason(toys: Toys) -> None:
    toys.gaps = (Missing(item="m1", reason="no source covers it", retry=False),)
    toys.make(leaf, "alder", "2021")
    assert toys.why(leaf, "alder", "2021") == ()
    toys.gaps += tuple(Missing(item=item, reason="the service did not answer") for item in ("m2", "m3"))
    toys.settings = "[toys]\nshare = 1\n"
    toys.make(leaf, "alder", "2021")
    kind, subject, sentence = only(toys.why(leaf, "alder", "2021"))
    assert (kind, subject) == (Kind.GAPS, "m2")
    assert sentence == "2 such as m2 are missing and tried again by the next run: the service did not answer"


def test_a_failed_check_is_a_reason_and_holds_up_what_follows(toys: Toys) -> None:
    toys.passes = False
    toys.make(leaf, "alder", "2021")
    assert only(toys.why(leaf, "alder", "2021")) == (Kind.CHECK, "is_well", "check is_well failed: it is not well")
    causes = toys.reasons().causes(toys.heap, ("2021",))
    assert "leaf[alder|2021]" in {str(cause.ref) for cause in causes}


def test_what_it_keeps_elsewhere_is_gone(toys: Toys) -> None:
    toys.intact = False
    assert only(toys.why(leaf, "alder", "2020"))[0] is Kind.OUTSIDE


def test_a_decision_is_asked_for_only_once_there_is_something_to_decide(toys: Toys) -> None:
    assert only(toys.why(decided))[2] == "it is made from trained, which has not been made"
    toys.make(lambda toys: toys.trained)
    assert only(toys.why(decided)) == (Kind.CANNOT, "decided", "nobody has decided; decide with `toys decide`")


def test_a_manifest_that_names_no_settings_stays_current_and_then_says_what_it_can(toys: Toys) -> None:
    manifest = toys.states.manifest(toys.leaf.ref(("alder", "2020")))
    assert manifest is not None
    older = manifest.model_copy(update={"settings": {}})
    toys.path("leaf", "alder", "2020", MANIFEST).write_bytes(manifest_bytes(older))
    assert toys.why(leaf, "alder", "2020") == ()
    toys.settings = "[toys]\nshare = 1\n"
    kind, subject, sentence = only(toys.why(leaf, "alder", "2020"))
    assert (kind, subject) == (Kind.SETTING, "")
    assert sentence.endswith("an earlier version of minemap made it")


def test_everything_that_follows_from_a_partition(toys: Toys) -> None:
    toys.reasons()
    found = {str(ref) for ref in toys.graph.followers(toys.seed.ref(("alder",)))}
    assert {f"leaf[alder|{year}]" for year in YEARS} | {f"heap[{year}]" for year in YEARS} <= found
    assert not any("birch" in name for name in found)
