"""Automation over the whole graph, with a clock in January: what new imagery asks for, and what retraining does not.

The whole graph stands materialised for two regions up to last year; then one thing changes.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.resources import project_from
from minemap_assets.partitions import product_partitions

REGIONS = ("alder", "birch")
JANUARY = datetime(2026, 1, 15, 6)
YEARS = tuple(str(y) for y in range(2016, 2026))


@pytest.fixture
def definitions(tmp_path: Path) -> dg.Definitions:
    environment = Environment(home=str(tmp_path / "home"), state=tmp_path / "state")
    return build_definitions(environment, project_from(environment))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("region", list(REGIONS))
        yield instance


def materialise(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None, version: str = "1") -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(key, partition=partition, tags={"dagster/data_version": version})
    )


def partitions_of(definitions: dg.Definitions, key: dg.AssetKey, years: tuple[str, ...]) -> list[str | None]:
    """Every partition that exists by the end of the last of the years."""
    partitions = definitions.resolve_asset_graph().get(key).partitions_def
    if partitions is None:
        return [None]
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        names = {d.name for d in partitions.partitions_defs}
        other = years if "year" in names else tuple(product_partitions.get_partition_keys())
        pairs = [(r, o) if "year" in names else (o, r) for r in REGIONS for o in other]
        return ["|".join(pair) for pair in pairs]
    return list(years) if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else list(REGIONS)


def materialise_everything(definitions: dg.Definitions, instance: dg.DagsterInstance, but: set[str | None]) -> None:
    for key in definitions.resolve_asset_graph().toposorted_asset_keys:
        for partition in partitions_of(definitions, key, YEARS):
            if partition not in but:
                materialise(instance, key, partition)


def settle(
    definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: object = None
) -> tuple[set[tuple[str, str | None]], object]:
    """Evaluate, do what was asked for, and go on until nothing is asked for any more."""
    asked: set[tuple[str, str | None]] = set()
    for _ in range(12):
        result = dg.evaluate_automation_conditions(
            defs=definitions, instance=instance, evaluation_time=JANUARY, cursor=cursor
        )
        cursor = result.cursor
        wanted = [
            (key, partition)
            for key in definitions.resolve_asset_graph().materializable_asset_keys
            for partition in sorted(result.get_requested_partitions(key), key=str)
        ]
        if not wanted:
            return asked, cursor
        for key, partition in wanted:
            asked.add((key.path[-1], partition))
            materialise(instance, key, partition, "2")
    raise AssertionError(f"automation does not come to rest: {sorted(asked, key=str)}")


def yearly(asset: str, region: str, *years: int) -> set[tuple[str, str | None]]:
    return {(asset, f"{region}|{year}") for year in years}


TABLES = ("polygons", "site_panel", "country_summary", "region_summary")


def test_new_imagery_of_one_region_and_year_asks_for_exactly_what_depends_on_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    materialise_everything(definitions, instance, but={"alder|2025"})
    _, cursor = settle(definitions, instance)
    materialise(instance, dg.AssetKey(["imagery", "imagery"]), "alder|2025", "2")
    asked, _ = settle(definitions, instance, cursor)
    years = {str(y) for y in (2023, 2024, 2025)}
    expected = (
        yearly("chips", "alder", 2025)
        | yearly("raw_masks", "alder", 2025)
        | yearly("raw_polygons", "alder", 2025)
        | yearly("mining_polygons", "alder", 2023, 2024, 2025)
        | {(table, year) for table in TABLES for year in years}
        | {("imagery_clarity", "2025"), ("database", None)}
    )
    assert asked == expected


def test_a_corrected_old_year_asks_for_the_years_around_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    materialise_everything(definitions, instance, but=set())
    _, cursor = settle(definitions, instance)
    materialise(instance, dg.AssetKey(["imagery", "imagery"]), "birch|2020", "2")
    asked, _ = settle(definitions, instance, cursor)
    assert {p for a, p in asked if a == "mining_polygons"} == {f"birch|{y}" for y in range(2018, 2023)}
    assert {p for a, p in asked if a in ("chips", "raw_masks", "raw_polygons")} == {"birch|2020"}
    assert not {p for _, p in asked if p and p.startswith("alder")}


@pytest.mark.parametrize("asset", ["segmentation_model", "promoted_model"])
def test_retraining_and_promotion_ask_for_nothing(
    definitions: dg.Definitions, instance: dg.DagsterInstance, asset: str
) -> None:
    materialise_everything(definitions, instance, but=set())
    _, cursor = settle(definitions, instance)
    materialise(instance, dg.AssetKey(["segmentation", asset]), None, "2")
    asked, _ = settle(definitions, instance, cursor)
    assert asked == set()


def test_a_region_without_a_year_does_not_hold_up_the_tables_of_that_year(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    materialise_everything(definitions, instance, but={"alder|2025", "birch|2025", "2025"})
    _, cursor = settle(definitions, instance)
    materialise(instance, dg.AssetKey(["imagery", "imagery"]), "birch|2025", "2")
    asked, _ = settle(definitions, instance, cursor)
    assert ("country_summary", "2025") in asked
    assert ("mining_polygons", "birch|2025") in asked
