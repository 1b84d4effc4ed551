"""Pages of other origins against the UI: they start, change, wipe and read nothing, and its own pages work."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 30_000
SECONDS_AFTER = 3.0
"""Time in which something that came through would show."""

PLACES = ("127.0.0.1", "localhost", "evil.example")
"""Hosts of the foreign page: the UI's own on another port, another name of this machine, and anybody's."""

BLOCKED = ["chrome-error://chromewebdata/"]
"""What a browser shows in a frame that may not be one."""

READABLE = ("fetch-get-to-read", "fetch-page-to-read", "fetch-json")

IMAGERY, BOUNDARIES = AssetKey(["imagery", "imagery"]), AssetKey(["reference", "country_boundaries"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    handler = partial(Quiet, directory=str(Path(__file__).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@dataclass(frozen=True)
class Records:
    """What an attack could change."""

    regions: tuple[str, ...]
    runs: int
    imagery: tuple[str, ...]
    boundaries: int
    turned_on: tuple[str, ...]


def records(served: Any) -> Records:
    with DagsterInstance.from_config(str(served.chain.environment.dagster_home)) as instance:
        return Records(
            tuple(sorted(instance.get_dynamic_partitions("region"))),
            instance.get_runs_count(),
            tuple(sorted(instance.get_materialized_partitions(IMAGERY))),
            len(instance.fetch_materializations(BOUNDARIES, limit=100).records),
            tuple(sorted(s.name for s in instance.all_instigator_state() if s.status.value == "RUNNING")),
        )


@pytest.fixture(scope="module")
def before(served: Any) -> Records:
    """The records of the finished run."""
    now = records(served)
    assert now.imagery
    assert now.boundaries
    assert "annual_update" not in now.turned_on
    return now


def framed(page: Page) -> list[str]:
    """What the frame of the foreign page shows; the browser's processes agree on that a while after it was loaded."""
    for _ in range(100):
        shown = [frame.url for frame in page.frames if frame.name == "framed"]
        if shown == BLOCKED:
            break
        page.wait_for_timeout(100)
    return shown


@pytest.mark.parametrize("place", PLACES)
def test_a_foreign_page_changes_and_reads_nothing(
    place: str, browser: Browser, served: Any, foreign_port: int, before: Records
) -> None:
    page = browser.new_page()
    page.goto(f"http://{place}:{foreign_port}/attack.html")
    outcomes: dict[str, str] = page.evaluate("target => attackAll(target)", served.address)
    shown = framed(page)
    page.close()
    time.sleep(SECONDS_AFTER)
    assert records(served) == before, outcomes
    assert {way: outcomes[way] for way in READABLE} == dict.fromkeys(READABLE, "error")
    assert outcomes["websocket"] == outcomes["websocket-mutation"] == "error"
    assert outcomes["image"] == outcomes["script"] == outcomes["style"] == "error"
    assert shown == BLOCKED


def test_a_name_that_was_made_to_point_here_gets_nothing(browser: Browser, served: Any, before: Records) -> None:
    """The page then has the origin that it sends to, so that only its name tells it from the UI."""
    page = browser.new_page()
    answer = page.goto(f"http://evil.example:{served.port}/")
    assert answer is not None
    assert answer.status == 421
    assert "This UI is not called 'evil.example:" in page.inner_text("body")
    query = {"query": "{ version }"}
    status = page.evaluate(
        """async query => (await fetch("/graphql", {method: "POST", body: JSON.stringify(query),
            headers: {"content-type": "application/json"}})).status""",
        query,
    )
    page.close()
    assert status == 421
    assert records(served) == before


def test_a_link_from_another_site_leads_to_the_ui(browser: Browser, served: Any, foreign_port: int) -> None:
    page = browser.new_page()
    page.goto(f"http://localhost:{foreign_port}/attack.html")
    page.evaluate("address => { location.href = address; }", f"{served.address}/asset-groups/")
    expect(page.get_by_text("segmentation", exact=True).first).to_be_visible(timeout=PATIENCE)
    page.close()


def test_the_ui_itself_works(page: Page, served: Any, before: Records) -> None:
    """Its pages show assets, start a run, and hear of it as it goes on."""
    page.goto(f"{served.address}/asset-groups/")
    expect(page.get_by_text("segmentation", exact=True).first).to_be_visible(timeout=PATIENCE)
    heard = page.evaluate(OWN, list(BOUNDARIES.path))
    assert heard["launched"]["data"]["launchRun"]["__typename"] == "LaunchRunSuccess", json.dumps(heard["launched"])
    assert heard["acknowledged"] == "connection_ack"
    assert "PipelineRunLogsSubscriptionSuccess" in heard["news"]
    assert records(served).runs == before.runs + 1


OWN = """async path => {
  const repository = {repositoryName: "__repository__", repositoryLocationName: "dagster_project.definitions"};
  const run = {
    selector: {...repository, pipelineName: "__ASSET_JOB", assetSelection: [{path}]},
    mode: "default",
  };
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: {"content-type": "application/json"},
    body: JSON.stringify({
      query: `mutation Launch($run: ExecutionParams!) {
        launchRun(executionParams: $run) { __typename ... on LaunchRunSuccess { run { id } } } }`,
      variables: {run},
    }),
  });
  const launched = await answer.json();
  const socket = new WebSocket(`ws://${location.host}/graphql`, "graphql-ws");
  const messages = [];
  await new Promise((done, fail) => { socket.onopen = done; socket.onerror = fail; });
  const enough = new Promise((done) => {
    socket.onmessage = (message) => { messages.push(JSON.parse(message.data)); if (messages.length > 1) done(); };
  });
  socket.send(JSON.stringify({type: "connection_init", payload: {}}));
  socket.send(JSON.stringify({type: "start", id: "1", payload: {
    query: "subscription News($id: ID!) { pipelineRunLogs(runId: $id) { __typename } }",
    variables: {id: launched.data.launchRun.run.id},
  }}));
  await enough;
  return {launched, acknowledged: messages[0].type, news: JSON.stringify(messages[1])};
}"""
