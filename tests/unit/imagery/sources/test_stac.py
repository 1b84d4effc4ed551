"""The parts of the source `stac` that need no server."""

import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.files import compositing
from minemap_assets.imagery.files.warping import Window
from minemap_assets.imagery.sources.stac.blocks import Part, RemoteFile
from minemap_assets.imagery.sources.stac.composing import row_blocks, rows_within
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.offsets import from_dark_pixels, resolve_offset
from minemap_assets.imagery.sources.stac.scene_files import Hidden, Hiding, Placing
from minemap_assets.imagery.sources.stac.scenes import Scene, parse_scene
from minemap_assets.imagery.sources.stac.source import StacSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.net.client import Client
from stac_world import TILE

C1, PLANETARY, EARTH = StacConfig().collections_for("sentinel-2-l2a")
HERE = shapely.box(10.0, 0.0, 11.0, 1.0)


def scene(day: str = "2020-06-10", collection: Collection = C1, id_: str = "", **said: Any) -> Scene:
    properties = {"s2:mgrs_tile": "32NPF", "platform": "sentinel-2b", "s2:processing_baseline": "05.09"} | said
    moment = datetime.fromisoformat(f"{day}T10:00:00+00:00")
    name = id_ or f"scene-{day}"
    item = pystac.Item(name, shapely.geometry.mapping(HERE), list(HERE.bounds), moment, properties)
    parsed = parse_scene(item, collection)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("collection", "baseline", "offset"),
    [
        (C1, "05.00", -1000),
        (C1, "05.11", -1000),
        (PLANETARY, "02.12", 0),
        (PLANETARY, "03.01", 0),
        (PLANETARY, "04.00", -1000),
        (PLANETARY, "05.10", -1000),
        (PLANETARY, "", None),
        (EARTH, "03.01", 0),
    ],
)
def test_each_collection_has_its_rule(collection: Collection, baseline: str, offset: int | None) -> None:
    assert resolve_offset(scene(collection=collection, **{"s2:processing_baseline": baseline})).value == offset


def bands(*dark: int) -> dict[str, np.ndarray]:
    """Bands of 2000 pixels, the darkest hundredth of each at the given number, the rest bright."""
    return {
        f"b{n}": np.r_[np.full(20, d), np.full(1980, 4000), np.zeros(50)].astype(np.uint16) for n, d in enumerate(dark)
    }


@pytest.mark.parametrize("flag", [True, False, None])
def test_dark_pixels_decide_against_the_flag(flag: bool | None) -> None:
    assert from_dark_pixels(bands(150, 900, 2400), flag).value == 0
    assert from_dark_pixels(bands(1050, 1010, 3000), flag).value == -1000
    assert from_dark_pixels(bands(2000, 3000), flag).value is None
    assert from_dark_pixels({}, flag).value is None


def test_one_band_on_the_floor_needs_the_flag_to_agree() -> None:
    desert = bands(1100, 1600, 2500)
    assert from_dark_pixels(desert, False).value == -1000
    assert from_dark_pixels(desert, True).value is None
    assert from_dark_pixels(desert, None).value is None


@pytest.mark.parametrize("dates", [5, 40, 160])
def test_memory_stays_within_its_bound_for_any_number_of_dates(dates: int) -> None:
    bound, width, count = 8_000_000, 256, 6
    rows = rows_within(bound, dates, count, width)
    tracemalloc.start()
    try:
        stack = [np.full((count, rows, width), 1000 + n, dtype=np.uint16) for n in range(dates)]
        compositing.median(stack)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= bound * 1.15
    assert rows >= 1


@given(st.integers(1, 300), st.integers(1, 120), st.integers(0, 63), st.integers(1, 64))
def test_blocks_cover_the_grid_once_within_the_bound(height: int, rows: int, phase: int, block: int) -> None:
    grid = GeoBox((height, 8), TILE.affine, TILE.crs)
    pieces = list(row_blocks(grid, rows, phase, block))
    assert sum(p.shape[0] for p in pieces) == height
    assert all(1 <= p.shape[0] <= rows for p in pieces)
    tops = [round((p.affine.f - grid.affine.f) / grid.affine.e) for p in pieces]
    assert tops == sorted(tops)
    if rows >= block:
        assert all((top - phase) % block == 0 for top in tops[1:])


def test_only_sentinel_2_is_served(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="planet-nicfi"):
        StacSource("planet-nicfi", StacConfig(), KeptFiles(tmp_path))


