"""Files and parts of files, from a server that misbehaves."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.net.client import Client
from minemap_assets.net.policy import ClientPolicy, Clock
from servers.processes import Unreliable, unreliable
from servers.unreliable import KINDS

URL = "https://example.com/data"
DATA = random.Random(1).randbytes(300_000)
FREE = ClientPolicy(rate=1e6, burst=1000, attempts=8, timeout=0.8)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unreliable]:
    root = tmp_path_factory.mktemp("files")
    (root / "data.bin").write_bytes(DATA)
    with unreliable(root) as running:
        yield running


@pytest.fixture
def hasty(server: Unreliable) -> Iterator[Client]:
    server.set(share=0.0, kinds=KINDS, seed=0)
    with Client("service", FREE, clock=Clock(sleep=lambda seconds: time.sleep(seconds * 0.01))) as asking:
        yield asking


def test_a_file_is_published_whole(server: Unreliable, hasty: Client, tmp_path: Path) -> None:
    path = tmp_path / "new" / "data.bin"
    done = hasty.download(f"{server.url}/files/data.bin", path)
    assert path.read_bytes() == DATA
    assert (done.size, done.transferred) == (len(DATA), len(DATA))
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]


@pytest.mark.parametrize("kind", ["truncated body", "reset", "stall", "503", "wrong length", "corrupt block"])
def test_downloads_survive_every_fault(server: Unreliable, hasty: Client, tmp_path: Path, kind: str) -> None:
    def verify(path: Path) -> None:
        if path.read_bytes() != DATA:
            raise BadInputError("it differs")

    server.set(share=0.5, kinds=[kind], seed=3)
    path = tmp_path / "data.bin"
    for _ in range(4):
        path.unlink(missing_ok=True)
        hasty.download(f"{server.url}/files/data.bin", path, verify=verify)
        assert path.read_bytes() == DATA
    assert any(entry["fault"] for entry in server.log())


def test_a_download_goes_on_where_it_broke_off(server: Unreliable, hasty: Client, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    server.set(share=1.0, kinds=["truncated body"])
    with pytest.raises(RetryableError):
        hasty.download(f"{server.url}/files/data.bin", path)
    have = (tmp_path / "data.bin.part").stat().st_size
    assert not path.exists()
    assert 0 < have < len(DATA)
    server.set(share=0.0)
    done = hasty.download(f"{server.url}/files/data.bin", path)
    assert path.read_bytes() == DATA
    assert done.transferred == len(DATA) - have
    assert [entry["range"] for entry in server.log()] == [f"bytes={have}-"]


def test_a_changed_file_is_fetched_from_its_start(server: Unreliable, hasty: Client, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.with_name("data.bin.part").write_bytes(b"of another version")
    path.with_name("data.bin.part.etag").write_text('"older"')
    hasty.download(f"{server.url}/files/data.bin", path)
    assert path.read_bytes() == DATA


def test_threads_that_want_one_file_fetch_it_one_after_the_other(tmp_path: Path) -> None:
    """A part that two wrote to at a time would be published damaged; each has its own check made."""
    fetching: list[int] = []
    checked: list[Path] = []

    def slow(_: httpx.Request) -> httpx.Response:
        fetching.append(1)
        assert len(fetching) == 1
        time.sleep(0.02)
        fetching.pop()
        return httpx.Response(200, content=DATA)

    path = tmp_path / "data.bin"
    with Client("service", FREE, transport=httpx.MockTransport(slow)) as asking, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(asking.download, URL, path, verify=checked.append) for _ in range(4)]
        assert [job.result().transferred for job in jobs] == [len(DATA)] * 4
    assert len(checked) == 4
    assert path.read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_parts_of_files_are_what_was_asked_for(server: Unreliable, hasty: Client) -> None:
    url = f"{server.url}/files/data.bin"
    span = hasty.get_range(url, 1000, 500)
    assert (span.data, span.total) == (DATA[1000:1500], len(DATA))
    assert hasty.get_range(url, len(DATA) - 10, 500).data == DATA[-10:]
    server.set(share=0.5, kinds=["wrong length", "truncated body", "reset"], seed=5)
    for start in range(0, 5000, 500):
        assert hasty.get_range(url, start, 500).data == DATA[start : start + 500]
