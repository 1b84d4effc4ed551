"""Folders and buckets that cannot hold a project: told as what they are, by every command, and nothing written."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from minemap_assets.lake import bucket
from terminal import AREA, Terminal

COMMANDS = (("regions", "list"), ("status",), ("init",), ("run",), ("ui",), ("sites", "list"))
"""Commands that only look, that write the lake, and that write the state."""

NOBODY = 65534

Environment = Mapping[str, str]


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)


def everything(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


WRONG_PLACES: dict[str, tuple[Environment, str]] = {
    "a file": ({"MINEMAP_HOME": "file"}, "MINEMAP_HOME is {}/file, which is a file; name a folder"),
    "in a file": (
        {"MINEMAP_HOME": "file/a/lake"},
        "MINEMAP_HOME is {}/file/a/lake, which cannot be a folder: {}/file is a file; name a folder",
    ),
    "a state that is a file": ({"MINEMAP_STATE": "file"}, "MINEMAP_STATE is {}/file, which is a file; name a folder"),
    "a state in a file": ({"MINEMAP_STATE": "file/state"}, "cannot be a folder: {}/file is a file; name a folder"),
    "a broken link": ({"MINEMAP_HOME": "link"}, "MINEMAP_HOME is {}/link, which is not there: {}/link is a link that"),
    "a link to itself": ({"MINEMAP_HOME": "circle/lake"}, "which cannot be looked at ({}/circle/lake: Too many levels"),
    "an unknown scheme": (
        {"MINEMAP_HOME": "ftp://host/lake"},
        "MINEMAP_HOME is 'ftp://host/lake', which is neither a folder nor an object store's URL such as s3://bucket/",
    ),
    "memory": ({"MINEMAP_HOME": "memory://lake"}, "which is neither a folder nor an object store's URL"),
    "one slash": ({"MINEMAP_HOME": "s3:/bucket/lake"}, "MINEMAP_HOME is 's3:/bucket/lake', which is neither a folder"),
    "a folder as an address": (
        {"MINEMAP_HOME": "file:///data/lake"},
        "MINEMAP_HOME is 'file:///data/lake', which is the address of a folder; name the folder itself, /data/lake",
    ),
    "no bucket": ({"MINEMAP_HOME": "s3://"}, "MINEMAP_HOME is 's3://', which is neither a folder"),
    "a state in a bucket": ({"MINEMAP_STATE": "s3://bucket/state"}, "which is no folder of this machine"),
    "one folder for both": (
        {"MINEMAP_HOME": "both", "MINEMAP_STATE": "./both"},
        "MINEMAP_STATE is {}/both, which is MINEMAP_HOME too, but what belongs to this machine alone",
    ),
    "a lake among copies": (
        {"MINEMAP_HOME": "state/cache/lake", "MINEMAP_STATE": "state"},
        "MINEMAP_HOME is {}/state/cache/lake, which lies where {}/state (MINEMAP_STATE) keeps copies, which go",
    ),
    "a state among inputs": (
        {"MINEMAP_HOME": "lake", "MINEMAP_STATE": "lake/inputs"},
        "MINEMAP_STATE is {}/lake/inputs, which lies among the lake's own files in {}/lake (MINEMAP_HOME)",
    ),
    "an endpoint that is no address": (
        {"MINEMAP_HOME": "s3://bucket/lake", "AWS_ENDPOINT_URL": "127.0.0.1:9000"},
        "AWS_ENDPOINT_URL is '127.0.0.1:9000', which is no web address; write one such as http://host:9000, or unset",
    ),
    "an endpoint without a host": (
        {"MINEMAP_HOME": "s3://bucket/lake", "AWS_ENDPOINT_URL": "http:///lake"},
        "AWS_ENDPOINT_URL is 'http:///lake', which is no web address",
    ),
    "an endpoint with a port that cannot be": (
        {"MINEMAP_HOME": "s3://bucket/lake", "AWS_ENDPOINT": "http://127.0.0.1:99999"},
        "AWS_ENDPOINT is 'http://127.0.0.1:99999', which is no web address",
    ),
}


@pytest.mark.parametrize("mistake", WRONG_PLACES)
def test_what_can_hold_no_project_is_refused_by_every_command(minemap: Terminal, mistake: str) -> None:
    environment, words = WRONG_PLACES[mistake]
    minemap.write("file", "mine")
    (minemap.folder / "link").symlink_to("nowhere")
    (minemap.folder / "circle").symlink_to("circle")
    before = everything(minemap.folder)
    minemap.setenv(**environment)
    for command in COMMANDS:
        answer = minemap(*command)
        assert (answer.code, words.replace("{}", str(minemap.folder)) in answer.sentence) == (2, True), answer.err
        assert not answer.out, command
    assert everything(minemap.folder) == before


@contextmanager
def as_nobody() -> Iterator[None]:
    """For root, who may do everything, as somebody who may not."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(minemap: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may look into, all the way from the root; the command line works in it."""
    minemap("status")  # imports everything, which not everybody might be allowed to
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.chdir(folder)
        yield folder
        for path in (folder / "locked", folder / "kept"):
            if path.exists():
                path.chmod(0o755)


@pytest.mark.parametrize("variable", ["MINEMAP_HOME", "MINEMAP_STATE"])
@pytest.mark.parametrize("below", ["", "project/lake"])
def test_a_folder_that_may_not_be_looked_into(minemap: Terminal, open_folder: Path, variable: str, below: str) -> None:
    locked = open_folder / "locked"
    (locked / "project").mkdir(parents=True)
    locked.chmod(0o000)
    minemap.setenv(**{variable: str(locked / below)})
    with as_nobody():
        for command in (("regions", "list"), ("status",), ("init",)):
            answer = minemap(*command)
            assert answer.code == 2, answer.err
            assert answer.sentence.startswith(f"{variable} is {locked / below}, which cannot be "), answer.sentence
            assert "name another folder, or " in answer.sentence


