"""An archive behind a web server on loopback."""

import functools
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from archives import BANDS4, GRID, on_grid, ramp, stack, write_tif

from minemap_assets.errors import AuthenticationError, BadInputError, MinemapError, RetryableError
from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.files.reading import opened
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource


@pytest.mark.parametrize(
    ("root", "href", "expected"),
    [
        ("/data/a", "b/c.tif", "/data/a/b/c.tif"),
        ("https://h.org/a", "b/c.tif", "/vsicurl/https://h.org/a/b/c.tif"),
        ("https://h.org/a/", "https://g.org/c.tif", "/vsicurl/https://g.org/c.tif"),
        ("s3://bucket/a", "c.tif", "/vsis3/bucket/a/c.tif"),
        ("gs://bucket", "c.tif", "/vsigs/bucket/c.tif"),
    ],
)
def test_addresses(root: str, href: str, expected: str) -> None:
    assert address(root, href) == expected


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """URL of a server over `tmp_path`, in its own process."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        url = f"http://127.0.0.1:{port}"
        _wait(functools.partial(urllib.request.urlopen, url, timeout=5))
        yield url
        server.terminate()


def _wait(request: functools.partial[object]) -> None:
    for _ in range(50):
        try:
            request()
        except OSError:
            time.sleep(0.1)
        else:
            return


def test_files_behind_a_url_are_indexed_by_name_and_read(tmp_path: Path, served: str) -> None:
    write_tif(tmp_path / "a" / "20210701.tif", stack(on_grid(ramp)), GRID.affine)
    rules = ArchiveRules(bands=BANDS4)
    files = ["a/20210701.tif", "a/absent.tif"]
    report = index_archive(served, name="web", product="planet-nicfi", rules=rules, files=files)
    assert report.images == 1
    assert [r.path for r in report.refused] == ["a/absent.tif"]
    source = ArchiveSource("planet-nicfi", [read_index("web", served, report.features)])
    composite = source.read(GRID, SeasonRule().season(2021), BANDS4)
    np.testing.assert_array_equal(composite.pixels, stack(on_grid(ramp)))
    moved = ArchiveSource("planet-nicfi", [read_index("web", f"{served}/b", report.features)])
    with pytest.raises(BadInputError, match=r"20210701\.tif is not there"):
        moved.read(GRID, SeasonRule().season(2021), BANDS4)


def test_a_file_replaced_on_the_server_has_another_revision(tmp_path: Path, served: str) -> None:
    def revision() -> str:
        rules = ArchiveRules(bands=BANDS4)
        report = index_archive(served, name="web", product="planet-nicfi", rules=rules, files=["20210701.tif"])
        return read_index("web", served, report.features).images[0].revision

    path = write_tif(tmp_path / "20210701.tif", stack(on_grid(ramp)), GRID.affine)
    before = revision()
    assert revision() == before
    os.utime(path, (1_600_000_000, 1_600_000_000))
    assert revision() != before


def test_a_server_that_is_away_is_asked_again_later(tmp_path: Path, served: str) -> None:
    write_tif(tmp_path / "20210701.tif", stack(on_grid(ramp)), GRID.affine)
    report = index_archive(
        served, name="web", product="planet-nicfi", rules=ArchiveRules(bands=BANDS4), files=["20210701.tif"]
    )
    away = ArchiveSource("planet-nicfi", [read_index("web", "http://127.0.0.1:1", report.features)])
    with pytest.raises(RetryableError, match="cannot be read now"):
        away.read(GRID, SeasonRule().season(2021), BANDS4)


@pytest.mark.parametrize(("code", "kind"), [(403, AuthenticationError), (404, BadInputError), (503, RetryableError)])
def test_what_a_server_answers_decides_what_happens(code: int, kind: type[MinemapError]) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(kind), opened(f"/vsicurl/http://127.0.0.1:{server.server_port}/a1500.tif"):
                pass
        finally:
            server.shutdown()
