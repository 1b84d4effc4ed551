"""The UI as it is served: what is refused on the wire, and that it ends with everything it started."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from dagster import DagsterInstance

from servers.processes import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow]

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "dagster_project.definitions"}
MUTATION = """mutation Add($key: String!, $repository: RepositorySelector!) {
  addDynamicPartition(partitionKey: $key, partitionsDefName: "region", repositorySelector: $repository) { __typename }
}"""
PATIENCE = 90.0


@dataclass(frozen=True)
class Served:
    """A server in a process of its own, and its project."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def regions(self) -> list[str]:
        """What the mutation adds to."""
        with DagsterInstance.from_config(str(self.folder / "state" / "dagster")) as instance:
            return list(instance.get_dynamic_partitions("region"))

    def processes(self) -> list[str]:
        """Process ids of the session that the server leads."""
        listed = subprocess.run(["ps", "-eo", "sid=,pid="], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listed.splitlines()]
        return [pid for session, pid in pairs if session == str(self.process.pid)]

    def processes_of(self, word: str) -> list[int]:
        """The processes that have a word in their commands."""
        listed = subprocess.run(["ps", "-wweo", "sid=,pid=,args="], capture_output=True, text=True, check=True).stdout
        lines = [line.split(maxsplit=2) for line in listed.splitlines()]
        return [int(pid) for session, pid, args in lines if session == str(self.process.pid) and f" {word} " in args]

    def process_of(self, word: str) -> int:
        """The one process that has a word in its command."""
        (pid,) = self.processes_of(word)
        return pid

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def send(self, request: str) -> str:
        """The answer to a request in its own words."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request.replace("\n", "\r\n").encode())
            return connection.recv(65536).decode()


@contextmanager
def serving(folder: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`python -m WORDS --port ...`, in a session of its own; killed with all its processes at the end."""
    own = {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    own["DAGSTER_HOME"] = str(folder / "state" / "dagster")
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words, "--port", str(port)],
            env=os.environ | own | dict(environment or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    served = Served(process, port, folder)
    try:
        wait_for(served)
        yield served
    finally:
        for pid in served.processes():
            os.kill(int(pid), signal.SIGKILL)
        process.wait(10)


def wait_for(served: Served) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert served.process.poll() is None, served.log()
        try:
            httpx.get(f"{served.address}/server_info", timeout=2.0).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")


UI = ("dagster_project.cli.main", "ui")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serving(
        folder, [*UI, "--allow-host", "maps.example.org"], {"MINEMAP_ALLOW_HOSTS": "gpu-box, b:81"}
    ) as running:
        yield running


def mutation(key: str) -> dict[str, object]:
    return {"query": MUTATION, "variables": {"key": key, "repository": REPOSITORY}}


def test_programs_and_own_pages_use_it(served: Served) -> None:
    page = httpx.get(served.address, headers={"accept": "text/html"}, follow_redirects=True)
    assert (page.is_success, page.url.path) == (True, "/assets")
    assert httpx.get(f"{served.address}/pictures/imagery/imagery/nowhere/2019/x.webp").status_code == 404
    assert page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "script-src" in page.headers["content-security-policy"]
    assert httpx.get(f"{served.address}/graphql", headers={"accept": "text/html"}).is_success
    for own in ("program", "page"):
        headers = {"origin": served.address, "sec-fetch-site": "same-origin"} if own == "page" else {}
        answer = httpx.post(f"{served.address}/graphql", json=mutation(own), headers=headers)
        assert answer.json()["data"]["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert {"program", "page"} <= set(served.regions())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "maps.example.org", "origin": "https://maps.example.org"}, 200),
        ({"host": "gpu-box"}, 200),
        ({"host": "b:81"}, 200),
        ({"host": "b"}, 421),
        ({"host": "evil.example"}, 421),
        ({"origin": "http://localhost:8000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain; application/json"}, 415),
    ],
)
def test_who_may_send(served: Served, headers: dict[str, str], status: int) -> None:
    key = "-".join(headers.values()).replace("/", "-")
    body = json.dumps(mutation(key))
    answer = httpx.post(
        f"{served.address}/graphql", content=body, headers={"content-type": "application/json", **headers}
    )
    assert answer.status_code == status
    assert (key in served.regions()) == (status == 200)


@pytest.mark.parametrize("path", ["/graphql", "/graphql%0A", "/%67raphql"])
def test_reading_executes_nothing(served: Served, path: str) -> None:
    asked = mutation("by-get")
    query = {"query": MUTATION, "variables": json.dumps(asked["variables"])}
    answer = httpx.get(served.address + path, params=query)
    assert answer.status_code == 405
    assert answer.text == "GraphQL is not executed by GET; send it by POST with the content type application/json.\n"
    assert "by-get" not in served.regions()


