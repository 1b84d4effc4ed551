"""Raster files: Cloud Optimized GeoTIFFs that are compressed once, and read back as they were."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.raster import read_raster, write_cog

WIDE = GeoBox((1100, 1300), rasterio.transform.from_origin(500_000, 9_000_000, 5, 5), "EPSG:32733")
SMALL = GeoBox((200, 512), rasterio.transform.from_origin(500_000, 9_000_000, 5, 5), "EPSG:32733")


def noise(grid: GeoBox, dtype: str = "uint16", bands: int = 2) -> np.ndarray:
    pixels = np.random.default_rng(3).integers(1, 250, (bands, *grid.shape)).astype(dtype)
    pixels[:, 40:300, 50:310] = 0
    return pixels


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_what_was_written_is_read_in_a_valid_layout(tmp_path: Path, dtype: str) -> None:
    pixels = noise(WIDE, dtype)
    write_cog(tmp_path / "a.tif", pixels, WIDE, ("red", "nir"), nodata=0, facts={"source": "archive", "days": ["x"]})
    raster = read_raster(tmp_path / "a.tif")
    assert raster.pixels.dtype == dtype
    assert np.array_equal(raster.pixels, pixels)
    assert (raster.grid, raster.bands) == (WIDE, ("red", "nir"))
    assert raster.facts == {"source": "archive", "days": ["x"]}
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["compress"] == "deflate"
        assert (file.nodata, file.block_shapes) == (0, [(512, 512)] * 2)


def test_overviews_show_pixels_and_never_a_mean_with_missing_ones(tmp_path: Path) -> None:
    pixels = noise(WIDE)
    write_cog(tmp_path / "a.tif", pixels, WIDE, ("red", "nir"), nodata=0)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert [file.overviews(band) for band in (1, 2)] == [[2, 4]] * 2
    for level, factor in enumerate((2, 4)):
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as file:
            small = file.read()
        assert small.shape[1:] == (-(-1100 // factor), -(-1300 // factor))
        blocks = pixels[:, : 1100 // factor * factor, : 1300 // factor * factor]
        blocks = blocks.reshape(2, 1100 // factor, factor, 1300 // factor, factor)
        shown = small[:, : 1100 // factor, : 1300 // factor, None, None]
        assert (blocks.transpose(0, 1, 3, 2, 4) == shown).any(axis=(3, 4)).all()


def test_an_image_no_larger_than_a_block_has_no_overviews(tmp_path: Path) -> None:
    write_cog(tmp_path / "a.tif", noise(SMALL), SMALL, ("red", "nir"), nodata=0)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert not file.overviews(1)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_bytes_depend_neither_on_threads_nor_on_the_environment(tmp_path: Path) -> None:
    for threads in ("1", "4"):
        with rasterio.Env(GDAL_NUM_THREADS=threads, GDAL_TIFF_OVR_BLOCKSIZE="128"):
            write_cog(tmp_path / f"{threads}.tif", noise(WIDE), WIDE, ("red", "nir"), nodata=0)
    write_cog(tmp_path / "plain.tif", noise(WIDE), WIDE, ("red", "nir"), nodata=0)
    written = {(tmp_path / name).read_bytes() for name in ("1.tif", "4.tif", "plain.tif")}
    assert len(written) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_noticed() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_cog(Path("/dev/full"), noise(WIDE), WIDE, ("red", "nir"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write_cog(tmp_path / "a.tif", noise(WIDE), WIDE, ("red", "nir"), nodata=0)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInputError, match=r"a\.tif cannot be read as a raster"):
        read_raster(tmp_path / "a.tif")
