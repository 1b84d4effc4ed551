"""The asset graph as Dagster shows it: which assets there are, what each says of itself, and what it waits for."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.registry import ROOMS
from graphs import Assembled, assembled


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Assembled:
    return assembled(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="module")
def definitions(graph: Assembled) -> dg.Definitions:
    return graph.definitions


def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_dagster_is_told_of_every_statement_and_of_nothing_else(graph: Assembled) -> None:
    """Group, key prefix and the lake's folder are the room that lists the asset."""
    stated = {
        (room.name, asset.name): asset.ref().prefix
        for room in ROOMS
        for asset in graph.graph.assets
        if asset in room.assets or asset.room == room.name
    }
    shown = {tuple(spec.key.path): f"{spec.group_name}/{spec.key.path[-1]}" for spec in specs(graph.definitions)}
    assert shown == stated


def test_data_flows_one_way_through_the_rooms(definitions: dg.Definitions) -> None:
    order = [room.name for room in ROOMS]
    for spec in specs(definitions):
        for dep in spec.deps:
            assert order.index(dep.asset_key.path[0]) <= order.index(spec.key.path[0]), f"{spec.key} reads {dep}"


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


def test_tables_tell_where_their_columns_come_from(definitions: dg.Definitions) -> None:
    for spec in specs(definitions):
        if spec.group_name in ("polygons", "tables") and spec.key.path[-1] != "database":
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


def test_named_jobs_hold_what_a_person_or_a_schedule_starts(definitions: dg.Definitions) -> None:
    jobs = {
        job.name: {"/".join(key.path) for key in job.asset_layer.executable_asset_keys}
        for job in definitions.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert jobs == {
        "imagery_update": {"imagery/imagery"},
        "reference_update": {"imagery/reference_imagery", "chips/training_chips"},
        "training": {"segmentation/segmentation_model", "segmentation/model_evaluation"},
    }


def test_what_fetches_trains_or_decides_is_never_asked_for_by_automation(definitions: dg.Definitions) -> None:
    """Polygon sets and points are registered by people, and made when somebody runs what needs them."""
    asked = {"/".join(s.key.path) for s in specs(definitions) if s.automation_condition is not None}
    every = {"/".join(s.key.path) for s in specs(definitions)}
    assert every - asked == {
        "reference/maus_2022",
        "reference/tang_werner_2023",
        "reference/validation_points",
        "imagery/imagery",
        "imagery/reference_imagery",
        "segmentation/segmentation_model",
        "segmentation/model_evaluation",
        "segmentation/promoted_model",
    }


def test_wrong_settings_fail_a_materialisation_in_one_sentence(tmp_path: Path) -> None:
    """The code location was loaded before somebody broke the file."""
    found = assembled(tmp_path)
    (tmp_path / "lake" / "inputs" / "minemap.toml").write_text("[polygons]\nwindow = 9\n")
    key = dg.AssetKey(["reference", "country_boundaries"])
    job = found.definitions.resolve_implicit_job_def_def_for_assets([key])
    assert job is not None
    with dg.instance_for_test() as instance:
        outcome = job.execute_in_process(instance=instance, asset_selection=[key], raise_on_error=False)
    (failure,) = [e for e in outcome.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert told.description is not None
    assert told.description.endswith("minemap.toml: polygons.window is 9; it has to be at most 2")
