"""Whether the process of a run lives, as Dagster's monitoring is told."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient

from dagster_project.instance import open_instance
from dagster_project.run_locks import PROCESS, running

PATIENCE = 120.0


@dg.job
def idle() -> None:
    """A job to have runs of."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with open_instance(tmp_path / "dagster") as instance:
        yield instance


def health(instance: DagsterInstance, tags: dict[str, str]) -> WorkerStatus:
    """What is said of a run with such tags that counts as going on."""
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert instance.run_launcher.supports_check_run_worker_health
    return instance.run_launcher.check_run_worker_health(run).status


def sent_to(socket: Path) -> dict[str, str]:
    return {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(socket)})}


def test_a_lock_file_says_whether_a_process_lives(instance: DagsterInstance) -> None:
    with running(instance) as tags:
        assert health(instance, tags) is WorkerStatus.RUNNING
    assert health(instance, tags) is WorkerStatus.FAILED
    lock = Path(instance.root_directory) / "processes" / "1-dead.lock"
    assert health(instance, {PROCESS: str(lock)}) is WorkerStatus.FAILED


def test_what_cannot_be_seen_from_here_is_left_alone(instance: DagsterInstance, tmp_path: Path) -> None:
    assert health(instance, {}) is WorkerStatus.RUNNING
    assert health(instance, {PROCESS: "/elsewhere/processes/1-far.lock"}) is WorkerStatus.RUNNING
    silent = tmp_path / "silent"
    silent.touch()
    assert health(instance, sent_to(silent)) is WorkerStatus.RUNNING


def test_a_run_whose_code_server_is_gone_with_its_socket_is_dead(instance: DagsterInstance, tmp_path: Path) -> None:
    assert health(instance, sent_to(tmp_path / "nothing")) is WorkerStatus.FAILED


@contextmanager
def code_server(folder: Path) -> Iterator[Path]:
    """Dagster's code server over an empty project; gives its socket."""
    (folder / "empty.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    socket = folder / "socket"
    words = ["api", "grpc", "--socket", str(socket), "--python-file", str(folder / "empty.py")]
    server = subprocess.Popen([sys.executable, "-m", "dagster", *words])
    try:
        client, end = DagsterGrpcClient(socket=str(socket)), time.monotonic() + PATIENCE
        while True:
            try:
                client.ping("")
                break
            except DagsterUserCodeUnreachableError:
                assert time.monotonic() < end
                time.sleep(0.2)
        yield socket
    finally:
        server.kill()
        server.wait()


@pytest.mark.integration
def test_a_code_server_that_does_not_know_a_run_says_so(instance: DagsterInstance, tmp_path: Path) -> None:
    with code_server(tmp_path) as socket:
        assert health(instance, sent_to(socket)) is WorkerStatus.FAILED
