"""The parts of the source `stac` that need no server."""

import tracemalloc
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.files import compositing
from minemap_assets.imagery.files.cog_layout import parse_layout
from minemap_assets.imagery.files.tiff_directories import TooShortError
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac import pixels as stac_pixels
from minemap_assets.imagery.sources.stac.config import Collection, StacConfig
from minemap_assets.imagery.sources.stac.offsets import apply_offset, from_dark_pixels, resolve_offset
from minemap_assets.imagery.sources.stac.scenes import Gap, Scene, gaps, parse_scene, without_duplicates
from minemap_assets.imagery.sources.stac.source import StacSource
from stac_world import TILE, truth, write_cog

C1, PLANETARY, EARTH = StacConfig().collections
SEASON = Season(2020, date(2020, 6, 1), date(2020, 7, 1))
HERE = shapely.box(10.0, 0.0, 11.0, 1.0)


def scene(day: str = "2020-06-10", collection: Collection = C1, id_: str = "", **said: Any) -> Scene:
    properties = {"s2:mgrs_tile": "32NPF", "platform": "sentinel-2b", "s2:processing_baseline": "05.09"} | said
    moment = datetime.fromisoformat(f"{day}T10:00:00+00:00")
    name = id_ or f"scene-{day}"
    item = pystac.Item(name, shapely.geometry.mapping(HERE), list(HERE.bounds), moment, properties)
    parsed = parse_scene(item, collection)
    assert parsed is not None
    return parsed


def test_what_an_item_says_is_read_in_every_catalogue_s_words() -> None:
    ours = scene(
        **{"eo:cloud_cover": 12.5, "s2:datastrip_id": "S2B_OPER_MSI_L2A_DS_2BPS_20230711T101010_S20200610T100355"}
    )
    assert (ours.tile, ours.platform, ours.sensed, ours.baseline) == ("32NPF", "s2b", "20200610T100355", "05.09")
    assert ours.cloud_cover == 12.5
    words = ({"grid:code": "MGRS-5NPF"}, {"mgrs:utm_zone": 5, "mgrs:latitude_band": "N", "mgrs:grid_square": "PF"})
    for other in words:
        assert scene(**{"s2:mgrs_tile": None, **other}).tile == "05NPF"
    product = {"s2:processing_baseline": None, "s2:product_uri": "S2B_MSIL2A_20200610T1_N0214_R022_T32NPF_2020.SAFE"}
    assert scene(**product).baseline == "02.14"
    assert scene(platform="Sentinel-2B").platform == ours.platform


def test_the_newest_processing_wins_inside_a_collection_and_the_first_collection_between_them() -> None:
    old, new = scene(id_="a", **{"s2:processing_baseline": "02.14"}), scene(id_="b")
    later = scene(collection=PLANETARY, id_="c", **{"s2:processing_baseline": "05.11"})
    other_day = scene("2020-06-15")
    assert without_duplicates([old, new, later, other_day]) == [new, other_day]
    assert without_duplicates([new, old]) == [new]
    halves = [scene(id_=f"h{n}", **{"s2:datastrip_id": f"X_S20200610T10000{n}_N05.09"}) for n in (1, 2)]
    assert without_duplicates(halves) == halves


def test_gaps_are_found_at_both_ends_and_between() -> None:
    middle = [shapely.Point(10.5, 0.5)]
    assert gaps([], SEASON, middle, 5) == [Gap(date(2020, 6, 1), date(2020, 6, 30))]
    found = gaps([scene("2020-06-10"), scene("2020-06-12")], SEASON, middle, 9)
    assert found == [Gap(date(2020, 6, 13), date(2020, 6, 30))]
    assert gaps([scene("2020-06-10"), scene("2020-06-20")], SEASON, middle, 10) == []


def test_a_gap_at_one_corner_is_a_gap() -> None:
    points = [shapely.Point(10.5, 0.5), shapely.Point(12.0, 0.5)]
    images = [scene(f"2020-06-{day:02d}") for day in range(1, 31, 5)]
    assert gaps(images, SEASON, points[:1], 6) == []
    assert gaps(images, SEASON, points, 6) == [Gap(date(2020, 6, 1), date(2020, 6, 30))]


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


@given(hnp.arrays(np.uint16, (4, 4)), st.sampled_from([0, -1000]))
def test_an_offset_keeps_what_is_missing_missing(numbers: np.ndarray, offset: int) -> None:
    result = apply_offset(numbers, offset)
    assert ((result == 0) == (numbers == 0)).all()
    seen = numbers > 0
    assert (result[seen] == np.maximum(numbers[seen].astype(int) + offset, 1)).all()


