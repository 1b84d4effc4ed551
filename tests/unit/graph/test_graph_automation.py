"""Automation over the whole graph, with a clock in January: what new imagery asks for, and what retraining does not.

The whole graph stands materialised for two regions up to 2024; each test then changes one thing and waits for rest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from graphs import REGIONS, assembled, with_running_year
from minemap_assets.graph.automation import BY_AUTOMATION
from minemap_assets.graph.launches import makes_tags

PRODUCTS = ("planet-nicfi", "sentinel-2-l2a")
JANUARY = datetime(2026, 1, 15, 6)
NEXT_JANUARY = datetime(2027, 1, 2)
YEARS = tuple(str(y) for y in range(2019, 2025))
SETTINGS = f"first_year = {YEARS[0]}"


Asked = set[tuple[str, str | None]]


@dataclass
class Automation:
    """The whole graph on an instance, with automation's memory between ticks."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursor: Any = None
    keys: list[dg.AssetKey] = field(default_factory=list)
    same: set[str] = field(default_factory=set)
    """Assets that come out with the same content however often they are made."""
    failing: Asked = field(default_factory=set)
    """Partitions that cannot be made."""
    made: int = 1

    def __post_init__(self) -> None:
        self.keys = list(self.definitions.resolve_asset_graph().toposorted_asset_keys)

    def materialise(self, key: dg.AssetKey, partition: str | None, version: str) -> None:
        event = dg.AssetMaterialization(key, partition=partition, tags={"dagster/data_version": version})
        self.instance.report_runless_asset_event(event)

    def run(self, partition: str, made: Mapping[dg.AssetKey, str], **tags: str) -> None:
        """A run that materialises a region and year of some assets, with these versions."""
        region, year = partition.split("|")
        told = {"dagster/partition": partition, "dagster/partition/region": region, "dagster/partition/year": year}
        run = dg.DagsterRun(
            job_name="__ASSET_JOB", asset_selection=frozenset(made), tags=told | makes_tags(made) | tags
        )
        self.instance.add_run(run)
        for key, version in made.items():
            event = dg.AssetMaterialization(key, partition=partition, tags={"dagster/data_version": version})
            self.instance.report_dagster_event(_materialised(event), run.run_id)

    def materialise_everything(self) -> None:
        for key in self.keys:
            for partition in self._partitions(key):
                self.materialise(key, partition, "1")

    def _partitions(self, key: dg.AssetKey) -> list[str | None]:
        partitions = self.definitions.resolve_asset_graph().get(key).partitions_def
        if partitions is None:
            return [None]
        if isinstance(partitions, dg.MultiPartitionsDefinition):
            by_year = any(d.name == "year" for d in partitions.partitions_defs)
            others = YEARS if by_year else PRODUCTS
            return ["|".join((r, o) if by_year else (o, r)) for r in REGIONS for o in others]
        return list(YEARS) if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else list(REGIONS)

    def version(self, key: dg.AssetKey) -> str:
        self.made += key.path[-1] not in self.same
        return "1" if key.path[-1] in self.same else f"made {self.made}"

    def settle(self, now: datetime = JANUARY) -> Asked:
        """Evaluate, do what was asked for, and go on until nothing is asked for twice in a row."""
        asked, quiet = set[tuple[str, str | None]](), 0
        for _ in range(16):
            # the regions are asked for hundreds of times otherwise, each time from the database
            with patch.object(self.instance, "get_dynamic_partitions", self._cached_partitions()):
                result = dg.evaluate_automation_conditions(
                    defs=self.definitions, instance=self.instance, evaluation_time=now, cursor=self.cursor
                )
            self.cursor = result.cursor
            wanted = [(k, p) for k in self.keys for p in sorted(result.get_requested_partitions(k), key=str)]
            quiet = 0 if wanted else quiet + 1
            if quiet == 2:
                return asked
            for key, partition in wanted:
                asked.add((key.path[-1], partition))
                if (key.path[-1], partition) not in self.failing:
                    self.materialise(key, partition, self.version(key))
        raise AssertionError(f"automation does not come to rest: {sorted(asked, key=str)}")

    def _cached_partitions(self) -> Callable[[str], list[str]]:
        known = {name: list(self.instance.get_dynamic_partitions(name)) for name in ("region",)}
        return lambda partitions_def_name: known[partitions_def_name]

    def after(self, room: str, asset: str, partition: str | None, version: str) -> Asked:
        """What follows when one partition is materialised."""
        self.materialise(dg.AssetKey([room, asset]), partition, version)
        return self.settle()


@pytest.fixture(scope="module")
def automation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Automation]:
    """The running year is a partition, as after the end of its season; years that have none are the simpler case."""
    folder = tmp_path_factory.mktemp("automation")
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("region", list(REGIONS))
        automation = Automation(assembled(folder, SETTINGS, with_running_year(True)).definitions, instance)
        automation.materialise_everything()
        automation.settle()
        yield automation


def yearly(asset: str, region: str, *years: int) -> Asked:
    return {(asset, f"{region}|{year}") for year in years}


TABLES = ("polygons", "site_panel", "country_summary", "region_summary")


