"""Whether a file shows anything: every stored pixel is looked at once, a few at a time, and the rest is left alone."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from archives import GRID, write_tif
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minemap_assets.imagery.files import emptiness
from minemap_assets.imagery.files.emptiness import is_empty
from minemap_assets.imagery.files.images import Asset
from minemap_assets.imagery.files.tiff_structure import expected_size
from minemap_assets.imagery.products import product

KIND = product("planet-nicfi")
ASSET = Asset(band="blue", href="a.tif", scale=1e-4)

in_a_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def layouts() -> st.SearchStrategy[dict[str, object]]:
    tiles = st.builds(
        lambda w, h: {"tiled": True, "blockxsize": 16 * w, "blockysize": 16 * h}, st.integers(1, 4), st.integers(1, 4)
    )
    return tiles | st.builds(lambda rows: {"blockysize": rows}, st.integers(1, 200))


@in_a_folder
@given(st.integers(1, 200), st.integers(1, 200), layouts(), st.integers(1, 5000))
def test_the_steps_cover_every_pixel_once(
    tmp_path: Path, width: int, height: int, layout: dict[str, object], step: int
) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 1, "width": width, "height": height, "dtype": "uint8", "crs": "EPSG:32720"}
    with rasterio.open(path, "w", **profile, transform=GRID.affine, **layout) as target:
        target.write(np.ones((1, height, width), np.uint8))
    seen = np.zeros((height, width), dtype=int)
    with rasterio.open(path) as source, pytest.MonkeyPatch.context() as patch:
        patch.setattr(emptiness, "_STEP", step)
        for window in emptiness._steps(source, [1]):
            assert window.width * window.height <= max(step, 16 * 16) * 4
            rows, columns = window.toslices()
            seen[rows, columns] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 999), (999, 0), (999, 999), (371, 612)])
def test_one_pixel_anywhere_is_found(tmp_path: Path, row: int, column: int) -> None:
    pixels = np.zeros((1, 1000, 1000), dtype=np.uint16)
    path = write_tif(tmp_path / "a.tif", pixels, GRID.affine)
    assert is_empty(str(path), [ASSET], KIND)
    pixels[0, row, column] = 500
    write_tif(path, pixels, GRID.affine)
    assert not is_empty(str(path), [ASSET], KIND)


def test_numbers_that_the_product_cannot_hold_are_nothing(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.full((1, 300, 300), 65_535, dtype=np.uint16), GRID.affine)
    assert is_empty(str(path), [ASSET], KIND)


def test_a_directory_that_follows_itself_is_read_once(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.ones((1, 8, 8), dtype=np.uint16), GRID.affine)
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    end = first + 2 + 12 * entries
    data[end : end + 4] = first.to_bytes(4, "little")
    path.write_bytes(data)
    assert expected_size(path) <= len(data)
