"""Runs in this process: each is one of its own, of a job that is cut out and described once."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster import DagsterInstance

from dagster_project.in_process_jobs import InProcessJobs

YEARS = dg.StaticPartitionsDefinition(["2018", "2019", "2020"])


@dg.asset(partitions_def=YEARS)
def images(context: dg.AssetExecutionContext) -> int:
    """Fails in one year."""
    if context.partition_key == "2020":
        raise dg.Failure("nothing was seen")
    return int(context.partition_key)


@dg.asset(partitions_def=YEARS)
def maps(images: int) -> int:
    """Made from the images."""
    return images


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """One with run storage of its own."""
    with DagsterInstance.ephemeral() as one:
        yield one


def test_every_partition_has_its_run_and_the_job_is_described_once(instance: DagsterInstance) -> None:
    jobs = InProcessJobs(dg.Definitions([images, maps]))
    for year in ("2018", "2019"):
        assert jobs.run(instance, [images.key], year, {"minemap/step": f"images {year}"})
    runs = instance.get_runs()
    assert {run.tags["dagster/partition"] for run in runs} == {"2018", "2019"}
    assert {run.tags["minemap/step"] for run in runs} == {"images 2018", "images 2019"}
    assert {run.asset_selection for run in runs} == {frozenset({images.key})}
    assert len({run.job_snapshot_id for run in runs}) == len({run.execution_plan_snapshot_id for run in runs}) == 1
    assert instance.get_materialized_partitions(images.key) == {"2018", "2019"}
    assert instance.get_materialized_partitions(maps.key) == set()


def test_a_run_that_fails_says_so_and_the_next_one_goes_on(instance: DagsterInstance) -> None:
    jobs = InProcessJobs(dg.Definitions([images, maps]))
    assert not jobs.run(instance, [images.key, maps.key], "2020", {})
    assert jobs.run(instance, [images.key, maps.key], "2019", {})
    assert instance.get_materialized_partitions(maps.key) == {"2019"}


def test_an_unknown_partition_makes_no_run(instance: DagsterInstance) -> None:
    with pytest.raises(dg.DagsterUnknownPartitionError):
        InProcessJobs(dg.Definitions([images, maps])).run(instance, [images.key], "1066", {})
    assert instance.get_runs() == []
