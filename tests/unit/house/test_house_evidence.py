"""Each unverified belief about a service has a probe of its name, and each probe a belief."""

import re
import socket
from collections import Counter

import pytest

import live_probes
from house import Project
from live_probes import PROBES, Found, Outcome, Place, Probe, UntriedError, run
from minemap_assets.errors import AuthenticationError, NotFoundError, RetryableError
from servers.processes import free_port

ROW = re.compile(r"^\| `(?P<name>[\w-]+)` \| (?P<belief>[^|]+) \| \*\*(?P<kind>\w+)\*\*(?P<evidence>[^|]*) \|$", re.M)
NOWHERE: Place = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def rows(project: Project) -> list[re.Match[str]]:
    page = project.text("docs/reference/evidence.md")
    found = list(ROW.finditer(page))
    assert len(found) == len(re.findall(r"^\| `", page, re.M)), "a row that is not written like the others"
    return found


def test_every_belief_has_one_name_and_evidence(rows: list[re.Match[str]]) -> None:
    assert {row["kind"] for row in rows} == {"recorded", "documented", "unverified"}
    assert [name for name, times in Counter(row["name"] for row in rows).items() if times > 1] == []
    assert [row["name"] for row in rows if len(row["evidence"].strip(": ")) < 5] == []


def test_what_is_unverified_is_probed_by_its_name(rows: list[re.Match[str]]) -> None:
    assert sorted(probe.name for probe in PROBES) == sorted(row["name"] for row in rows if row["kind"] == "unverified")


def test_without_a_network_every_probe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refuse)
    outcomes = [run(probe, NOWHERE) for probe in PROBES]
    assert {outcome.verdict for outcome in outcomes} == {"not tried"}
    assert all("could not be reached (Name or service not known)" in outcome.sentence for outcome in outcomes)


@pytest.mark.parametrize(
    ("raised", "verdict"),
    [
        (AuthenticationError("no key"), "not tried"),
        (UntriedError("no mosaic"), "not tried"),
        (RetryableError("HTTP 503"), "not tried"),
        (NotFoundError("no such file"), "not as believed"),
    ],
)
def test_a_probe_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch, raised: Exception, verdict: str) -> None:
    def ask(_: Place) -> Found:
        raise raised

    monkeypatch.setattr(live_probes, "unreachable", lambda _: "")
    outcome = run(Probe("x", lambda: "https://example.com", ask), NOWHERE)
    assert (outcome.verdict, str(raised) in outcome.sentence) == (verdict, True)


def test_what_was_found_is_told_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "refused" in live_probes.unreachable("127.0.0.1", free_port())
    monkeypatch.setattr(live_probes, "unreachable", lambda _: "")
    answers = iter([Found("3 images"), Found("no image", believed=False)])
    probe = Probe("x", lambda: "https://example.com", lambda _: next(answers))
    assert run(probe, NOWHERE) == Outcome("as believed", "3 images")
    assert run(probe, NOWHERE) == Outcome("not as believed", "no image")
