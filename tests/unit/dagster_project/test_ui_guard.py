"""Which requests the guard of the UI lets through."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from asgi_scopes import HOME, JSON, Headers, fetch, scope, websocket
from dagster_project.ui_guard import Authority, OwnNames, judge, own_names, parse_authority, parse_host_option
from minemap_assets.errors import BadInputError

OWN = OwnNames(3000, frozenset({Authority("maps.example.org"), Authority("gpu-box", 8443)}))


def verdict(asked: dict[str, Any], names: OwnNames = OWN) -> int:
    """The status of the refusal, 0 for none."""
    refusal = judge(asked, names)
    return refusal.status if refusal else 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:3000", 0),
        ("LocalHost:3000", 0),
        ("localhost.:3000", 0),
        ("127.0.0.1:3000", 0),
        ("127.1.2.3:3000", 0),
        ("[::1]:3000", 0),
        ("[0:0:0:0:0:0:0:1]:3000", 0),
        ("maps.example.org", 0),
        ("MAPS.Example.Org.", 0),
        ("maps.example.org:443", 0),
        ("maps.example.org:80", 0),
        ("maps.example.org:3000", 0),
        ("gpu-box:8443", 0),
        ("maps.example.org:8080", 421),
        ("gpu-box", 421),
        ("gpu-box:3000", 421),
        ("localhost", 421),
        ("localhost:3001", 421),
        ("localhost..:3000", 421),
        ("evil.example:3000", 421),
        ("localhost.evil.example:3000", 421),
        ("127.0.0.1.evil.example:3000", 421),
        ("evil.maps.example.org", 421),
        ("0.0.0.0:3000", 421),
        ("[::]:3000", 421),
        ("[::1%lo]:3000", 421),
        ("[::1:3000", 421),
        ("::1:3000", 421),
        ("127.1:3000", 421),
        ("2130706433:3000", 421),
        ("localhost:3000@evil.example", 421),
        ("evil.example@localhost:3000", 421),
        ("localhost:3000, evil.example", 421),
        ("localhost:03000000", 421),
        ("localhost:", 421),
        ("localhost:+3000", 421),
        ("localhost:３０００".encode().decode("latin-1"), 421),
        ("", 421),
    ],
)
def test_host(host: str, status: int) -> None:
    assert verdict(scope(headers=[("host", host)])) == status


def test_a_port_that_browsers_leave_out() -> None:
    names = OwnNames(80, frozenset({Authority("maps.example.org", 443)}))
    for host in ("localhost", "127.0.0.1:80", "maps.example.org", "maps.example.org:443"):
        assert verdict(scope(headers=[("host", host)]), names) == 0
    assert verdict(scope(headers=[("host", "maps.example.org:80")]), names) == 421


@pytest.mark.parametrize("headers", [[], [HOME, HOME], [HOME, ("host", "evil.example")]])
def test_a_host_that_is_not_said_once(headers: Headers) -> None:
    assert verdict(scope(headers=headers)) == 400
    assert verdict(websocket([*headers, ("origin", "http://localhost:3000")])) == 400


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:3000", "http://localhost:3000", 0),
        ("localhost:3000", "HTTP://LOCALHOST.:3000", 0),
        ("[::1]:3000", "http://[::1]:3000", 0),
        ("maps.example.org", "https://maps.example.org", 0),
        ("maps.example.org:443", "https://maps.example.org", 0),
        ("gpu-box:8443", "https://gpu-box:8443", 0),
        ("localhost:3000", "http://localhost:3001", 403),
        ("localhost:3000", "http://localhost", 403),
        ("localhost:3000", "http://127.0.0.1:3000", 403),
        ("127.0.0.1:3000", "http://localhost:3000", 403),
        ("localhost:3000", "http://evil.example:3000", 403),
        ("localhost:3000", "http://localhost:3000.evil.example", 403),
        ("localhost:3000", "http://localhost:3000@evil.example", 403),
        ("localhost:3000", "http://localhost:3000/", 403),
        ("localhost:3000", "http://localhost:3000 http://evil.example", 403),
        ("localhost:3000", "null", 403),
        ("localhost:3000", "", 403),
        ("localhost:3000", "localhost:3000", 403),
        ("localhost:3000", "file://", 403),
        ("localhost:3000", "chrome-extension://localhost:3000", 403),
        ("maps.example.org", "https://maps.example.org:8443", 403),
        ("maps.example.org:443", "http://maps.example.org", 403),
    ],
)
def test_origin(host: str, origin: str, status: int) -> None:
    headers = [("host", host), ("origin", origin)]
    assert verdict(scope(headers=headers)) == status
    assert verdict(scope("POST", "/graphql", [*headers, JSON])) == status
    assert verdict(scope("OPTIONS", "/graphql", headers)) == status
    assert verdict(websocket(headers)) == status


def test_several_origins() -> None:
    own = ("origin", "http://localhost:3000")
    assert verdict(scope(headers=[HOME, own, own])) == 400
    assert verdict(websocket([HOME, own, ("origin", "null")])) == 400


def test_a_websocket_says_its_origin_and_there_is_one_place_for_it() -> None:
    assert verdict(websocket([HOME])) == 403
    own = ("origin", "http://localhost:3000")
    assert verdict(websocket([HOME, own])) == 0
    assert verdict(websocket([HOME, own, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "websocket")])) == 0
    assert verdict(websocket([HOME, own, ("sec-fetch-site", "same-site")])) == 403
    assert verdict(websocket([HOME, own], "/elsewhere")) == 403


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", fetch("same-origin", "cors", "empty"), 0),
        ("GET", fetch("none", "navigate", "document"), 0),
        ("GET", fetch("cross-site", "navigate", "document"), 0),
        ("GET", fetch("same-site", "navigate", "document"), 0),
        ("GET", fetch("cross-site", "navigate", "iframe"), 403),
        ("GET", fetch("cross-site", "navigate", "embed"), 403),
        ("GET", fetch("cross-site", "no-cors", "image"), 403),
        ("GET", fetch("same-site", "no-cors", "image"), 403),
        ("GET", fetch("cross-site"), 403),
        ("GET", fetch("anything", "cors", "empty"), 403),
        ("GET", [*fetch("same-origin"), ("sec-fetch-site", "cross-site")], 403),
        ("POST", [*fetch("cross-site", "navigate", "document"), JSON], 403),
        ("POST", [*fetch("same-site", "cors", "empty"), JSON], 403),
        ("POST", [*fetch("same-origin", "cors", "empty"), JSON], 0),
    ],
)
def test_what_the_browser_says_of_the_page(method: str, headers: Headers, status: int) -> None:
    assert verdict(scope(method, "/graphql", headers)) == status


@pytest.mark.parametrize("path", ["/graphql", "/graphql\n", "/graphql/"])
@pytest.mark.parametrize("query", [b"query={version}", b"%71uery=mutation", b"a"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_graphql_by_get(method: str, query: bytes, path: str) -> None:
    refusal = judge(scope(method, path, query=query), OWN)
    assert refusal is not None
    assert (refusal.status, refusal.allow) == (405, "POST")
    assert verdict(scope(method, path)) == 0
    assert verdict(scope(method, "/runs", query=query)) == 0


@pytest.mark.parametrize(
    ("types", "status"),
    [
        (["application/json"], 0),
        (["Application/JSON; charset=utf-8"], 0),
        ([], 415),
        ([""], 415),
        (["text/plain"], 415),
        (["text/plain; application/json"], 415),
        (["text/plain;charset=application/json"], 415),
        (["application/json-but-not-quite"], 415),
        (["application/graphql"], 415),
        (["application/x-www-form-urlencoded"], 415),
        (["multipart/form-data; boundary=application/json"], 415),
        (["application/json, text/plain"], 415),
        (["application/json", "text/plain"], 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FORGED"])
@pytest.mark.parametrize(
    "path",
    ["/graphql", "/report_asset_materialization/a/b", "/report_asset_check/a", "/report_asset_observation/a", "/"],
)
def test_what_may_change_something_is_json(path: str, method: str, types: list[str], status: int) -> None:
    assert verdict(scope(method, path, [HOME, *(("content-type", text) for text in types)])) == status


@pytest.mark.parametrize("path", ["/notebook", "/dagit/notebook", "/notebook\n"])
def test_no_notebook_is_shown(path: str) -> None:
    assert verdict(scope("GET", path, query=b"path=/tmp/a.ipynb&repoLocName=x")) == 403


@pytest.mark.parametrize(
    "path", ["/", "/server_info", "/logs/run/compute_logs/step.out", "/download_debug/run", "/a.js"]
)
def test_programs_may_read(path: str) -> None:
    assert verdict(scope("GET", path)) == 0
    assert verdict(scope("HEAD", path)) == 0


authorities = st.builds(
    Authority,
    st.one_of(
        st.sampled_from(["localhost", "maps.example.org", "evil.example", "gpu-box"]),
        st.from_regex(r"[a-z0-9_]{1,5}(\.[a-z0-9_-]{1,5}){0,3}", fullmatch=True),
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).filter(lambda address: address.scope_id is None).map(lambda address: f"[{address}]"),
    ),
    st.none() | st.integers(1, 65535),
)


pages = st.sampled_from(
    [
        Authority("localhost", 3000),
        Authority("localhost", 8000),
        Authority("127.0.0.1", 3000),
        Authority("maps.example.org"),
        Authority("gpu-box", 8443),
        Authority("evil.example", 3000),
    ]
)


@given(authorities)
def test_what_is_written_is_read(authority: Authority) -> None:
    assert parse_authority(str(authority)) == authority
    assert parse_authority(str(authority).upper()) == authority


@given(st.text())
@example("a" * 300)
@example("[" * 5)
def test_any_text_is_a_host_or_none(text: str) -> None:
    found = parse_authority(text)
    assert found is None or parse_authority(str(found)) == found


@given(st.ip_addresses(v=4), st.ip_addresses(v=6))
def test_loopback_addresses(four: IPv4Address, six: IPv6Address) -> None:
    assume(six.scope_id is None)
    assert Authority(str(four)).loopback == four.is_loopback
    assert Authority(f"[{six}]").loopback == (six == IPv6Address("::1"))


@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]),
    host=pages | authorities,
    origin=st.none() | st.tuples(st.sampled_from(["http", "https"]), pages | authorities),
    types=st.lists(st.sampled_from(["application/json", "text/plain", "text/plain; application/json"]), max_size=2),
    site=st.sampled_from(["", "same-origin", "same-site", "cross-site", "none"]),
    path=st.sampled_from(["/", "/graphql", "/graphql\n", "/report_asset_check/a"]),
    query=st.sampled_from([b"", b"query=mutation"]),
    socket=st.booleans(),
)
@example(
    "POST", Authority("localhost", 3000), ("http", Authority("evil.example")), ["application/json"], "", "/", b"", False
)
def test_whatever_comes_through_keeps_to_every_rule(
    method: str,
    host: Authority,
    origin: tuple[str, Authority] | None,
    types: list[str],
    site: str,
    path: str,
    query: bytes,
    socket: bool,
) -> None:
    headers = [("host", str(host)), *(("content-type", text) for text in types)]
    headers += [("origin", f"{origin[0]}://{origin[1]}")] if origin else []
    headers += [("sec-fetch-site", site)] if site else []
    asked = websocket(headers, path) if socket else scope(method, path, headers, query)
    if judge(asked, OWN) is not None:
        return
    assert (host.loopback and host.port == 3000) or host.name in ("maps.example.org", "gpu-box")
    assert site in ("", "same-origin", "none")
    if origin:
        usual = {"http": 80, "https": 443}[origin[0]]
        assert (origin[1].name, origin[1].port or usual) == (host.name, host.port or usual)
    if socket:
        assert origin
    elif method in ("POST", "PUT", "DELETE"):
        assert types == ["application/json"]
    else:
        assert not (path.startswith("/graphql") and query)


@pytest.mark.parametrize(
    ("host", "own", "foreign"),
    [
        ("127.0.0.1", ["localhost:3000", "[::1]:3000"], ["0.0.0.0:3000", "192.168.1.5:3000"]),
        ("192.168.1.5", ["localhost:3000", "192.168.1.5:3000"], ["192.168.1.5", "192.168.1.6:3000"]),
        ("gpu-box", ["gpu-box:3000"], ["gpu-box", "evil.example:3000"]),
        ("fd00::1", ["[fd00::1]:3000"], ["[fd00::2]:3000"]),
        ("0.0.0.0", ["127.0.0.1:3000", "maps.example.org"], ["0.0.0.0:3000", "192.168.1.5:3000"]),
        ("::", ["[::1]:3000"], ["[::]:3000"]),
    ],
)
def test_the_address_that_is_served_is_a_name(host: str, own: list[str], foreign: list[str]) -> None:
    names = own_names(host, 3000, [Authority("maps.example.org")])
    assert [verdict(scope(headers=[("host", name)]), names) for name in own] == [0] * len(own)
    assert [verdict(scope(headers=[("host", name)]), names) for name in foreign] == [421] * len(foreign)


@pytest.mark.parametrize(
    "text", ["https://maps.example.org", "maps.example.org/ui", "*", "*.example.org", "", "a b", "ü"]
)
def test_a_name_that_is_none(text: str) -> None:
    with pytest.raises(BadInputError, match=r"is not a host name; write it as .* such as maps\.example\.org"):
        parse_host_option(text)
