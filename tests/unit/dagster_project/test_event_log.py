"""The quick event log: the same files as Dagster's own, which either may open."""

import os
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dagster_project.event_log import QuickEventLog, QuickRunRecords, hasten, kept_open
from dagster_project.open_databases import OpenDatabases


@dg.asset
def one() -> int:
    return 1


def instance_at(folder: Path, *, quick: bool) -> DagsterInstance:
    folder.mkdir(exist_ok=True)
    instance = DagsterInstance.from_config(str(folder))
    if quick:
        hasten(instance)
    return instance


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def schema_of(path: Path) -> list[str]:
    with sqlite3.connect(path) as database:
        said = database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        version = database.execute("SELECT version_num FROM alembic_version").fetchall()
        return [str(row) for row in (*said, *version, *database.execute("PRAGMA journal_mode").fetchall())]


@pytest.mark.parametrize("quick", [True, False])
def test_what_one_wrote_the_other_reads(tmp_path: Path, quick: bool) -> None:
    with instance_at(tmp_path, quick=quick) as instance:
        assert type(instance.event_log_storage) is (QuickEventLog if quick else SqliteEventLogStorage)
        run = dg.materialize([one], instance=instance).run_id
        written = [log.message for log in instance.all_logs(run)]
    with instance_at(tmp_path, quick=not quick) as instance:
        assert [log.message for log in instance.all_logs(run)] == written
        assert len(written) > 5
        record = instance.get_latest_materialization_event(dg.AssetKey("one"))
        assert record is not None
        assert record.run_id == run
        assert dg.materialize([one], instance=instance).success


def test_a_copied_schema_is_the_one_that_dagster_builds(tmp_path: Path) -> None:
    for name, quick in (("quick", True), ("plain", False)):
        with instance_at(tmp_path / name, quick=quick) as instance:
            run = dg.materialize([one], instance=instance).run_id
            runs = Path(instance.event_log_storage.path_for_shard(run))  # type: ignore[attr-defined]
            shutil.copy(runs, tmp_path / f"{name}.db")
    assert schema_of(tmp_path / "quick.db") == schema_of(tmp_path / "plain.db")


def test_threads_take_turns_and_leave_no_open_file(tmp_path: Path) -> None:
    with instance_at(tmp_path, quick=True):
        pass  # what is imported on the way may keep files of its own
    before = open_files()
    with instance_at(tmp_path, quick=True) as instance:

        def report(number: int) -> None:
            for turn in range(5):
                event = dg.AssetMaterialization(f"asset{number}", partition=str(turn))
                instance.report_runless_asset_event(event)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(report, range(8)))
        for number in range(8):
            assert instance.get_materialized_partitions(dg.AssetKey(f"asset{number}")) == set("01234")
    assert open_files() == before


def test_only_who_makes_runs_keeps_files_open_and_few_however_many_runs_there_are(tmp_path: Path) -> None:
    with instance_at(tmp_path, quick=True) as instance:
        assert dg.materialize([one], instance=instance).success
        before, opened = open_files(), []
        with kept_open(instance):
            for _ in range(6):
                with kept_open(instance):
                    assert dg.materialize([one], instance=instance).success
                opened.append(open_files())
        assert before < opened[1] == opened[-1]
        assert open_files() == before


def test_who_watches_a_run_hears_of_its_events_though_its_file_stays_open(tmp_path: Path) -> None:
    """As a page of the UI does it, in another process."""
    with instance_at(tmp_path, quick=True) as instance, instance_at(tmp_path, quick=False) as watching:
        run = dg.materialize([one], instance=instance).run_id
        heard = threading.Event()
        watching.watch_event_logs(run, None, lambda *_: heard.set())
        with kept_open(instance):
            instance.report_engine_event("a word", instance.get_run_by_id(run))
            assert heard.wait(10.0)


def test_a_question_in_the_middle_of_another_is_answered(tmp_path: Path) -> None:
    with instance_at(tmp_path, quick=True) as instance:
        records = instance.run_storage
        assert isinstance(records, QuickRunRecords)
        run = dg.materialize([one], instance=instance).run_id
        with records.connect():
            assert records.has_run(run)


def test_what_fails_in_the_middle_is_rolled_back_and_the_file_goes_on(tmp_path: Path) -> None:
    files, path = OpenDatabases(), str(tmp_path / "some.db")
    files.keep(1)
    with files.transaction(path) as connection:
        connection.execute(text("CREATE TABLE found (number INTEGER)"))
    with pytest.raises(OperationalError):
        insert_and_fail(files, path)
    with files.transaction(path) as connection:
        assert connection.execute(text("SELECT count(*) FROM found")).scalar() == 0
    files.close()


def insert_and_fail(files: OpenDatabases, path: str) -> None:
    with files.transaction(path) as connection:
        connection.execute(text("INSERT INTO found VALUES (1)"))
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))


def test_a_forked_process_leaves_the_files_of_its_parent_alone(tmp_path: Path) -> None:
    files, path = OpenDatabases(), str(tmp_path / "some.db")
    files.keep(1)
    with files.transaction(path) as connection:
        connection.execute(text("CREATE TABLE found (number INTEGER)"))
    child = os.fork()
    if child == 0:
        with files.transaction(path) as connection:
            connection.execute(text("INSERT INTO found VALUES (1)"))
        files.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with files.transaction(path) as connection:
        assert connection.execute(text("SELECT count(*) FROM found")).scalar() == 1
    files.close()
