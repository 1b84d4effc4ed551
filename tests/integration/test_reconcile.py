"""Dagster's records are brought to agree with the lake, whatever happened to either."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.commands.context import Session
from dagster_project.commands.reconciliation import Reconciled, Reconciliation, recorded_versions
from dagster_project.instance import open_instance
from dagster_project.restoring import restore_all
from minemap_assets.graph.partitioning import REGION, partition_key
from tiny import WORLD, YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALDER = sorted(region.slug for region in WORLD.regions)[0]


@pytest.fixture
def copy(finished: Chain, tmp_path: Path) -> Chain:
    return finished.copied(tmp_path / "copy")


def reconciled(chain: Chain, *, dry_run: bool = False) -> Reconciled:
    session = Session(chain.environment, chain.registry, chain.project_home)
    with open_instance(chain.environment.dagster_home) as instance:
        return Reconciliation(instance, session.graph, session.states, dry_run).run()


def in_agreement(chain: Chain) -> bool:
    """Every partition of the lake, and no other, is recorded with its content."""
    session = Session(chain.environment, chain.registry, chain.project_home)
    with open_instance(chain.environment.dagster_home) as instance:
        recorded = {
            (str(asset), key): version
            for asset in session.graph.assets
            for key, version in recorded_versions(instance, asset).items()
        }
    held = {(f"{m.ref.room}/{m.ref.asset}", partition_key(m.ref.keys)): m.content for m in chain.manifests()}
    return recorded == held


def test_a_lost_database_is_told_everything_and_the_lake_is_not_touched(copy: Chain) -> None:
    assert reconciled(copy).agreed
    shutil.rmtree(copy.environment.dagster_home)
    files = {path: path.stat().st_mtime_ns for path in (copy.folder / "lake").rglob("*") if path.is_file()}
    told = reconciled(copy, dry_run=True)
    assert len(told.recorded) == len(copy.manifests())
    assert not in_agreement(copy), "a dry run records nothing"
    found = reconciled(copy)
    assert sorted(found.recorded) == sorted(told.recorded)
    assert in_agreement(copy)
    assert reconciled(copy).agreed
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_what_is_gone_from_the_lake_is_forgotten_and_what_differs_is_corrected(copy: Chain) -> None:
    gone = f"raw_masks[{ALDER}|{YEARS[0]}]"
    shutil.rmtree(copy.folder / "lake" / "segmentation" / "raw_masks" / ALDER / str(YEARS[0]))
    shutil.rmtree(copy.folder / "lake" / "tables" / "database")
    with open_instance(copy.environment.dagster_home) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                dg.AssetKey(["chips", "chips"]),
                partition=f"{ALDER}|{YEARS[1]}",
                tags={"dagster/data_version": "made elsewhere"},
            )
        )
        instance.add_dynamic_partitions(REGION, ["lost-valley"])
        kept = len(instance.fetch_materializations(dg.AssetKey(["segmentation", "raw_masks"]), limit=100).records)
    assert not in_agreement(copy)
    dry, done = reconciled(copy, dry_run=True), reconciled(copy)
    assert (dry.forgotten, dry.corrected) == (done.forgotten, done.corrected)
    assert sorted(done.forgotten) == sorted([gone, "database"])
    assert done.corrected == [f"chips[{ALDER}|{YEARS[1]}]"]
    assert done.recorded == []
    assert done.regions == {"lost-valley": "not in the regions file"}
    assert in_agreement(copy)
    assert reconciled(copy).agreed
    with open_instance(copy.environment.dagster_home) as instance:
        left = instance.fetch_materializations(dg.AssetKey(["segmentation", "raw_masks"]), limit=100).records
        assert len(left) < kept, "what was forgotten is gone, and the history of the others is not"
        assert len({record.partition_key for record in left}) == len(left) == kept - 1
        assert (dg.AssetKey(["segmentation", "raw_masks"]) in instance.all_asset_keys()) is True


def test_a_manifest_that_cannot_be_read_is_named_and_its_record_stays(copy: Chain) -> None:
    manifest = copy.folder / "lake" / "chips" / "chips" / ALDER / str(YEARS[0]) / "manifest.json"
    manifest.write_text("{")
    found = reconciled(copy)
    assert found.agreed
    (sentence,) = found.damaged
    assert str(manifest) in sentence


def test_restoring_and_reconciling_record_the_same(copy: Chain) -> None:
    shutil.rmtree(copy.environment.dagster_home)
    session = Session(copy.environment, copy.registry, copy.project_home)
    with open_instance(copy.environment.dagster_home) as instance:
        restore_all(instance, session.graph, session.states)
    assert reconciled(copy).agreed
