"""The asset graph as Dagster shows it: which assets there are, what each says of itself, and what it waits for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepFailureData

from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.registry import ROOMS, Registry
from graphs import Assembled, assembled, instance_with_regions, with_running_year
from minemap_assets.graph.partitioning import shown_years
from minemap_assets.graph.statement import Asset, Freshness, Room
from minemap_assets.graph.step_retries import STEP_RETRIES
from minemap_assets.lake.manifests import Outcome

SCANS = {
    "detection/sampling_imagery",
    "detection/patch_classifier",
    "detection/scan_imagery",
    "detection/patch_scores",
    "detection/detections",
    "detection/cumulative_detections",
    "detection/candidate_sites",
    "detection/detection_sample",
    "detection/detection_summary",
    "snapshots/snapshot_imagery",
    "snapshots/snapshot_scores",
    "snapshots/snapshot_detections",
}

ON_REQUEST = {"publication/dataset_files", "publication/map", "publication/report"}
"""What people are given, and is made when somebody asks for it."""


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
    assert names == SCANS | {
        "reference/maus_2022",
        "reference/tang_werner_2023",
        "reference/country_boundaries",
        "reference/validation_points",
        "sites/ground_truth",
        "sites/sites",
        "sites/owned_ground",
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
        "polygons/site_history",
        "tables/polygons",
        "tables/site_panel",
        "tables/country_summary",
        "tables/region_summary",
        "tables/imagery_clarity",
        "tables/change_grid",
        "tables/published_country_area",
        "tables/database",
        "validation/area_estimates",
        "validation/reference_validation",
        "validation/series_break",
        "validation/source_continuity",
        "publication/release_review",
        *ON_REQUEST,
    }


def test_every_asset_says_what_it_holds_in_one_sentence(definitions: dg.Definitions) -> None:
    for spec in specs(definitions):
        text = spec.description or ""
        assert text.endswith("."), spec.key
        assert text.count(". ") == 0, f"{spec.key}: more than one sentence"


def test_tables_tell_where_their_columns_come_from(definitions: dg.Definitions) -> None:
    for spec in specs(definitions):
        made_here = spec.group_name in ("polygons", "tables") and spec.deps
        if made_here and spec.key.path[-1] != "database":
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


def test_a_step_whose_failure_may_pass_is_tried_again(definitions: dg.Definitions) -> None:
    assert {asset.op.retry_policy for asset in definitions.resolve_asset_graph().assets_defs} == {STEP_RETRIES}


def test_by_when_an_asset_is_expected_stands_in_its_statement(tmp_path: Path) -> None:
    asset = Asset(
        room="yearbook",
        name="yearbook",
        description="What people wait for.",
        build=lambda _: Outcome(),
        freshness=Freshness("0 0 1 3 *", 30),
    )
    found = assembled(tmp_path, "", Registry(rooms=(*ROOMS, Room("yearbook", (asset,)))))
    policies = {spec.key.path[-1]: spec.freshness_policy for spec in specs(found.definitions)}
    assert policies["yearbook"] == dg.FreshnessPolicy.cron("0 0 1 3 *", timedelta(days=30))
    assert policies["chips"] is None


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
        "verification": set(),
        "patch_training": {"detection/sampling_imagery", "detection/patch_classifier"},
        "scan": {"detection/scan_imagery", "detection/patch_scores", "detection/detections"},
        "scan_series": {"detection/cumulative_detections", "detection/candidate_sites"},
        "scan_report": {"detection/detection_sample", "detection/detection_summary"},
        "snapshot": {one for one in SCANS if one.startswith("snapshots/")},
        "export": {"publication/dataset_files"},
        "map_page": {"publication/map"},
        "report": {"publication/report"},
    }


def test_what_fetches_trains_or_decides_is_never_asked_for_by_automation(definitions: dg.Definitions) -> None:
    """Polygon sets and points are registered by people, and made when somebody runs what needs them.

    The project has neither labelled points nor samples nor a classifier, so there is nothing to ask for of what is made
    from them.
    """
    asked = {"/".join(s.key.path) for s in specs(definitions) if s.automation_condition is not None}
    every = {"/".join(s.key.path) for s in specs(definitions)}
    assert every - asked == SCANS | ON_REQUEST | {
        "reference/maus_2022",
        "reference/tang_werner_2023",
        "reference/validation_points",
        "imagery/imagery",
        "imagery/reference_imagery",
        "segmentation/segmentation_model",
        "segmentation/model_evaluation",
        "segmentation/promoted_model",
        "validation/reference_validation",
        "validation/area_estimates",
        "publication/report",
    }


def test_what_a_project_has_nothing_to_make_from_fails_with_one_sentence(tmp_path: Path) -> None:
    failure = failure_of(assembled(tmp_path), dg.AssetKey(["validation", "area_estimates"]))
    assert failure.error is not None
    begin = "validation/area_estimates: this project has nothing to make it from; it holds: Mining area and its change"
    assert failure.error.message.startswith(begin)


def failure_of(found: Assembled, key: dg.AssetKey, partition: str | None = None) -> StepFailureData:
    """How making one partition fails."""
    job = found.definitions.resolve_implicit_job_def_def_for_assets([key])
    assert job is not None
    with instance_with_regions() as instance:
        outcome = job.execute_in_process(
            instance=instance, asset_selection=[key], partition_key=partition, raise_on_error=False
        )
    (failure,) = [e for e in outcome.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert not [e for e in outcome.all_events if e.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]
    return failure.step_failure_data


def test_wrong_settings_fail_a_materialisation_in_one_sentence(tmp_path: Path) -> None:
    """The code location was loaded before somebody broke the file."""
    found = assembled(tmp_path)
    (tmp_path / "lake" / "inputs" / "minemap.toml").write_text("[polygons]\nwindow = 9\n")
    told = failure_of(found, dg.AssetKey(["reference", "country_boundaries"])).user_failure_data
    assert told is not None
    assert told.description is not None
    assert told.description.endswith("minemap.toml: polygons.window is 9; it has to be at most 2")


def test_what_is_made_too_early_says_which_command_comes_first_and_shows_no_program(tmp_path: Path) -> None:
    error = failure_of(assembled(tmp_path), dg.AssetKey(["chips", "chips"]), "alder|2019").error
    assert error is not None
    assert error.message == (
        "chips[alder|2019] needs imagery[alder|2019], which has not been made; make it with "
        "`minemap run --select +imagery --regions alder --years 2019`\n"
    )
    assert (error.stack, error.cause, error.context) == ([], None, None)


def test_what_runs_by_itself_says_what_it_does_and_whether_it_is_on(definitions: dg.Definitions) -> None:
    one = [*(definitions.schedules or ()), *(definitions.sensors or ())]
    assert {each.name for each in one} == {
        "annual_update",
        "daily_verification",
        "region_sync",
        "new_imagery",
        "reconcile",
        "run_failure_alert",
        "automation",
    }
    for each in one:
        said = each.description or ""
        on = each.default_status in (dg.DefaultSensorStatus.RUNNING, dg.DefaultScheduleStatus.RUNNING)
        assert ("; on from the start" in said, "; off until you turn it on" in said) == (on, not on), each.name
        assert (said[-1], said.count(". ")) == (".", 0), each.name
    assert [each.name for each in one if "on from the start" in (each.description or "")] == ["region_sync"]


def test_jobs_and_checks_say_what_they_do_in_one_sentence(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    jobs = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    told = [(job.name, job.description) for job in jobs]
    told += [(str(key), graph.get_check_spec(key).description) for key in graph.asset_check_keys]
    for name, said in told:
        assert said, name
        assert (said[-1], said.count(". ")) == (".", 0), name


def test_the_running_year_is_a_partition_once_there_is_something_of_it(tmp_path: Path) -> None:
    now = str(datetime.now(UTC).year)
    before, after = (assembled(tmp_path / name, "", with_running_year(name == "after")) for name in ("before", "after"))
    for found, begun in ((before, False), (after, True)):
        keys = found.definitions.resolve_asset_graph().get(dg.AssetKey(["tables", "polygons"])).partitions_def
        assert keys is not None
        assert (now in keys.get_partition_keys(), str(int(now) - 1) in keys.get_partition_keys()) == (begun, True)
    assert str(int(now) + 1) not in shown_years(after.project)


def test_who_asks_for_the_running_year_gets_its_partition(tmp_path: Path) -> None:
    found = assembled(tmp_path, "", with_running_year(False))
    asked = build_definitions(
        Environment(home=str(tmp_path / "lake"), state=tmp_path / "state"),
        registry=with_running_year(False),
        running_year=True,
    )
    key, now = dg.AssetKey(["tables", "polygons"]), str(datetime.now(UTC).year)
    keys = asked.resolve_asset_graph().get(key).partitions_def
    assert keys is not None
    assert now in keys.get_partition_keys()
    assert now not in shown_years(found.project)
