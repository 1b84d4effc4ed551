"""The whole chain on the `tiny` world: complete, repeatable, and redone exactly where something changed."""

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.demo import compare, prepare, totals
from dagster_project.environment import Environment
from dagster_project.graph import Scope, stages
from dagster_project.instance import open_instance, restore, sync_regions
from dagster_project.resources import project_from
from dagster_project.runner import Report, Runner, State
from dagster_project.selection import parse_selection
from minemap_assets.project import Project
from minemap_assets.settings import SETTINGS_PATH
from minemap_assets.simulation.world import World, load_world

pytestmark = [pytest.mark.integration, pytest.mark.slow]

WORLD = load_world("tiny")


@dataclass(frozen=True)
class Chain:
    """A project on the tiny world."""

    folder: Path

    @property
    def environment(self) -> Environment:
        return Environment(home=str(self.folder / "lake"), state=self.folder / "state")

    @property
    def project(self) -> Project:
        return project_from(self.environment)

    def run(self, select: str | None = None, years: tuple[int, ...] = tuple(WORLD.years)) -> Report:
        project = self.project
        definitions = build_definitions(self.environment, project)
        with open_instance(self.environment.dagster_home) as instance:
            sync_regions(instance, project)
            scope = Scope(tuple(project.active_regions()), years, parse_selection(select, definitions))
            return Runner(definitions, project, instance).run(scope)

    def contents(self) -> dict[str, str]:
        """Content hash of every partition."""
        project = self.project
        return {
            str(m.ref): m.content
            for stage in stages(project)
            for recipe in stage.recipes
            for m in project.lake.manifests(recipe.room, recipe.asset)
        }

    def table(self, name: str, year: int) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "lake" / "tables" / name / str(year) / f"{name}.parquet")


def made(report: Report) -> set[str]:
    return {r.ref.asset for r in report.results if r.state is State.MADE}


@pytest.fixture(scope="module")
def world() -> World:
    return WORLD


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    warnings.simplefilter("ignore")
    chain = Chain(tmp_path_factory.mktemp("tiny"))
    prepare(chain.project, WORLD)
    report = chain.run()
    assert not report.failures, report.failures
    assert report.count(State.BLOCKED) == 0
    return chain


@pytest.fixture
def copy(chain: Chain, tmp_path: Path) -> Chain:
    """The finished project, to change at will."""
    shutil.copytree(chain.folder, tmp_path / "copy")
    return Chain(tmp_path / "copy")


def test_every_asset_of_every_partition_is_made(chain: Chain) -> None:
    assets = [r for stage in stages(chain.project) for r in stage.recipes]
    counts = {r.asset: len(list(chain.project.lake.manifests(r.room, r.asset))) for r in assets}
    regions, years = len(chain.project.active_regions()), len(WORLD.years)
    assert counts["mining_polygons"] == counts["imagery"] == counts["raw_masks"] == regions * years
    assert counts["training_chips"] == regions * 2
    assert counts["country_summary"] == years
    assert counts["database"] == counts["promoted_model"] == 1


def test_tables_agree_with_each_other(chain: Chain, world: World) -> None:
    for year in WORLD.years:
        countries, panel = chain.table("country_summary", year), chain.table("site_panel", year)
        polygons = chain.table("polygons", year)
        assert countries["area_km2"].sum() == pytest.approx(polygons["area_km2"].sum(), abs=1e-6)
        assert panel["area_km2"].sum() == pytest.approx(polygons["area_km2"].sum(), abs=1e-6)
        assert len(panel) == countries["sites_expected"].sum()
        assert set(polygons["status"]) <= {"provisional"}
    rows = totals(compare(chain.project, world, tuple(WORLD.years)))
    assert all(row.mapped_km2 > 0 for row in rows)


def test_the_database_holds_every_table(chain: Chain) -> None:
    with duckdb.connect(str(chain.folder / "state" / "minemap.duckdb"), read_only=True) as connection:
        for name in ("polygons", "site_panel", "country_summary", "region_summary", "imagery_clarity"):
            row = connection.execute(f"SELECT count(*), count(DISTINCT year) FROM {name}").fetchone()
            assert row is not None
            assert row[0] == sum(len(chain.table(name, year)) for year in WORLD.years)
            assert row[1] == len(WORLD.years)


def test_a_second_run_makes_nothing(copy: Chain) -> None:
    assert made(copy.run()) == set()


def test_two_folders_hold_the_same_rows_and_pixels(chain: Chain, tmp_path: Path) -> None:
    other = Chain(tmp_path)
    prepare(other.project, WORLD)
    assert not other.run().failures
    assert other.contents() == chain.contents()


def change(chain: Chain, old: str, new: str) -> None:
    store = chain.project.lake.store
    text = store.read_bytes(SETTINGS_PATH).decode()
    assert old in text
    store.write_bytes(SETTINGS_PATH, text.replace(old, new).encode())


def test_a_changed_polygon_setting_redoes_polygons_and_what_follows(copy: Chain) -> None:
    change(copy, "[segmentation]", "[polygons]\nmin_area_km2 = 0.004\n\n[segmentation]")
    redone = made(copy.run())
    assert {"mining_polygons", "polygons", "site_panel", "country_summary", "database"} <= redone
    assert redone <= {
        "raw_polygons",
        "mining_polygons",
        "polygons",
        "site_panel",
        "country_summary",
        "region_summary",
        "database",
        "reference_validation",
    }


def test_a_retrained_model_changes_nothing_until_it_is_promoted(copy: Chain) -> None:
    change(copy, "steps = 60", "steps = 30")
    assert made(copy.run()) == {"segmentation_model", "model_evaluation"}
    assert made(copy.run()) == set()


def test_a_lost_instance_is_told_what_the_lake_holds(copy: Chain) -> None:
    shutil.rmtree(copy.environment.dagster_home)
    before = copy.contents()
    project = copy.project
    with open_instance(copy.environment.dagster_home) as instance:
        for stage in stages(project):
            for recipe in stage.recipes:
                restore(instance, project, [m.ref for m in project.lake.manifests(recipe.room, recipe.asset)])
        keys = instance.get_materialized_partitions(dg.AssetKey(["polygons", "mining_polygons"]))
        assert len(keys) == len(project.active_regions()) * len(WORLD.years)
    assert copy.contents() == before
    assert made(copy.run()) == set()
