"""An instance that was lost is told what the lake holds: all of it, once, and as Dagster itself would record it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetRecordsFilter, DagsterInstance

from dagster_project.instance import open_instance
from dagster_project.restoring import restore, restore_all
from dagster_project.runless_events import report
from graphs import REGIONS, Assembled, assembled
from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Manifest, PartitionRef, manifest_bytes
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.tables.assets import CHANGE_GRID

IMAGERY, GRID = asset_key(COMPOSITES), asset_key(CHANGE_GRID)
YEARS = ("2019", "2020")


def events(partitions: tuple[str, ...]) -> list[dg.AssetMaterialization]:
    return [
        dg.AssetMaterialization(
            IMAGERY, partition=key, metadata={"sites": n}, tags={"dagster/data_version": f"v{n}"}, description="why"
        )
        for n, key in enumerate(partitions)
    ]


@contextmanager
def opened(home: Path) -> Iterator[DagsterInstance]:
    with open_instance(home) as instance:
        yield instance


def told(instance: DagsterInstance) -> list[object]:
    """All that can be asked of the asset, without times and numbers of events."""
    found = instance.fetch_materializations(AssetRecordsFilter(asset_key=IMAGERY), limit=100).records
    (record,) = instance.get_asset_records([IMAGERY])
    latest = record.asset_entry.last_materialization
    logs = instance.all_logs("")
    return [
        [
            (r.partition_key, r.asset_materialization, r.event_log_entry.run_id, r.event_log_entry.job_name)
            for r in found
        ],
        sorted(instance.get_materialized_partitions(IMAGERY)),
        None if latest is None or latest.asset_materialization is None else latest.asset_materialization.partition,
        [log.asset_materialization for log in logs],
        instance.get_latest_materialization_code_versions([IMAGERY]),
        [instance.get_event_tags_for_asset(IMAGERY), record.asset_entry.last_run_id],
    ]


def test_a_batch_is_what_events_told_one_by_one_are(tmp_path: Path) -> None:
    wanted = events(("alder|2019", "alder|2020", "birch|2019"))
    with opened(tmp_path / "one") as one, opened(tmp_path / "batch") as batch:
        for event in wanted:
            one.report_runless_asset_event(event)
        report(batch, wanted[:2])
        report(batch, wanted[2:])
        assert told(batch) == told(one)
        assert len(told(batch)[3]) == 3  # type: ignore[arg-type]


def test_a_batch_that_cannot_be_stored_leaves_nothing_half_told(tmp_path: Path) -> None:
    with opened(tmp_path) as instance:
        good = events(("alder|2019", "alder|2020"))
        bad = dg.AssetMaterialization(IMAGERY, partition="birch|2019", tags={"dagster/data_version": "\ud800"})
        with pytest.raises(Exception, match="surrogates"):
            report(instance, [*good, bad])
        assert not instance.get_materialized_partitions(IMAGERY)


@pytest.fixture
def made(tmp_path: Path) -> Assembled:
    """A project whose lake holds imagery of two regions and years, one of them rejected, and a table of everything."""
    project = assembled(tmp_path)
    refs = [COMPOSITES.ref((region, year)) for region in REGIONS for year in YEARS]
    for ref in (*refs, CHANGE_GRID.ref()):
        _publish(project, ref, rejected=("check covers_sites failed",) if ref == refs[-1] else ())
    return project


def _publish(made: Assembled, ref: PartitionRef, rejected: tuple[str, ...]) -> None:
    manifest = Manifest(
        room=ref.room,
        asset=ref.asset,
        keys=ref.keys,
        fingerprint="f",
        code_version="1",
        inputs={},
        files=(),
        rejected=rejected,
        summary={"sites": 3},
    )
    made.project.lake.store.write_bytes(f"{ref.prefix}/{MANIFEST}", manifest_bytes(manifest))


def test_a_new_instance_is_told_of_everything_that_passed_its_checks_once(made: Assembled, tmp_path: Path) -> None:
    counts: dict[str, int] = {}
    with opened(tmp_path / "dagster") as instance:
        states = PartitionStates(made.graph, made.project)
        assert restore_all(instance, made.graph, states, restored=lambda a, n: counts.update({str(a): n})) == 4
        assert counts == {"imagery/imagery": 3, "tables/change_grid": 1}
        assert instance.get_materialized_partitions(IMAGERY) == {"alder|2019", "alder|2020", "birch|2019"}
        assert instance.get_latest_materialization_event(GRID) is not None
        assert restore_all(instance, made.graph, states) == 0


def test_a_run_records_only_what_nobody_has_recorded(made: Assembled, tmp_path: Path) -> None:
    states, first, second = PartitionStates(made.graph, made.project), *(COMPOSITES.ref(("alder", y)) for y in YEARS)
    with opened(tmp_path / "dagster") as ours, opened(tmp_path / "dagster") as theirs:
        assert restore(ours, made.graph, states, [first, CHANGE_GRID.ref()]) == 2
        theirs.report_runless_asset_event(dg.AssetMaterialization(IMAGERY, partition="alder|2020"))
        assert restore(ours, made.graph, states, [first, second, CHANGE_GRID.ref()]) == 0
        found = ours.fetch_materializations(AssetRecordsFilter(asset_key=IMAGERY), limit=10).records
        assert sorted(str(record.partition_key) for record in found) == ["alder|2019", "alder|2020"]
