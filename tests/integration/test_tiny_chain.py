"""The whole chain on the `tiny` world: complete, repeatable, and redone exactly where something changed."""

import shutil
from collections import Counter
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

from dagster_project.instance import open_instance
from dagster_project.restoring import restore
from dagster_project.runner import Report, State
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.simulation.built_in_worlds import ALDER
from minemap_assets.validation.simulated_truth import compare, totals
from tiny import WORLD, Chain, assets

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def made(report: Report) -> set[str]:
    return assets(report, State.MADE)


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    """The finished project, to change at will."""
    return finished.copied(tmp_path / "copy")


def test_every_asset_of_every_partition_is_made(finished: Chain) -> None:
    counts = Counter(manifest.asset for manifest in finished.manifests())
    regions, years = len(finished.project.active_regions()), len(WORLD.years)
    assert counts["mining_polygons"] == counts["imagery"] == counts["raw_masks"] == regions * years
    assert counts["training_chips"] == regions * 2
    assert counts["country_summary"] == years
    assert counts["database"] == counts["promoted_model"] == 1


def test_tables_agree_with_each_other(finished: Chain) -> None:
    for year in WORLD.years:
        countries, panel = finished.table("country_summary", year), finished.table("site_panel", year)
        polygons = finished.table("polygons", year)
        assert countries["area_km2"].sum() == pytest.approx(polygons["area_km2"].sum(), abs=1e-6)
        assert panel["area_km2"].sum() == pytest.approx(polygons["area_km2"].sum(), abs=1e-6)
        assert len(panel) == countries["sites_expected"].sum()
        assert set(polygons["status"]) <= {"provisional"}
    rows = totals(compare(finished.project, WORLD, tuple(WORLD.years)))
    assert all(row.mapped_km2 > 0 for row in rows)


def test_the_database_holds_every_table(finished: Chain) -> None:
    with duckdb.connect(str(finished.folder / "state" / "minemap.duckdb"), read_only=True) as connection:
        for name in ("polygons", "site_panel", "country_summary", "region_summary", "imagery_clarity"):
            row = connection.execute(f"SELECT count(*), count(DISTINCT year) FROM {name}").fetchone()
            assert row is not None
            assert row[0] == sum(len(finished.table(name, year)) for year in WORLD.years)
            assert row[1] == len(WORLD.years)


def runs(chain: Chain) -> int:
    with open_instance(chain.environment.dagster_home) as instance:
        return instance.get_runs_count()


def test_a_second_run_makes_nothing_and_starts_nothing_in_dagster(copy: Chain) -> None:
    before = runs(copy)
    assert made(copy.run()) == set()
    assert runs(copy) == before > 0


AFTER_POLYGONS = {
    "site_history",
    "polygons",
    "site_panel",
    "country_summary",
    "region_summary",
    "change_grid",
    "database",
    "reference_validation",
    "series_break",
    "release_review",
}


def test_a_changed_rule_redoes_mining_polygons_and_what_follows(copy: Chain) -> None:
    copy.change("[segmentation]", "[polygons]\nmin_area_km2 = 0.24\n\n[segmentation]")
    redone = made(copy.run())
    assert {"mining_polygons", "polygons", "site_panel", "country_summary", "database"} <= redone
    assert redone <= {"mining_polygons"} | AFTER_POLYGONS


def test_another_threshold_draws_the_outlines_again(copy: Chain) -> None:
    threshold = 'operating_point = "custom"\nthreshold = 0.6'
    copy.change("[segmentation]", f"[polygons]\n{threshold}\n\n[segmentation]")
    redone = made(copy.run())
    outlined = {"raw_polygons", "mining_polygons", "source_continuity"}
    assert {"raw_polygons", "mining_polygons"} <= redone <= outlined | AFTER_POLYGONS


def test_another_split_redoes_training_chips_and_what_learns_from_them(copy: Chain) -> None:
    copy.change("[segmentation]", "[chips]\nseed = 7\n\n[segmentation]")
    redone = made(copy.run())
    assert "training_chips" in redone
    assert redone <= {
        "training_chips",
        "segmentation_model",
        "model_evaluation",
        "reference_masks",
        "source_continuity",
        "series_break",
    }