def test_new_imagery_of_one_region_and_year_asks_for_exactly_what_depends_on_it(automation: Automation) -> None:
    """The other region has no 2025 yet, and holds nothing up; the open year 2026 exists and is asked for by nothing.

    Without labelled points there is no validation to make, and none is asked for.
    """
    asked = automation.after("imagery", "imagery", "alder|2025", "new")
    years = {str(y) for y in (2023, 2024, 2025)}
    expected = (
        yearly("chips", "alder", 2025)
        | yearly("raw_masks", "alder", 2025)
        | yearly("raw_polygons", "alder", 2025)
        | yearly("mining_polygons", "alder", 2023, 2024, 2025)
        | {(table, year) for table in TABLES for year in years}
        | {("imagery_clarity", "2025"), ("site_history", "alder"), ("change_grid", None), ("database", None)}
        | {(asset, None) for asset in ("series_break", "release_review")}
    )
    assert asked == expected


def test_a_corrected_old_year_asks_for_the_years_around_it(automation: Automation) -> None:
    asked = automation.after("imagery", "imagery", "birch|2021", "corrected")
    assert {p for a, p in asked if a == "mining_polygons"} == {f"birch|{y}" for y in range(2019, 2024)}
    assert {p for a, p in asked if a in ("chips", "raw_masks", "raw_polygons")} == {"birch|2021"}
    assert not {p for _, p in asked if p and p.startswith("alder")}


def test_the_years_around_are_no_reason_to_make_a_year_that_has_no_outlines(automation: Automation) -> None:
    automation.failing.add(("raw_polygons", "birch|2025"))
    automation.after("imagery", "imagery", "birch|2025", "new")
    asked = automation.after("segmentation", "raw_masks", "birch|2024", "corrected")
    assert {p for a, p in asked if a == "mining_polygons"} == {f"birch|{y}" for y in (2022, 2023, 2024)}
    automation.failing.clear()


@pytest.mark.parametrize("asset", ["segmentation_model", "promoted_model"])
def test_retraining_and_promotion_ask_for_nothing(automation: Automation, asset: str) -> None:
    assert automation.after("segmentation", asset, None, "retrained") == set()


def test_a_new_region_gets_its_ground_truth_and_sites_but_no_imagery(automation: Automation) -> None:
    automation.instance.add_dynamic_partitions("region", ["cedar"])
    asked = automation.settle()
    made = {(asset, "cedar") for asset in ("ground_truth", "sites", "owned_ground")}
    assert asked == made


def test_a_partition_that_was_kept_asks_for_nothing(automation: Automation) -> None:
    """Its data version is the one it had."""
    automation.after("imagery", "imagery", "alder|2022", "as it is")
    assert automation.after("imagery", "imagery", "alder|2022", "as it is") == set()


def test_nothing_follows_from_what_was_made_again_with_the_same_content(automation: Automation) -> None:
    """Dagster plans steps of the same partition together; whatever reads others waits for their content."""
    automation.same = {"raw_masks", "raw_polygons"}
    try:
        asked = automation.after("imagery", "imagery", "birch|2022", "sharper")
    finally:
        automation.same = set()
    assert {p for a, p in asked if a in ("chips", "raw_masks", "raw_polygons")} == {"birch|2022"}
    assert not {p for a, p in asked if a == "mining_polygons"} - {"birch|2022"}


def test_neighbours_hear_of_masks_that_were_made_in_one_run_with_their_own_polygons(automation: Automation) -> None:
    """As a daemon does it: one run makes masks and polygons of a year; the years around were not part of it."""
    masks, polygons = dg.AssetKey(["segmentation", "raw_masks"]), dg.AssetKey(["polygons", "mining_polygons"])
    automation.run("alder|2021", {masks: "one run", polygons: "one run"})
    asked = automation.settle()
    around = {f"alder|{year}" for year in (2019, 2020, 2022, 2023)}
    assert around <= {p for a, p in asked if a == "mining_polygons"}


def test_runs_that_end_at_the_same_time_ask_for_nothing_that_they_made_themselves(automation: Automation) -> None:
    masks, polygons = dg.AssetKey(["segmentation", "raw_masks"]), dg.AssetKey(["polygons", "raw_polygons"])
    for year in (2020, 2021, 2022):
        automation.run(f"birch|{year}", {masks: f"masks {year}", polygons: f"polygons {year}"})
    asked = automation.settle()
    assert not {p for a, p in asked if a in ("raw_masks", "raw_polygons")}
    assert {p for a, p in asked if a == "mining_polygons"} >= yearly_keys("birch", 2020, 2021, 2022)


def yearly_keys(region: str, *years: int) -> set[str]:
    return {f"{region}|{year}" for year in years}


@pytest.mark.parametrize("tags", [{BY_AUTOMATION: "true"}, {}])
def test_what_arrives_while_a_partition_is_made_asks_for_it_again(automation: Automation, tags: dict[str, str]) -> None:
    """What automation asked for may have read what was there before; who makes it by hand makes inputs first."""
    for room, asset in (("segmentation", "raw_masks"), ("polygons", "raw_polygons")):
        automation.materialise(dg.AssetKey([room, asset]), "birch|2022", f"new {tags}")
    automation.run("birch|2021", {dg.AssetKey(["polygons", "mining_polygons"]): f"made of the old ones {tags}"}, **tags)
    asked = {p for a, p in automation.settle() if a == "mining_polygons"}
    around = {f"birch|{year}" for year in (2020, 2021, 2022, 2023, 2024)}
    assert asked == (around if tags else around - {"birch|2021"})


def test_a_year_that_begins_asks_for_nothing(automation: Automation) -> None:
    """A new partition is missing, and of its inputs only those exist that say nothing of the year."""
    automation.settle()
    assert automation.settle(NEXT_JANUARY) == set()


def _materialised(event: dg.AssetMaterialization) -> dg.DagsterEvent:
    from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData

    return DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name="__ASSET_JOB",
        event_specific_data=StepMaterializationData(event),
    )
