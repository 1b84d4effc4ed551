"""Which runs a code server waits for before it ends."""

import json

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from dagster_project.code_server import Address

HERE = Address("code", 4000)


def sent(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, host: str = "code", port: int = 4000) -> str:
    """A run as the daemon leaves it that has sent it to a code server."""
    tags = {GRPC_INFO_TAG: json.dumps({"host": host, "port": port})} if host else {}
    run = instance.create_run_for_job(make_nothing, status=status, tags=tags)
    return run.run_id


@dg.job
def make_nothing() -> None:
    """A job without steps."""


def test_only_runs_that_were_sent_here_and_did_not_end_are_its_own() -> None:
    status = dg.DagsterRunStatus
    with dg.instance_for_test() as instance:
        own = {sent(instance, one) for one in (status.STARTING, status.STARTED, status.CANCELING)}
        sent(instance, status.SUCCESS)
        sent(instance, status.STARTED, host="another")
        sent(instance, status.STARTED, port=4001)
        sent(instance, status.STARTED, host="")
        assert {run.run_id for run in HERE.unfinished(instance)} == own