@pytest.mark.parametrize("dates", [5, 40, 160])
def test_memory_stays_within_its_bound_for_any_number_of_dates(dates: int) -> None:
    bound, width, count = 8_000_000, 256, 6
    rows = stac_pixels.rows_within(bound, dates, count, width)
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
    pieces = list(stac_pixels.blocks(grid, rows, phase, block))
    assert sum(p.shape[0] for p in pieces) == height
    assert all(1 <= p.shape[0] <= rows for p in pieces)
    tops = [round((p.affine.f - grid.affine.f) / grid.affine.e) for p in pieces]
    assert tops == sorted(tops)
    if rows >= block:
        assert all((top - phase) % block == 0 for top in tops[1:])


def test_cuts_fall_on_the_edges_of_a_file_s_blocks(tmp_path: Path) -> None:
    write_cog(tmp_path / "a.tif", truth()["red"], TILE)
    phase, height = stac_pixels.block_phase(tmp_path / "a.tif", TILE[150:350, 0:10])
    assert (phase, height) == (106, 128)
    foreign = square_grid(500_000.0, 5_000_000.0, 40, 32632, 10.0)
    assert stac_pixels.block_phase(tmp_path / "a.tif", foreign) == (0, 40)


def test_a_layout_agrees_with_gdal(tmp_path: Path) -> None:
    import rasterio

    path = tmp_path / "a.tif"
    write_cog(path, truth()["red"], TILE)
    data = path.read_bytes()
    layout = parse_layout(data)
    with rasterio.open(path) as source:
        assert [level.width for level in layout.levels] == [640, *(640 // n for n in source.overviews(1))]
        for block in layout.levels[0].blocks(slice(0, 640), slice(0, 640)):
            place = f"{block.column}_{block.row}"
            assert int(source.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=1)) == block.offset
            assert int(source.get_tag_item(f"BLOCK_SIZE_{place}", "TIFF", bidx=1)) == block.size
    assert len(data) - 16 <= layout.end <= len(data)
    assert parse_layout(data[: layout.header_end]) == layout
    with pytest.raises(TooShortError) as caught:
        parse_layout(data[: layout.header_end - 1])
    assert caught.value.needed <= layout.header_end


@given(st.binary(max_size=400), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"II+\0\x08\0\0\0\x10" + bytes(7)]))
def test_any_bytes_are_a_layout_or_refused(data: bytes, start: bytes) -> None:
    with suppress(RetryableError, TooShortError):
        parse_layout(start + data)


def test_only_sentinel_2_is_served(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="planet-nicfi"):
        StacSource("planet-nicfi", StacConfig(), tmp_path)


def test_revisions_follow_what_shapes_pixels(tmp_path: Path) -> None:
    def revision(**changes: Any) -> str:
        return StacSource("sentinel-2-l2a", StacConfig(**changes), tmp_path).revision

    assert revision() == revision(rate=1.0) == revision(concurrency=2, cache_bytes=0)
    assert revision() != revision(max_cloud_cover=10.0)
    assert revision() != revision(masked_classes=(0, 1))


def test_a_moment_without_a_zone_is_utc() -> None:
    assert scene().moment.tzinfo == UTC


@pytest.mark.parametrize("offset", [0, -1000])
def test_a_number_that_no_reflectance_has_is_not_observed_in_any_band(
    monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    numbers = np.full((2, 4), 3000, dtype=np.uint16)
    numbers[0] = (0, 1, 30_000 - offset, 30_001 - offset)
    assets = C1.assets
    others = np.full((2, 4), 3000, dtype=np.uint16)
    monkeypatch.setattr(
        stac_pixels,
        "load",
        lambda *_: {
            assets.bands["red"]: numbers,
            assets.bands["nir"]: others,
            assets.classes: np.full((2, 4), 4, dtype=np.uint16),
        },
    )
    grid = square_grid(500_000, 9_000_000, 4, 32720)
    red, nir = stac_pixels.layer(stac_pixels.Files(scene(), {}), ("red", "nir"), grid, offset, (0, 1, 3, 8, 9, 10))
    ground = 3000 + offset
    assert red.tolist() == [[0, 1, 30_000, 0], [ground] * 4]
    assert nir.tolist() == [[0, ground, ground, 0], [ground] * 4]
