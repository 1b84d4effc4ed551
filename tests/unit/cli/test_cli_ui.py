"""`minemap ui` up to the point where it serves: what it is told, what it warns of, and what it refuses."""

import pytest

from servers.processes import free_port
from terminal import Terminal

Served = list[tuple[str, list[str]]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """Addresses that would be served, with the names that are allowed beside loopback."""
    calls: Served = []
    monkeypatch.setattr(
        "dagster_project.commands.serving.serve", lambda _, __, host, ___, allowed: calls.append((host, allowed))
    )
    return calls


def ui(minemap: Terminal, *words: str) -> str:
    """What is said on the error stream."""
    answer = minemap("ui", "--port", str(free_port()), *words)
    assert answer.code == 0, answer.err
    return " ".join(answer.err.split())


def test_names_come_from_the_option_and_the_environment(minemap: Terminal, served: Served) -> None:
    minemap.setenv(MINEMAP_ALLOW_HOSTS="Maps.Example.Org., gpu-box:8443")
    ui(minemap, "--allow-host", "a.example", "--allow-host", "[fd00::1]:80")
    assert served == [("127.0.0.1", ["maps.example.org", "gpu-box:8443", "a.example", "[fd00::1]:80"])]


def test_an_empty_list_of_names_is_none(minemap: Terminal, served: Served) -> None:
    minemap.setenv(MINEMAP_ALLOW_HOSTS=" ")
    ui(minemap)
    assert served == [("127.0.0.1", [])]


@pytest.mark.parametrize("name", ["https://maps.example.org", "*", "maps.example.org/ui", "maps.example.org:0"])
def test_a_name_that_no_browser_sends(minemap: Terminal, served: Served, name: str) -> None:
    wanted = f"'{name}' is not a host name; write it as the browser's address bar shows it"
    answer = minemap("ui", "--allow-host", name)
    assert (answer.code, answer.sentence.startswith(wanted)) == (2, True), answer.sentence
    minemap.setenv(MINEMAP_ALLOW_HOSTS=f"good.example,{name}")
    answer = minemap("ui")
    assert (answer.code, answer.sentence.startswith(f"MINEMAP_ALLOW_HOSTS: {wanted}")) == (2, True), answer.sentence
    assert not served


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_is_warned_of(minemap: Terminal, served: Served, host: str) -> None:
    said = ui(minemap, "--host", host)
    assert said.startswith(f"Note: the UI has no accounts, and {host} may be reached from other machines: put a proxy")
    assert served == [(host, [])]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_is_not_warned_of(minemap: Terminal, served: Served, host: str) -> None:
    assert ui(minemap, "--host", host) == ""
    assert served == [(host, [])]
