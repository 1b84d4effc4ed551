"""Planet's quads on disk: bounded, the longest unused go first, and never one that is being read."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.planet.client import PlanetClient
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.quad_cache import FOLDER, QuadCache, QuadRecord
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.locks import hold
from planet_trial import HALF_YEAR, MONTHS, SEASON, SITES, quads_under, source
from planet_world import BANDS, SUPPORT, Running, served
from servers.planet_faults import Account

pytestmark = pytest.mark.integration

HALF = SeasonRule().season(2018)


@pytest.fixture
def server(basemaps: Path) -> Iterator[Running]:
    with served(basemaps) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


def size(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.rglob("*.tif"))


def names(cache: Path, mosaic: str = HALF_YEAR.id) -> set[str]:
    return {path.name.split(".")[0] for path in (cache / FOLDER / mosaic).glob("*.tif")}


def test_it_stays_within_its_limit_and_gives_the_same_pixels(server: Running, tmp_path: Path) -> None:
    unbounded = source(server, tmp_path / "unbounded")
    expected = {name: unbounded.read(grid, SEASON, BANDS).pixels for name, grid in SITES.items()}
    largest = max(path.stat().st_size for path in (tmp_path / "unbounded").rglob("*.tif"))
    limit = size(tmp_path / "unbounded") // 3
    bounded = source(server, tmp_path / "bounded", limit=limit)
    for _ in range(2):
        for name, grid in SITES.items():
            np.testing.assert_array_equal(bounded.read(grid, SEASON, BANDS).pixels, expected[name])
            assert size(tmp_path / "bounded") <= limit + largest


def test_what_is_known_of_an_evicted_quad_saves_fetching_the_others(server: Running, tmp_path: Path) -> None:
    """Three months are ranked by pixels once; afterwards only the clearest is fetched again."""
    source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    places = quads_under([SITES["c"]], MONTHS[0])
    assert server.stats()["counts"]["download"] == 3 * len(places)
    for path in tmp_path.rglob("*.tif"):
        path.unlink()
    source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    assert server.stats()["counts"]["download"] == 4 * len(places)


def test_quads_judged_by_another_rule_are_looked_at_again_not_fetched(server: Running, tmp_path: Path) -> None:
    expected = source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    before = server.stats()["counts"]["download"]
    for path in (path for path in (tmp_path / FOLDER).glob("*/*-*.json") if "udm2" not in path.name):
        record = QuadRecord.model_validate_json(path.read_bytes())
        path.write_text(record.model_copy(update={"rule": "0", "clear": 0}).model_dump_json())
    again = source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    assert again.provenance.acquisitions == expected.provenance.acquisitions
    assert server.stats()["counts"]["download"] == before


def test_the_longest_unused_goes_first(server: Running, tmp_path: Path) -> None:
    def use(cache: Path, limit: float) -> None:
        """The half-year's quads under c, then those under a, then again those under c; then a month's."""
        for name in ("c", "a", "c"):
            source(server, cache).read(SITES[name], HALF, BANDS)
        source(server, cache, limit=limit, clarity="metadata").read(SITES["c"], SEASON, BANDS)

    use(tmp_path / "all", 1e9)
    use(tmp_path / "some", size(tmp_path / "all") - 1)
    gone = names(tmp_path / "all") - names(tmp_path / "some")
    assert gone
    assert gone <= quads_under([SITES["a"]], HALF_YEAR)


def test_a_quad_that_is_being_read_stays(server: Running, tmp_path: Path) -> None:
    source(server, tmp_path).read(SITES["c"], HALF, BANDS)
    client = PlanetClient(PlanetConfig(base_url=server.base_url))
    (mosaic,) = [m for m in client.mosaics().mosaics if m.id == HALF_YEAR.id]
    quad = HALF_YEAR.quads.touching(SITES["c"])[0]
    tight = source(server, tmp_path, limit=1)
    with QuadCache(KeptFiles(tmp_path), client).reading(mosaic, quad) as path:
        tight.read(SITES["a"], HALF, BANDS)
        assert path.is_file()
        assert str(quad) in names(tmp_path)
        assert len(names(tmp_path)) <= 1 + len(quads_under([SITES["a"]], HALF_YEAR))
    tight.read(SITES["c"], SEASON, BANDS)
    assert not path.is_file()


READ = """
import sys
from pathlib import Path
from planet_trial import SEASON, SITES, source
from planet_world import BANDS, Running
planet = source(Running(sys.argv[1]), Path(sys.argv[2]), limit=float(sys.argv[3]))
for _ in range(3):
    for grid in SITES.values():
        print(planet.read(grid, SEASON, BANDS).pixels.sum())
"""


def test_processes_that_evict_each_others_quads_read_the_same(server: Running, tmp_path: Path) -> None:
    command = [sys.executable, "-c", READ, server.base_url, str(tmp_path), "200000"]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=SUPPORT)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    places = {quad for grid in SITES.values() for quad in quads_under([grid], MONTHS[0])}
    # one process may use what the other fetched: at the least something was fetched twice
    assert server.stats()["counts"]["download"] > len(MONTHS) * len(places), "what was evicted came back"


def test_two_who_want_the_same_absent_mask_ask_once(server: Running, tmp_path: Path) -> None:
    """Both find no note of it, then wait for one another: whoever comes second reads the note of the first."""
    source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    before = server.stats()["counts"]["mask"]
    notes = list((tmp_path / FOLDER).glob("*/*_no_udm2.json"))
    for note in notes:
        note.unlink()
    with ExitStack() as held, ThreadPoolExecutor(2) as pool:
        for note in notes:
            held.enter_context(hold(note.with_name(note.name.replace("_no_udm2.json", "_udm2.lock")), keep=True))
        reads = [pool.submit(source(server, tmp_path).read, SITES["c"], SEASON, BANDS) for _ in range(2)]
        assert not wait(reads, timeout=2.0).done, "both are at the locks"
        held.close()
        assert all(read.result(30.0).provenance for read in reads)
    assert server.stats()["counts"]["mask"] == before + len(notes)
