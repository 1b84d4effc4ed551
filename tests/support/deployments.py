"""A deployment as docker/compose.yaml has it, but for the containers: PostgreSQL, code server and daemon."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from servers.processes import free_port
from tiny import Chain

DOCKER = Path(__file__).parents[2] / "docker"
MODULE = "dagster_project.definitions"

ACCOUNT = "nobody"
"""PostgreSQL refuses to run as root; a test that does becomes this account for it."""

START_SECONDS = 600.0

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def postgres_binaries() -> Path | None:
    """The folder of PostgreSQL's programs, newest release first: Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    programs = Path(found).resolve() if found else debian[-1] if debian else None
    return programs.parent if programs else None


@dataclass(frozen=True)
class Postgres:
    """A running database server."""

    port: int
    password: str

    @property
    def variables(self) -> dict[str, str]:
        """What docker/dagster.yaml reads from the environment."""
        values = {"HOST": "127.0.0.1", "USER": "minemap", "PASSWORD": self.password, "DB": "minemap"}
        return {f"DAGSTER_POSTGRES_{name}": value for name, value in values.items()}


@contextmanager
def running_postgres(binaries: Path) -> Iterator[Postgres]:
    """A server in a temporary folder, with a database and a password of its own."""
    port, password = free_port(), secrets.token_hex(16)
    account: dict[str, Any] = {"user": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="minemap-postgres-"))
    try:
        (folder / "password").write_text(password)
        (folder / "log").touch()
        for path in (folder, folder / "password", folder / "log"):
            if account:
                shutil.chown(path, ACCOUNT)
        data = str(folder / "data")
        words = ["--username=minemap", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
        _do([str(binaries / "initdb"), "-D", data, *words], account)
        # what is lost when the machine itself falls over is no matter of these tests
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        control = [str(binaries / "pg_ctl"), "-D", data, "-w"]
        _do([*control, "-l", str(folder / "log"), "-o", options, "start"], account)
        try:
            create = [str(binaries / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "minemap", "minemap"]
            _do(create, account, PGPASSWORD=password)
            yield Postgres(port, password)
        finally:
            _do([*control, "-m", "immediate", "stop"], account)
    finally:
        shutil.rmtree(folder)


def _do(command: Sequence[str], account: dict[str, Any], **variables: str) -> None:
    done = subprocess.run(
        command, cwd="/", env=os.environ | variables, capture_output=True, text=True, check=False, **account
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@dataclass
class Deployment:
    """Code server and daemon over a project, by the configuration of docker/ but for ports and pauses."""

    chain: Chain
    database: Postgres
    port: int = field(default_factory=free_port)
    code: "subprocess.Popen[bytes] | None" = None
    daemon: "subprocess.Popen[bytes] | None" = None

    @property
    def variables(self) -> dict[str, str]:
        own = self.chain.environment
        named = {"MINEMAP_HOME": own.home, "MINEMAP_STATE": str(own.state), "DAGSTER_HOME": str(own.dagster_home)}
        return dict(os.environ) | named | self.database.variables

    @property
    def workspace(self) -> Path:
        return self.chain.folder / "workspace.yaml"

    def configure(self) -> None:
        """Write the configuration of docker/ with these ports, and pauses that a test has patience for."""
        configuration = yaml.safe_load((DOCKER / "dagster.yaml").read_text())
        configuration["storage"]["postgres"]["postgres_db"]["port"] = self.database.port
        configuration["run_queue"] |= {"dequeue_interval_seconds": 1, "user_code_failure_retry_delay": 2}
        configuration["run_monitoring"] |= {"poll_interval_seconds": 2}
        (self.chain.environment.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(configuration))
        workspace = yaml.safe_load((DOCKER / "workspace.yaml").read_text())
        (location,) = workspace["load_from"]
        location["grpc_server"] |= {"host": "127.0.0.1", "port": self.port}
        self.workspace.write_text(yaml.safe_dump(workspace))

    def start_code(self, grace: float = 900.0) -> None:
        """Start the code server, and wait until it answers."""
        words = ["--known-as", "127.0.0.1", "--port", str(self.port), "--grace", str(grace)]
        self.code = self._start("code", "dagster_project.code_server", *words, "--module-name", MODULE)
        check = [sys.executable, "-m", "dagster", "api", "grpc-health-check", "--port", str(self.port)]
        end = time.monotonic() + START_SECONDS
        while subprocess.run(check, capture_output=True, check=False).returncode != 0:
            assert self.code.poll() is None, self.log("code")
            assert time.monotonic() < end, self.log("code")
            time.sleep(0.5)

    def start_daemon(self) -> None:
        self.daemon = self._start("daemon", "dagster._daemon", "run", "--workspace", str(self.workspace))

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()

    def kill_code(self) -> None:
        """Kill the code server and its runs, as the end of a container does."""
        assert self.code is not None
        for pid in reversed(self.below(self.code.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.code.wait()

    def below(self, pid: int) -> list[int]:
        """A process and all that came of it."""
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
        found = [pid]
        for one in found:
            found.extend(child for child, parent in parents.items() if parent == one)
        return found

    def stop(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.kill_daemon()
        if self.code is not None and self.code.poll() is None:
            self.kill_code()

    def log(self, name: str) -> str:
        return (self.chain.folder / f"{name}.log").read_text()

    def _start(self, name: str, module: str, *words: str) -> "subprocess.Popen[bytes]":
        with (self.chain.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env=self.variables,
                cwd=self.chain.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @contextmanager
    def connected(self) -> Iterator["Connection"]:
        """The instance and the code server, as the web server sees them."""
        with (
            DagsterInstance.from_config(str(self.chain.environment.dagster_home)) as instance,
            WorkspaceProcessContext(instance, WorkspaceFileTarget([str(self.workspace)])) as context,
        ):
            yield Connection(instance, context)


@dataclass(frozen=True)
class Connection:
    """What the UI does, done by GraphQL."""

    instance: DagsterInstance
    workspace: "WorkspaceProcessContext"

    def launch(self, assets: Sequence[str], *keys: str) -> str:
        """Put a run of assets (`room/name`) and one partition into the queue; returns its id."""
        from dagster_graphql.schema import create_schema

        selector = {
            "repositoryLocationName": "minemap",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": asset.split("/")} for asset in assets],
            "assetCheckSelection": None,
        }
        tags = {"dagster/partition": "|".join(keys)} if keys else {}
        if len(keys) == 2:
            tags |= {"dagster/partition/region": keys[0], "dagster/partition/year": keys[1]}
        execution = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params = {"selector": selector, "executionMetadata": execution, "mode": "default"}
        asked = create_schema().execute_async(
            LAUNCH, context_value=self.workspace.create_request_context(), variables={"params": params}
        )
        answer = asyncio.run(asked)
        assert not answer.errors, answer.errors
        told = answer.data["launchPipelineExecution"]
        assert told["__typename"] == "LaunchRunSuccess", json.dumps(told)
        return str(told["run"]["runId"])

    def statuses(self) -> dict[str, dg.DagsterRunStatus]:
        """Runs and how they stand."""
        return {run.run_id: run.status for run in self.instance.get_runs()}

    def events(self, run_id: str, kind: dg.DagsterEventType) -> int:
        """How often something happened in a run."""
        return len(self.instance.all_logs(run_id, of_type=kind))


@contextmanager
def running_deployment(chain: Chain, database: Postgres) -> Iterator[Deployment]:
    """A deployment whose code server answers and whose daemon works; killed with all it started at the end."""
    deployment = Deployment(chain, database)
    deployment.configure()
    previous = {name: os.environ.get(name) for name in database.variables}
    os.environ.update(database.variables)
    try:
        deployment.start_code()
        deployment.start_daemon()
        yield deployment
    finally:
        deployment.stop()
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
