"""What the first bytes of a COG tell, and the numbers in its blocks, beside what GDAL reads."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from minemap_assets.errors import RetryableError
from minemap_assets.imagery.files.block_decoding import decode_block
from minemap_assets.imagery.files.cog_layout import Layout, parse_layout
from minemap_assets.imagery.files.tiff_directories import TooShortError, UnreadableError
from stac_world import TILE, truth, write_cog


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


def written(path: Path, numbers: np.ndarray, place: GeoBox, **options: Any) -> Layout:
    import rasterio

    profile = {"driver": "GTiff", "count": 1, "height": numbers.shape[0], "width": numbers.shape[1], "tiled": True}
    sizes = {"blockxsize": 64, "blockysize": 64, "dtype": numbers.dtype.name}
    with rasterio.open(path, "w", crs=str(place.crs), transform=place.affine, **profile, **sizes, **options) as target:
        target.write(numbers, 1)
    return parse_layout(path.read_bytes())


@pytest.mark.parametrize("options", [{}, {"compress": "deflate"}, {"compress": "lzw"}, {"compress": "zstd"}], ids=str)
@pytest.mark.parametrize(
    ("kind", "predictor"), [("uint8", 2), ("uint16", 1), ("uint16", 2), ("int16", 2), ("float32", 1)]
)
@pytest.mark.parametrize("endianness", ["little", "big"])
def test_blocks_hold_what_gdal_reads(
    tmp_path: Path, options: dict[str, str], predictor: int, kind: str, endianness: str
) -> None:
    numbers = np.random.default_rng(0).integers(0, 250, (100, 130)).astype(kind)
    more = {"predictor": predictor} if options else {}
    layout = written(tmp_path / "a.tif", numbers, TILE, endianness=endianness, **options, **more)
    level, data = layout.levels[0], (tmp_path / "a.tif").read_bytes()
    found = np.zeros((128, 192), dtype=kind)
    for block in level.everything():
        part = decode_block(data[block.offset : block.end], level)
        found[block.row * 64 : block.row * 64 + 64, block.column * 64 : block.column * 64 + 64] = part
    assert (found[:100, :130] == numbers).all()


def test_every_damage_to_a_deflated_block_is_noticed(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 250, (64, 64)).astype(np.uint16)
    layout = written(tmp_path / "a.tif", numbers, TILE, compress="deflate", predictor=2)
    (block,) = layout.levels[0].everything()
    whole = (tmp_path / "a.tif").read_bytes()[block.offset : block.end]
    for place in range(0, len(whole), 97):
        data = bytearray(whole)
        data[place] ^= 0x10
        with suppress(RetryableError):
            assert (decode_block(data, layout.levels[0]) == numbers).all(), place
    with pytest.raises(RetryableError):
        decode_block(whole[:-100], layout.levels[0])


@pytest.mark.parametrize("nodata", [None, 0, 65535, -1.5])
def test_ground_and_nodata_are_as_gdal_has_them(tmp_path: Path, nodata: float | None) -> None:
    import rasterio

    place = GeoBox((70, 90), Affine(10.0, 0.0, 600_000.0, 0.0, -10.0, 9_300_040.0), "EPSG:32722")
    kind = "float32" if nodata == -1.5 else "uint16"
    layout = written(tmp_path / "a.tif", np.ones((70, 90), dtype=kind), place, nodata=nodata)
    assert (layout.ground, layout.nodata) == (place, nodata)
    turned = GeoBox((70, 90), place.affine @ Affine.rotation(20.0), "EPSG:32722")
    assert np.allclose(written(tmp_path / "b.tif", np.ones((70, 90)), turned).ground.affine, turned.affine)
    degrees = GeoBox((70, 90), Affine(0.001, 0.0, -50.0, 0.0, -0.001, 3.0), "EPSG:4326")
    assert written(tmp_path / "c.tif", np.ones((70, 90)), degrees).ground == degrees
    with rasterio.open(tmp_path / "a.tif", "r+") as source:
        source.update_tags(AREA_OR_POINT="Point")
    assert parse_layout((tmp_path / "a.tif").read_bytes()).ground == place


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    unknown = GeoBox((70, 90), TILE.affine, "+proj=laea +lat_0=3 +lon_0=7")
    with pytest.raises(UnreadableError, match="without an EPSG code"):
        written(tmp_path / "a.tif", np.ones((70, 90), dtype=np.uint16), unknown)
    layout = written(tmp_path / "b.tif", np.ones((70, 90), dtype=np.uint8), TILE, compress="packbits")
    with pytest.raises(UnreadableError, match="TIFF compression 32773"):
        decode_block(bytes(10), layout.levels[0])
