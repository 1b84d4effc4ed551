"""The asset graph as Dagster shows it: names agree, and every asset says what it is."""

from pathlib import Path

import dagster as dg
import pytest

import minemap_assets
from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.graph import stages
from dagster_project.resources import project_from
from minemap_assets.project.project import Project

ROOMS = ("reference", "sites", "imagery", "chips", "segmentation", "polygons", "tables", "validation")
FOLDER = Path(minemap_assets.__file__).parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("graph")
    return project_from(Environment(home=str(folder / "lake"), state=folder / "state"))


@pytest.fixture(scope="module")
def definitions(project: Project) -> dg.Definitions:
    return build_definitions(Environment(), project)


def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_group_key_prefix_folder_and_lake_path_are_one_word(definitions: dg.Definitions, project: Project) -> None:
    in_lake = {(r.room, r.asset): r.ref(()).prefix for stage in stages(project) for r in stage.recipes}
    for spec in specs(definitions):
        room, name = spec.key.path
        assert spec.group_name == room
        assert (FOLDER / room / "assets.py").is_file()
        if (room, name) in in_lake:
            assert in_lake[room, name] == f"{room}/{name}"


def test_every_room_of_the_design_has_assets_and_data_flows_one_way(definitions: dg.Definitions) -> None:
    assert {spec.group_name for spec in specs(definitions)} == set(ROOMS)
    for spec in specs(definitions):
        for dep in spec.deps:
            assert ROOMS.index(dep.asset_key.path[0]) <= ROOMS.index(spec.key.path[0]), f"{spec.key} reads {dep}"


def test_the_graph_holds_the_assets_of_the_design(definitions: dg.Definitions) -> None:
    names = {"/".join(spec.key.path) for spec in specs(definitions)}
    assert names == {
        "reference/maus_2022",
        "reference/tang_werner_2023",
        "reference/country_boundaries",
        "reference/validation_points",
        "sites/ground_truth",
        "sites/sites",
        "imagery/imagery",
        "imagery/reference_imagery",
        "chips/chips",
        "chips/training_chips",
        "segmentation/segmentation_model",
        "segmentation/model_evaluation",
        "segmentation/promoted_model",
        "segmentation/raw_masks",
        "segmentation/reference_masks",
        "polygons/raw_polygons",
        "polygons/mining_polygons",
        "tables/polygons",
        "tables/site_panel",
        "tables/country_summary",
        "tables/region_summary",
        "tables/imagery_clarity",
        "tables/database",
        "validation/reference_validation",
        "validation/source_continuity",
    }


def test_every_asset_says_what_it_holds_in_one_sentence(definitions: dg.Definitions) -> None:
    for spec in specs(definitions):
        text = spec.description or ""
        assert text.endswith("."), spec.key
        assert text.count(". ") == 0, f"{spec.key}: more than one sentence"
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.code_version, spec.key


def test_tables_tell_where_their_columns_come_from(definitions: dg.Definitions) -> None:
    for spec in specs(definitions):
        if spec.group_name == "tables" and spec.key.path[-1] != "database":
            lineage = spec.metadata["dagster/column_lineage"]
            assert lineage.deps_by_column, spec.key
            known = {s.key for s in specs(definitions)}
            origins = {dep.asset_key for deps in lineage.deps_by_column.values() for dep in deps}
            assert origins <= known


def test_what_wants_the_accelerator_or_the_database_waits_its_turn(definitions: dg.Definitions) -> None:
    pools = {
        "/".join(key.path): asset.op.pool
        for asset in definitions.resolve_asset_graph().assets_defs
        for key in asset.keys
    }
    assert pools["segmentation/raw_masks"] == pools["segmentation/segmentation_model"] == "gpu"
    assert pools["tables/database"] == "database"
    assert pools["imagery/imagery"] == pools["imagery/reference_imagery"] == "imagery"
    assert pools["chips/chips"] is None


def test_blocking_checks_stand_where_bad_data_would_enter(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    blocking = {("/".join(c.asset_key.path), c.name) for c in checks if c.blocking}
    assert {
        ("imagery/imagery", "covers_sites"),
        ("chips/chips", "no_empty_chips"),
        ("polygons/mining_polygons", "valid_geometries"),
        ("polygons/mining_polygons", "positive_areas"),
        ("polygons/mining_polygons", "countries_known"),
    } <= blocking
