"""One statement, two readers: what the lake reads for a partition is what Dagster resolves for it."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.events import AssetKeyPartitionKey

from graphs import Assembled, assembled, instance_with_regions, with_running_year
from minemap_assets.graph.context import Keys
from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import (
    along_shared_dimensions,
    by_region,
    by_region_and_year,
    by_year,
    partition_key,
    shown_years,
    unpartitioned,
    years_around,
)
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.lake.manifests import Outcome

SETTINGS = {
    "default": ("", True),
    "a swap of products": (
        '[imagery]\nproducts = [{ product = "planet-nicfi", until = 2024 }, { product = "sentinel-2-l2a" }]',
        True,
    ),
    "parity, and nothing of the running year": ('preset = "parity"', False),
    "a late beginning": ("first_year = 2021", True),
    "an end": ("first_year = 2018\nlast_year = 2021", False),
    "chosen training": ('[training]\nregions = ["birch"]\nproducts = ["sentinel-2-l2a"]', False),
}
"""Settings, and whether the running year is a partition."""

Edges = dict[tuple[str, str | None, str], set[str | None]]
"""Keys that are read of an upstream asset, by asset, its key and the upstream asset."""


def shown(found: Assembled, asset: Asset) -> list[Keys]:
    """Keys of the partitions that Dagster shows; the lake knows the running year as well, though nothing is there."""
    hidden = {str(year) for year in found.project.years()} - set(shown_years(found.project))
    return [keys for keys in asset.partitions.every(found.project) if not hidden & set(keys)]


def by_the_lake(found: Assembled) -> Edges:
    edges: Edges = {}
    for asset in found.graph.assets:
        for keys in shown(found, asset):
            for dep, upstream in found.graph.upstream(asset):
                read = dep.mapping.keys(found.project, upstream.partitions, asset.partitions, keys)
                exist = set(shown(found, upstream))
                edges[str(asset), partition_key(keys), str(upstream)] = {partition_key(k) for k in read if k in exist}
    return edges


def by_dagster(found: Assembled, instance: dg.DagsterInstance) -> Edges:
    view = AssetGraphView.for_test(found.definitions, instance, effective_dt=datetime.now(UTC))
    edges: Edges = {}
    for asset in found.graph.assets:
        for keys in shown(found, asset):
            subset = view.get_asset_subset_from_asset_partitions(
                asset_key(asset), {AssetKeyPartitionKey(asset_key(asset), partition_key(keys))}
            )
            for _, upstream in found.graph.upstream(asset):
                parents = view.compute_parent_subset(asset_key(upstream), subset)
                edges[str(asset), partition_key(keys), str(upstream)] = {
                    p.partition_key for p in parents.expensively_compute_asset_partitions()
                }
    return edges


@pytest.mark.parametrize(("settings", "begun"), SETTINGS.values(), ids=SETTINGS.keys())
def test_every_partition_reads_what_dagster_resolves(tmp_path: Path, settings: str, begun: bool) -> None:
    found = assembled(tmp_path, settings, with_running_year(begun))
    assert (str(datetime.now(UTC).year) in shown_years(found.project)) is begun
    with instance_with_regions() as instance:
        lake, dagster = by_the_lake(found), by_dagster(found, instance)
    differences = {edge: (lake[edge], dagster[edge]) for edge in lake if lake[edge] != dagster[edge]}
    assert not differences
    assert lake.keys() == dagster.keys()


def test_the_samples_reach_every_kind_of_mapping(tmp_path: Path) -> None:
    found = assembled(tmp_path, SETTINGS["a swap of products"][0])
    edges = by_the_lake(found)
    assert edges["chips/chips", "alder|2020", "sites/sites"] == {"alder"}
    assert edges["chips/training_chips", "planet-nicfi|birch", "sites/ground_truth"] == {"birch"}
    window = edges["polygons/mining_polygons", "alder|2017", "segmentation/raw_masks"]
    assert window == {f"alder|{year}" for year in range(2016, 2020)}
    assert edges["tables/polygons", "2020", "polygons/mining_polygons"] == {"alder|2020", "birch|2020"}
    assert edges["tables/polygons", "2020", "sites/sites"] == {"alder", "birch"}
    assert {"2016", "2020"} <= edges["tables/database", None, "tables/site_panel"]
    assert edges["segmentation/segmentation_model", None, "chips/training_chips"] == {
        f"{product}|{region}" for product in ("planet-nicfi", "sentinel-2-l2a") for region in ("alder", "birch")
    }


def test_settings_narrow_both_faces(tmp_path: Path) -> None:
    edges = by_the_lake(assembled(tmp_path, SETTINGS["parity, and nothing of the running year"][0]))
    window = edges["polygons/mining_polygons", "alder|2020", "segmentation/raw_masks"]
    assert window == {"alder|2019", "alder|2020", "alder|2021"}


def test_a_project_that_ends_has_no_later_partition(tmp_path: Path) -> None:
    found = assembled(tmp_path, SETTINGS["an end"][0])
    assert (
        shown_years(found.project) == [str(year) for year in found.project.years()] == ["2018", "2019", "2020", "2021"]
    )
    window = by_the_lake(found)["polygons/mining_polygons", "alder|2020", "segmentation/raw_masks"]
    assert window == {"alder|2018", "alder|2019", "alder|2020", "alder|2021"}


def nothing(_: object) -> Outcome:
    return Outcome()


def toy(name: str, **more: object) -> Asset:
    return Asset(room="toys", name=name, description="A toy.", build=nothing, **more)


def test_assets_stand_together_where_they_read_only_each_others_partition(tmp_path: Path) -> None:
    """`late` shares its partitions with `first`, but reads something in between."""
    first = toy("first", partitions=by_region_and_year)
    second = toy("second", partitions=by_region_and_year, deps=(Dep(first),))
    summed = toy("summed", partitions=by_year, deps=(Dep(second),))
    late = toy("late", partitions=by_region_and_year, deps=(Dep(first), Dep(summed)))
    around = toy("around", partitions=by_region_and_year, deps=(Dep(second, years_around(lambda _: 1)),))
    graph = Graph([Room("toys", (first, second, summed, late, around))], assembled(tmp_path).project)
    names = [[asset.name for asset in stage] for stage in graph.stages]
    assert names == [["first", "second"], ["summed"], ["late", "around"]]


@pytest.mark.parametrize(
    ("upstream", "downstream", "keys", "read"),
    [
        (unpartitioned, by_region_and_year, ("alder", "2020"), [()]),
        (by_region, by_region, ("alder",), [("alder",)]),
        (by_region, by_region_and_year, ("alder", "2020"), [("alder",)]),
        (by_region, by_year, ("2020",), [("alder",), ("birch",)]),
        (by_region_and_year, by_year, ("2020",), [("alder", "2020"), ("birch", "2020")]),
        (by_region, unpartitioned, (), [("alder",), ("birch",)]),
    ],
)
def test_keys_along_shared_dimensions(tmp_path: Path, upstream, downstream, keys, read) -> None:
    project = assembled(tmp_path).project
    assert along_shared_dimensions.keys(project, upstream, downstream, keys) == read