def test_a_folder_that_may_not_be_written_is_read_and_refused_where_it_is_written(
    minemap: Terminal, open_folder: Path
) -> None:
    kept = open_folder / "kept"
    kept.mkdir()
    kept.chmod(0o555)
    minemap.setenv(MINEMAP_HOME=str(kept / "a/lake"))
    with as_nobody():
        assert minemap("regions", "list").code == 0
        answer = minemap("init")
    assert (answer.code, answer.out) == (1, "")
    assert f"{kept}/a/lake cannot be written to; choose another folder with MINEMAP_HOME" in answer.sentence
    assert not everything(kept)


def test_a_region_is_not_added_where_the_state_cannot_be_kept(minemap: Terminal, open_folder: Path) -> None:
    kept, lake = open_folder / "kept", open_folder / "lake"
    kept.mkdir()
    lake.mkdir()
    lake.chmod(0o777)
    area = str(open_folder / minemap.draw("area.geojson", AREA))
    (minemap.folder / "area.geojson").rename(area)
    Path(area).chmod(0o644)
    kept.chmod(0o555)
    minemap.setenv(MINEMAP_HOME=str(lake), MINEMAP_STATE=str(kept / "state"))
    with as_nobody():
        answer = minemap("regions", "add", "area", area)
    assert (answer.code, answer.out) == (1, "")
    assert f"{kept}/state/dagster cannot be written to; choose another folder with MINEMAP_STATE" in answer.sentence
    assert not [path for path in everything(lake) if path.startswith("inputs")]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc")
@pytest.mark.parametrize("place", ["/proc/nothing/lake", "/proc/lake"])
def test_a_place_that_takes_no_folder_is_not_called_full(minemap: Terminal, place: str) -> None:
    minemap.setenv(MINEMAP_HOME=place)
    answer = minemap("init")
    assert answer.code == 1
    assert f"{place} cannot be made: /proc takes no folder; choose another folder with MINEMAP_HOME" in answer.sentence


@contextmanager
def server(status: int, code: str = "") -> Iterator[str]:
    """An object store that gives one answer."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>No.</Message></Error>'.encode()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_GET = do_PUT = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@contextmanager
def silence() -> Iterator[str]:
    """A server that takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def untrusted() -> Iterator[str]:
    """A server of plain HTTP, named as one of HTTPS."""
    with server(404, "NoSuchKey") as address:
        yield address.replace("http:", "https:")


BUCKETS: dict[str, tuple[Callable[[], AbstractContextManager[str]], int, str]] = {
    "not there": (
        lambda: server(404, "NoSuchBucket"),
        2,
        "MINEMAP_HOME is s3://bucket/lake, and there is no such bucket; make it, or correct MINEMAP_HOME",
    ),
    "an unknown key": (
        lambda: server(403, "InvalidAccessKeyId"),
        1,
        "access was refused (InvalidAccessKeyId); check the credentials in the environment, AWS_ACCESS_KEY_ID and",
    ),
    "somebody else's": (lambda: server(403, "AccessDenied"), 1, "access was refused (AccessDenied); check the"),
    "in another region": (
        lambda: server(301, "PermanentRedirect"),
        1,
        "its region seems to be another one, set AWS_REGION",
    ),
    "on no server": (
        lambda: nullcontext("http://127.0.0.1:9"),
        1,
        "MINEMAP_HOME is s3://bucket/lake, and http://127.0.0.1:9 gives no answer that could be used; check the",
    ),
    "on a server that speaks no TLS": (
        untrusted,
        1,
        "gives no answer that could be used; check the network, MINEMAP_HOME and the endpoint in the environment",
    ),
    "on a silent server": (silence, 1, "gives no answer that could be used; check the network, MINEMAP_HOME and the"),
}


@pytest.mark.parametrize("mistake", BUCKETS)
def test_a_bucket_that_cannot_be_used_is_told_within_seconds(
    minemap: Terminal, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    """A tenth of the time that is waited, which is far less than the patience with a store that was there before."""
    connect, whole, attempts, together = bucket._BRISK
    assert (together + whole).total_seconds() < 15
    monkeypatch.setattr(bucket, "_BRISK", (connect / 10, whole / 10, attempts, together / 10))
    begin, code, words = BUCKETS[mistake]
    minemap.setenv(MINEMAP_HOME="s3://bucket/lake", AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")
    with begin() as address:
        minemap.setenv(AWS_ENDPOINT_URL=address)
        for command in COMMANDS[:3]:
            start = time.monotonic()
            answer = minemap(*command)
            assert time.monotonic() - start < 5
            assert (answer.code, words in answer.sentence) == (code, True), answer.err
            assert not answer.out


def test_a_bucket_without_credentials(minemap: Terminal) -> None:
    """The variable that names a container's credentials leads to a server that has none."""
    with server(403) as address:
        minemap.setenv(MINEMAP_HOME="s3://bucket/lake", AWS_METADATA_ENDPOINT=address, AWS_ENDPOINT_URL=address)
        answer = minemap("regions", "list")
    assert answer.code == 1
    assert (
        "MINEMAP_HOME is s3://bucket/lake, and the environment holds no credentials for it; set AWS_ACCESS_KEY_ID and"
        in (answer.sentence)
    )
