"""JPEG 2000 files: whole ones pass, and every cut is found without decoding a pixel."""

import io
from pathlib import Path

import numpy as np
import pytest
from rasterio.errors import RasterioError

from absurd_files import vast_jp2
from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster_files import MOST_JPEG2000, alone, open_raster
from minemap_assets.imagery.files.jpeg2000 import check_jpeg2000
from safe_scenes import ground, write_jp2, write_tif

PIXELS = np.random.default_rng(1).integers(1, 9000, (1, 120, 120)).astype(np.uint16)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four tiles, each in several parts."""
    path = tmp_path_factory.mktemp("jp2") / "a.jp2"
    return write_jp2(path, PIXELS, ground(10), TILEPARTS="RESOLUTIONS").read_bytes()


def check(data: bytes) -> None:
    check_jpeg2000(io.BytesIO(data), len(data), "a.jp2")


def test_a_whole_file_passes(whole: bytes) -> None:
    check(whole)
    # some writers leave out the mark of the end
    check(whole[:-2])


def test_every_cut_is_found(whole: bytes) -> None:
    for length in [*range(200), *range(200, len(whole) - 2, 61), len(whole) - 3]:
        with pytest.raises(BadInputError, match=r"a\.jp2 is (cut off|not a JPEG 2000 file); fetch it again"):
            check(whole[:length])


def test_a_cut_file_opens_and_reads_without_a_word_in_gdal(whole: bytes, tmp_path: Path) -> None:
    """Which is why it is looked for."""
    path = tmp_path / "cut.jp2"
    path.write_bytes(whole[: len(whole) // 2])
    with alone(), open_raster(str(path)) as source:
        try:
            assert not np.array_equal(source.read(), PIXELS)
        except RasterioError:
            assert source.width == 120


@pytest.mark.parametrize("place", range(0, 220, 3))
def test_damage_in_the_header_is_no_other_error(whole: bytes, place: int) -> None:
    data = bytearray(whole)
    data[place : place + 4] = b"\xff\xff\xff\xff"
    try:
        check(bytes(data))
    except BadInputError as error:
        assert str(error).startswith("a.jp2 is ")  # noqa: PT017


def test_a_file_that_says_it_is_vast_is_not_opened(tmp_path: Path) -> None:
    path = vast_jp2(tmp_path / "vast.jp2")
    with alone(), pytest.raises(BadInputError, match=f"1,600,000,000 pixels, more than the {MOST_JPEG2000:,}"):
        open_raster(str(path))


def test_only_its_name_makes_a_file_jpeg_2000(whole: bytes, tmp_path: Path) -> None:
    named_tif, named_jp2 = tmp_path / "a.tif", tmp_path / "b.jp2"
    named_tif.write_bytes(whole)
    write_tif(named_jp2, PIXELS, ground(10))
    for path in (named_tif, named_jp2):
        with alone(), pytest.raises(RasterioError):
            open_raster(str(path))