def test_a_project_that_begins_later_does_not_wait_for_years_before(copy: Chain) -> None:
    """Its first year is provisional only because the years after it are missing, and the last one as well."""
    first, _, last = WORLD.years
    copy.change("[segmentation]", "[polygons]\nwindow = 1\n\n[segmentation]")
    assert {"mining_polygons"} <= made(copy.run()) <= {"mining_polygons"} | AFTER_POLYGONS
    assert set(copy.table("polygons", first)["status"]) == {"provisional"}
    copy.change("# Settings of the demo", f"first_year = {first}\n# Settings of the demo")
    redone = made(copy.run())
    assert {"mining_polygons"} <= redone <= {"mining_polygons"} | AFTER_POLYGONS
    assert set(copy.table("polygons", first)["status"]) == {"final"}
    assert set(copy.table("polygons", last)["status"]) == {"provisional"}


def test_a_swap_of_the_last_year_leaves_the_years_before_untouched(copy: Chain) -> None:
    """As a team leaves Planet for Sentinel-2; with a window of one year, the first year does not look at the last."""
    copy.change("[segmentation]", "[polygons]\nwindow = 1\n\n[segmentation]")
    copy.run()
    first, middle, last = WORLD.years
    before = copy.contents()
    copy.change("until = 2024", f"until = {last - 1}")
    copy.change("from = 2025", f"from = {last}")
    report = copy.run()
    assert not report.failures

    redone = {str(r.ref) for r in report.results if r.state is State.MADE}
    regions = copy.project.active_regions()
    for asset in ("imagery", "chips", "raw_masks", "raw_polygons"):
        assert {r for r in redone if r.startswith(f"{asset}[")} == {f"{asset}[{r}|{last}]" for r in regions}
    polygons = {r for r in redone if r.startswith("mining_polygons[")}
    assert polygons == {f"mining_polygons[{r}|{y}]" for r in regions for y in (middle, last)}
    assert not made(report) & {"reference_imagery", "training_chips", "segmentation_model", "promoted_model"}
    after = copy.contents()
    assert {r for r in before if before[r] != after[r]} <= redone

    products = {year: set(copy.table("polygons", year)["product"]) for year in WORLD.years}
    assert products == {first: {"planet-nicfi"}, middle: {"planet-nicfi"}, last: {"sentinel-2-l2a"}}
    masks = {str(ref) for ref, _ in after[f"mining_polygons[{ALDER}|{middle}]"][1] if str(ref).startswith("raw_masks")}
    assert masks == {f"raw_masks[{ALDER}|{year}]" for year in WORLD.years}
    shown = {year: set(copy.frame("imagery", "imagery", ALDER, str(year))["product"]) for year in (middle, last)}
    assert shown == {middle: {"planet-nicfi"}, last: {"sentinel-2-l2a"}}
    breaks = pd.read_parquet(copy.open("validation", "series_break").file("series_break.parquet"))
    swaps = breaks[breaks["change"] == "product"].set_index("region")
    assert set(swaps.index) == set(regions)
    assert set(swaps["year"]) == {last}
    assert set(swaps["before"] + " " + swaps["after"]) == {"planet-nicfi sentinel-2-l2a"}
    assert set(swaps["measurement"]) == {"measured"}


def test_a_retrained_model_changes_nothing_until_it_is_promoted(copy: Chain) -> None:
    copy.change("steps = 48", "steps = 30")
    assert made(copy.run()) == {"segmentation_model", "model_evaluation"}
    assert made(copy.run()) == set()
    copy.promote()
    assert made(copy.run("promoted_model")) == {"promoted_model"}
    assert made(copy.run("raw_masks", WORLD.years[:1])) == {"raw_masks"}


def test_a_lost_instance_is_told_what_the_lake_holds(copy: Chain) -> None:
    shutil.rmtree(copy.environment.dagster_home)
    before = copy.contents()
    project = copy.project
    with open_instance(copy.environment.dagster_home) as instance:
        graph = Graph(copy.registry.rooms, project)
        restore(instance, graph, PartitionStates(graph, project), [m.ref for m in copy.manifests()])
        keys = instance.get_materialized_partitions(dg.AssetKey(["polygons", "mining_polygons"]))
        assert len(keys) == len(project.active_regions()) * len(WORLD.years)
    assert copy.contents() == before
    assert made(copy.run()) == set()
