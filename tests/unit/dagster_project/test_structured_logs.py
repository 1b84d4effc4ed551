"""Logs as JSON: one object a line, whoever writes, and never a secret."""

import io
import json
import logging
import os
import subprocess
import sys
from typing import Any

import dagster as dg
import pytest

from dagster_project.structured_logs import HIDDEN, JsonStream, handler, loggers, redacted, secrets

PLANTED = "s3cr3t-value-of-a-test"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def python(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = {name: value for name, value in os.environ.items() if name != "MINEMAP_LOG"} | environment
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)


def test_every_line_of_a_process_is_an_object() -> None:
    code = """
import logging, sys, warnings
from dagster_project.structured_logs import install
install(); install()
print('Error: no such region', file=sys.stderr)
sys.stderr.write('half '); sys.stderr.write('a line\\n')
logging.getLogger('minemap.test').warning('key is %s', 's3cr3t-value-of-a-test')
warnings.warn('old')
print('for people')
raise ValueError('s3cr3t-value-of-a-test')
"""
    done = python(code, MINEMAP_LOG="json", PL_API_KEY=PLANTED)
    assert done.stdout == "for people\n"
    assert PLANTED not in done.stderr
    said = objects(done.stderr)
    assert {tuple(one)[:3] for one in said} == {("time", "level", "logger")}
    assert (said[0]["level"], said[0]["message"]) == ("error", "Error: no such region")
    assert (said[1]["level"], said[1]["message"]) == ("info", "half a line")
    assert (said[2]["level"], said[2]["logger"]) == ("warning", "minemap.test")
    assert said[2]["message"] == f"key is {HIDDEN}"
    assert said[3]["logger"] == "py.warnings"
    assert said[-1]["message"] == f"ValueError: {HIDDEN}"


def test_without_the_variable_nothing_changes() -> None:
    code = "import sys; from dagster_project.structured_logs import *; install(); print('plain', file=sys.stderr)"
    assert python(code).stderr == "plain\n"
    assert python(code, MINEMAP_LOG="text").stderr == "plain\n"


def test_only_values_of_variables_that_are_named_like_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MY_TOKEN": "abcdefgh-1",
        "MY_LONGER_TOKEN": "abcdefgh-123",
        "MY_NAME": "an ordinary word",
        "SHORT_KEY": "abc",
        "KEY_FILE": "/etc/minemap/key.json",
        "TOKEN_SECONDS": "12345678901",
    }.items():
        monkeypatch.setenv(name, value)
    assert {"abcdefgh-1", "abcdefgh-123"} <= set(secrets())
    text = "abcdefgh-123 an ordinary word abc /etc/minemap/key.json 12345678901"
    assert redacted(text) == f"{HIDDEN} an ordinary word abc /etc/minemap/key.json 12345678901"


def test_a_step_says_which_run_asset_and_partition_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEMAP_LOG", "json")
    monkeypatch.setenv("WEBHOOK_SECRET", PLANTED)
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", JsonStream(written))

    @dg.asset(name="imagery", key_prefix=["imagery"], partitions_def=dg.StaticPartitionsDefinition(["north"]))
    def imagery(context: dg.AssetExecutionContext) -> None:
        context.log.info("with %s", PLANTED)
        raise ValueError(PLANTED)

    definitions = dg.Definitions(assets=[imagery], loggers=loggers())
    job = definitions.resolve_implicit_job_def_def_for_assets([dg.AssetKey(["imagery", "imagery"])])
    assert job is not None
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.instance_for_test() as instance:
        done = job.execute_in_process(run_config=quiet, instance=instance, partition_key="north", raise_on_error=False)
    said = objects(written.getvalue())
    assert PLANTED not in written.getvalue()
    (told,) = [one for one in said if one["message"] == f"with {HIDDEN}"]
    assert (told["run_id"], told["asset"], told["partition"]) == (done.run_id, "imagery/imagery", "north")
    failed = [one for one in said if "ValueError" in one.get("error", "")]
    assert failed
    assert failed[0]["level"] == "error"


def test_a_record_of_python_keeps_its_traceback() -> None:
    written = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(handler(JsonStream(written)))
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("it failed")
    (said,) = objects(written.getvalue())
    assert said["message"] == "it failed"
    assert said["error"].endswith("ValueError: wrong")