@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
def test_reports_are_sent_as_json(served: Served, kind: str) -> None:
    url = f"{served.address}/report_asset_{kind}/reference/country_boundaries"
    assert httpx.post(url).status_code == 415
    assert httpx.post(url, content="{}", headers={"content-type": "text/plain"}).status_code == 415
    answer = httpx.post(url, json={"check_name": "none", "passed": True, "data_version": "1"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET /server_info HTTP/1.0\n\n", 400),
        ("GET /server_info HTTP/1.1\nHost: localhost:PORT\nHost: evil.example\n\n", 400),
        ("GET /server_info HTTP/1.1\nHost: LOCALHOST.:PORT\n\n", 200),
        ("GET /server_info HTTP/1.1\nHost: [::1]:PORT\n\n", 200),
        ("GET http://localhost:PORT/graphql?query={version} HTTP/1.1\nHost: localhost:PORT\n\n", 405),
        ("GET /server_info HTTP/1.1\nHost: localhost:PORT\nOrigin: null\nOrigin: http://localhost:PORT\n\n", 400),
    ],
)
def test_words_on_the_wire(served: Served, request_: str, status: int) -> None:
    assert served.send(request_.replace("PORT", str(served.port))).split()[1] == str(status)


@pytest.mark.parametrize(
    ("origin", "status"), [("http://127.0.0.1:PORT", 101), ("http://localhost:PORT", 403), ("null", 403), ("", 403)]
)
def test_a_websocket_is_for_own_pages(served: Served, origin: str, status: int) -> None:
    upgrade = (
        f"GET /graphql HTTP/1.1\nHost: 127.0.0.1:{served.port}\nConnection: Upgrade\nUpgrade: websocket\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: graphql-ws\n"
    )
    said = f"Origin: {origin}\n".replace("PORT", str(served.port)) if origin else ""
    assert served.send(f"{upgrade}{said}\n").split()[1] == str(status)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_ends_everything_it_started(number: signal.Signals, tmp_path: Path) -> None:
    """Also where it ignored SIGINT at its start, as what a script starts in the background does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # under nohup the tests, and what they start, would ignore it
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with serving(tmp_path, UI) as running:
            signal.signal(signal.SIGINT, before)
            end = time.monotonic() + 60.0
            while len(running.processes()) != 4 and time.monotonic() < end:  # a server asks its system things, too
                time.sleep(0.2)
            assert len(running.processes()) == 4
            running.process.send_signal(number)
            assert running.process.wait(60) == 0, running.log()
            assert running.processes() == []
            assert "Traceback" not in running.log()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGHUP, hung_up)


def test_what_it_started_ends_though_it_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, UI) as running:
        assert len(running.processes()) >= 4
        running.process.kill()
        running.process.wait()
        end = time.monotonic() + 60.0
        while running.processes() and time.monotonic() < end:
            time.sleep(0.5)
        assert running.processes() == []


def test_a_signal_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = os.environ | {"MINEMAP_HOME": str(tmp_path / "lake"), "MINEMAP_STATE": str(state)}
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", *UI, "--port", str(free_port())]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    starting = Served(process, 0, tmp_path)
    while len(starting.processes()) < 2:
        assert process.poll() is None, starting.log()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, starting.log()
    assert starting.processes() == []


def test_what_ends_by_itself_is_started_again_or_told(tmp_path: Path) -> None:
    """The code server, with the process that it keeps, comes back; without the daemon the command ends."""
    reload = """mutation Reload { reloadRepositoryLocation(repositoryLocationName: "dagster_project.definitions") {
      __typename ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }"""
    with serving(tmp_path, UI) as running:
        os.killpg(running.process_of("code-server"), signal.SIGKILL)

        def loads() -> bool:
            answer = httpx.post(f"{running.address}/graphql", json={"query": reload}, timeout=60).json()
            entry = (answer.get("data") or {}).get("reloadRepositoryLocation", {})
            return entry.get("locationOrLoadError", {}).get("__typename") == "RepositoryLocation"

        assert not loads()
        end = time.monotonic() + PATIENCE
        while not loads():
            assert time.monotonic() < end, running.log()
            time.sleep(0.5)
        os.kill(running.process_of("dagster._daemon"), signal.SIGKILL)
        assert running.process.wait(60) == 1
        assert "the Dagster daemon ended with code -9" in " ".join(running.log().split())
        assert running.processes() == []


def test_the_web_server_of_a_deployment(tmp_path: Path) -> None:
    """As in docker/compose.yaml, with a workspace file and no `minemap` command around it."""
    (tmp_path / "state" / "dagster").mkdir(parents=True)
    (tmp_path / "state" / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    workspace = tmp_path / "workspace.yaml"
    module = {"module_name": "dagster_project.definitions", "location_name": "minemap"}
    workspace.write_text(json.dumps({"load_from": [{"python_module": module}]}))
    words = ["dagster_project.webserver", "--host", "0.0.0.0", "--workspace", str(workspace)]
    with serving(tmp_path, words, {"MINEMAP_ALLOW_HOSTS": "maps.example.org"}) as running:
        asked = {"query": "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"}
        url = f"{running.address}/graphql"
        answer = httpx.post(url, json=asked, headers={"host": "maps.example.org"}).json()
        assert answer["data"]["workspaceOrError"]["locationEntries"] == [{"name": "minemap", "loadStatus": "LOADED"}]
        assert httpx.post(url, json=asked, headers={"host": "evil.example"}).status_code == 421
        assert httpx.post(url, json=asked, headers={"host": f"0.0.0.0:{running.port}"}).status_code == 421
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0, running.log()
        assert "Traceback" not in running.log()