def test_revisions_follow_what_shapes_pixels(tmp_path: Path) -> None:
    def revision(**changes: Any) -> str:
        return StacSource("sentinel-2-l2a", StacConfig(**changes), KeptFiles(tmp_path)).revision

    assert revision() == revision(rate=1.0) == revision(concurrency=2, stack_bytes=1_000_000)
    assert revision() != revision(max_cloud_cover=10.0)
    assert revision() != revision(masked_classes=(0, 1))


def test_a_moment_without_a_zone_is_utc() -> None:
    assert scene().moment.tzinfo == UTC


@dataclass(frozen=True)
class Memory:
    """Files held in memory: by their address numbers (row, column), all on one ground."""

    numbers: dict[str, np.ndarray]
    place: GeoBox
    tag: float | None = None

    def ground(self, _: RemoteFile) -> GeoBox:
        return self.place

    def nodata(self, _: RemoteFile) -> float | None:
        return self.tag

    def block_rows(self, _: RemoteFile) -> int:
        return 1

    def read(self, remote: RemoteFile, window: Window | None = None) -> Part:
        rows, columns = (window or Window(0, 0, *self.place.shape[::-1])).slices
        return Part(self.numbers[remote.url][rows, columns].copy(), {remote.url: 1})


def remote(url: str) -> RemoteFile:
    return RemoteFile(Client("nobody"), url)


@pytest.mark.parametrize("offset", [0, -1000])
def test_what_no_reflectance_has_is_missing(offset: int) -> None:
    grid = square_grid(500_000, 9_000_000, 6, 32720)
    numbers = np.full((6, 6), 3000, dtype=np.uint16)
    numbers[0] = (0, 1, 30_000 - offset, 30_001 - offset, 65_535, 3000)
    numbers[1, 0] = 7777
    files = Memory({"a": numbers}, grid, tag=7777)
    found = Placing(grid, grid, offset).bring(files, remote("a"), Hiding()).pixels
    ground = 3000 + offset
    assert found[0].tolist() == [0, max(1, 1 + offset), 30_000, 0, 0, ground]
    assert found[1].tolist() == [0, *[ground] * 5]


@given(
    resolution=st.sampled_from([10.0, 20.0, 60.0]),
    zone=st.sampled_from([32720, 32721]),
    angle=st.floats(0.0, 6.28),
    reach=st.floats(-400.0, 400.0),
    tagged=st.booleans(),
    cloud=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_swath_s_edge_and_a_cloud_s_never_enter_a_mean(
    resolution: float, zone: int, angle: float, reach: float, *, tagged: bool, cloud: bool
) -> None:
    """Ground that rises evenly is the same after any interpolation; a 0 or a cloud among four pixels is not."""
    grid = GeoBox((80, 80), Affine(10.0, 0.0, 833_000.0, 0.0, -10.0, 9_200_000.0), "EPSG:32720")
    source = GeoBox.from_bbox(
        grid.footprint(f"EPSG:{zone}").boundingbox.buffered(600.0),
        resolution=resolution,
        crs=f"EPSG:{zone}",
        tight=False,
    )
    there = Transformer.from_crs(zone, 32720, always_xy=True)
    y, x = np.mgrid[: source.shape[0], : source.shape[1]] + 0.5
    east, north = there.transform(*(source.affine @ (x.ravel(), y.ravel())))
    east, north = np.reshape(east, x.shape) - 833_400.0, np.reshape(north, x.shape) - 9_199_600.0
    seen = east * np.cos(angle) + north * np.sin(angle) < reach
    truth = 5000 + 2.0 * east + 1.0 * north
    numbers = np.where(seen, truth.round(), 9000 if cloud else 0).astype(np.uint16)
    files = Memory({"band": numbers}, source, tag=0 if tagged else None)
    hiding = Hiding([Hidden(~seen, source)] if cloud else ())
    found = Placing(grid, grid, 0).bring(files, remote("band"), hiding).pixels.astype(float)
    row, column = np.mgrid[:80, :80] * 10.0 + 5.0
    wanted = 5000 + 2.0 * (column - 400.0) + 1.0 * (400.0 - row)
    error = np.abs(found - wanted)[found > 0]
    assert error.max(initial=0.0) <= 1.0 + 3.0 * resolution, "a missing or cloudy pixel entered a mean"
    distance = reach - ((column - 400.0) * np.cos(angle) + (400.0 - row) * np.sin(angle))
    inside = distance > 2.0 * resolution
    assert (found[inside] > 0).all()
    assert np.abs(found - wanted)[inside].max(initial=0.0) <= 1.5
    assert not found[distance < -2.0 * resolution].any()
