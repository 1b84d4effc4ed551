"""Runs of killed processes are closed, those of living ones are left alone."""

from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import TagType, get_tag_type

from dagster_project.first_promotion import user
from dagster_project.instance import open_instance
from dagster_project.run_locks import FOLDER_MARK, PROCESS, close_orphans, is_alive, keep_alive, running, told_of


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def idle() -> None:
    """A job to have runs of."""
    nothing()


def begin(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED, tags=tags)
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_only_runs_without_a_process_are_closed(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        dead = begin(instance, {PROCESS: str(tmp_path / "processes" / "1-dead.lock")})
        foreign = begin(instance, {})
        with running(instance) as tags:
            alive = begin(instance, tags)
            assert close_orphans(instance) == 1
            assert status(instance, dead) is dg.DagsterRunStatus.FAILURE
            assert status(instance, foreign) is dg.DagsterRunStatus.STARTED
            assert status(instance, alive) is dg.DagsterRunStatus.STARTED
    with open_instance(tmp_path) as instance:
        assert status(instance, alive) is dg.DagsterRunStatus.FAILURE
        assert not list((tmp_path / "processes").iterdir())


def test_people_see_who_started_a_run_and_no_path(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance, running(instance) as tags:
        shown = {name: value for name, value in tags.items() if get_tag_type(name) is not TagType.HIDDEN}
        assert shown == {"user": user(), "dagster/max_retries": "0"}


def test_a_closed_run_of_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        dead = begin(instance, {PROCESS: str(tmp_path / "processes" / "1-dead.lock")})
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("gpu")
        assert storage.claim_concurrency_slot("gpu", dead, "step").is_claimed
        run = instance.get_run_by_id(dead)
        assert run is not None
        instance.report_run_failed(run, "and then whoever did this was killed")
        assert not storage.claim_concurrency_slot("gpu", "another", "step").is_claimed
        storage.free_concurrency_slots_for_run("another")
    with open_instance(tmp_path) as instance:
        assert instance.event_log_storage.get_concurrency_run_ids() == set()
        assert instance.event_log_storage.claim_concurrency_slot("gpu", "third", "step").is_claimed


def test_a_run_of_another_machine_with_the_same_records_is_left_alone(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        there = {PROCESS: str(tmp_path / "processes" / "1-far.lock"), FOLDER_MARK: "what is written there"}
        far = begin(instance, there)
        assert close_orphans(instance) == 0
        assert status(instance, far) is dg.DagsterRunStatus.STARTED


def test_a_run_that_was_being_cancelled_counts_as_cancelled_and_is_not_tried_again(tmp_path: Path) -> None:
    with open_instance(tmp_path) as instance:
        dead = begin(instance, {PROCESS: str(tmp_path / "processes" / "1-dead.lock")})
        run = instance.get_run_by_id(dead)
        assert run is not None
        instance.report_run_canceling(run)
        assert close_orphans(instance) == 1
        assert status(instance, dead) is dg.DagsterRunStatus.CANCELED


def test_a_run_counts_as_alive_until_its_process_begins_another(tmp_path: Path) -> None:
    def get(run_id: str) -> dg.DagsterRun:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return run

    with open_instance(tmp_path) as instance:
        first, second = begin(instance, {"minemap/step": "masks north 2019"}), begin(instance, {})
        assert is_alive(instance, get(first)) is None
        keep_alive(instance, get(first))
        assert is_alive(instance, get(first)) is True
        assert told_of(instance, first) == f"run {first[:8]}, which makes masks north 2019"
        keep_alive(instance, get(second))
        assert (is_alive(instance, get(first)), is_alive(instance, get(second))) == (False, True)
        assert close_orphans(instance) == 1
        assert status(instance, first) is dg.DagsterRunStatus.FAILURE
