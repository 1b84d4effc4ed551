"""Several sites read at a time: the same partition, bounded, and ended at once."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gradient import BANDS, REF, SEASON, GradientSource, build, sites_frame, west
from odc.geo.geobox import GeoBox

from minemap_assets.errors import MinemapError, NotCoveredError, RetryableError
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Composite
from minemap_assets.lake.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


@dataclass
class UnevenSource(GradientSource):
    """Takes longer for some sites than for others, and counts how many it reads at a time."""

    running: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.03 if grid.affine.c % 20_000 < 10_000 else 0.001)
        try:
            return super().read(grid, season, bands)
        finally:
            with self.lock:
                self.running -= 1


@pytest.mark.parametrize("workers", [2, 3, 16])
def test_any_number_of_workers_gives_the_same_partition(lake: Lake, tmp_path: Path, workers: int) -> None:
    frame = sites_frame(9)
    errors: dict[str, MinemapError] = {west(frame, "m3"): RetryableError("x"), west(frame, "m7"): NotCoveredError("y")}
    one = build(lake, [GradientSource(name="uneven", errors=errors)], frame)
    source = UnevenSource(name="uneven", errors=errors)
    several = build(Lake.local(tmp_path / "w", tmp_path / "w-state"), [source], frame, workers=workers)
    assert several.content == one.content
    assert (several.summary, several.missing) == (one.summary, one.missing)
    assert [m.item for m in several.missing] == ["m3", "m7"]
    assert 2 <= source.most <= workers


@dataclass
class PatientSource(GradientSource):
    """Waits for its first site until it is stopped, as for a server that says nothing."""

    stopped: threading.Event = field(default_factory=threading.Event)
    ended: list[str] = field(default_factory=list)

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        if grid.affine.c < 500_000:
            assert self.stopped.wait(20)
            self.ended.append("stopped")
            raise RetryableError("stopped")
        return super().read(grid, season, bands)

    def stop(self) -> None:
        self.stopped.set()


def test_an_interrupted_build_stops_its_sources_and_keeps_what_came_in_meanwhile(lake: Lake, tmp_path: Path) -> None:
    frame = sites_frame(8)
    stopping: dict[str, MinemapError] = {west(frame, "m5"): KeyboardInterrupt()}  # type: ignore[dict-item]
    source = PatientSource(name="one", errors=stopping)
    with pytest.raises(KeyboardInterrupt):
        build(lake, [source], frame, workers=2)
    assert source.stopped.is_set()
    assert len(source.reads) <= 6, "what had not begun was not begun"
    healthy = GradientSource(name="one")
    resumed = build(lake, [healthy], frame, workers=2)
    read_again = {f"{grid.affine.c:.0f}" for grid in healthy.reads}
    assert west(frame, "m0") in read_again
    assert not read_again & {west(frame, f"m{n}") for n in (1, 2, 3, 4)}
    whole = build(Lake.local(tmp_path / "other", tmp_path / "other-state"), [GradientSource(name="one")], frame)
    assert resumed.content == whole.content


def test_an_interruption_while_a_site_is_stored_stops_the_sources_too(lake: Lake) -> None:
    def interrupted(_: int, __: int, ___: str, _detail: str = "") -> None:
        raise KeyboardInterrupt

    source = PatientSource()
    with (
        pytest.raises(KeyboardInterrupt),
        lake.writer(REF, "x") as writer,
    ):
        build_imagery(sites_frame(4), [source], SEASON, BANDS, 0.5, writer, workers=3, progress=interrupted)
    assert source.stopped.is_set()


def test_one_imagery_partition_is_fetched_at_a_time_by_all_processes() -> None:
    assert {asset.pool for asset in (COMPOSITES, REFERENCE_COMPOSITES)} == {"imagery"}
