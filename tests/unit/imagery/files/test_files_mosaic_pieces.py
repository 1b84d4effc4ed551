"""Pieces of one picture are resampled together: across a seam the pixels are those of the uncut picture."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.files.images import Asset, Image
from minemap_assets.imagery.files.mosaic_pieces import Joined, read_together
from minemap_assets.imagery.files.reading import Part

BANDS = ("red", "nir")
WHOLE = GeoBox((60, 80), Affine(4.7, 0, 500_000.0, 0, -4.7, 9_000_000.0), "EPSG:32722")
GRID = GeoBox((30, 36), Affine(5.0, 0, 500_101.3, 0, -5.0, 8_999_940.7), "EPSG:32722")
GROUND = np.random.default_rng(1).integers(1, 9000, (2, *WHOLE.shape)).astype(np.uint16)


def part(folder: Path, name: str, rows: slice, columns: slice, *, shift: float = 0.0, scale: float = 1e-4) -> Part:
    """A window of the ground as a file, `shift` pixels from where it belongs."""
    grid = WHOLE[rows, columns]
    place = grid.affine @ Affine.translation(shift, 0.0)
    profile = {"driver": "GTiff", "count": 2, "dtype": "uint16", "crs": "EPSG:32722", "transform": place}
    height, width = grid.shape
    with rasterio.open(folder / name, "w", height=height, width=width, **profile) as target:
        target.write(GROUND[:, rows, columns])
    assets = tuple(Asset(band=band, href=name, index=n, scale=scale) for n, band in enumerate(BANDS, 1))
    image = Image(
        id=name,
        product="planet-nicfi",
        start=date(2019, 6, 1),
        end=date(2019, 6, 30),
        crs="EPSG:32722",
        terms="",
        redistributable=False,
        revision="1",
        assets=assets,
        footprint=footprint_wgs84(grid).wkt,
    )
    return Part(str(folder), image)


def quarters(folder: Path) -> list[Part]:
    upper, lower, left, right = slice(0, 27), slice(27, 60), slice(0, 41), slice(41, 80)
    windows = [(upper, left), (upper, right), (lower, left), (lower, right)]
    return [part(folder, f"{n}.tif", *window) for n, window in enumerate(windows)]


def read(parts: list[Part], grid: GeoBox = GRID) -> list[Joined]:
    return list(read_together(parts, grid, grid, BANDS))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_four_quarters_are_the_uncut_picture(tmp_path: Path, order: tuple[int, ...]) -> None:
    (uncut,) = read([part(tmp_path, "whole.tif", slice(None), slice(None))])
    parts = quarters(tmp_path)
    (joined,) = read([parts[n] for n in order])
    np.testing.assert_array_equal(joined.tile.pixels, uncut.tile.pixels)
    assert joined.used == (0, 1, 2, 3)
    assert (uncut.tile.pixels > 0).all()


def test_blocks_of_rows_are_the_whole(tmp_path: Path) -> None:
    parts = quarters(tmp_path)
    (whole,) = read(parts)
    blocks = [next(read_together(parts, GRID[top : top + 6, :], GRID, BANDS)) for top in range(0, 30, 6)]
    np.testing.assert_array_equal(np.concatenate([b.tile.pixels for b in blocks], axis=1), whole.tile.pixels)


def test_the_first_lies_on_top_and_what_lies_beneath_is_not_used(tmp_path: Path) -> None:
    parts = [part(tmp_path, "whole.tif", slice(None), slice(None)), *quarters(tmp_path)]
    (joined,) = read(parts)
    assert joined.used == (0,)


@pytest.mark.parametrize("other", [{"shift": 0.4}, {"scale": 2e-4}])
def test_images_of_another_lattice_or_scale_stay_apart(tmp_path: Path, other: dict[str, float]) -> None:
    left = part(tmp_path, "left.tif", slice(None), slice(0, 41))
    right = part(tmp_path, "right.tif", slice(None), slice(41, 80), **other)
    assert [joined.used for joined in read([left, right])] == [(0,), (1,)]


def test_a_piece_beyond_the_grid_is_not_used(tmp_path: Path) -> None:
    assert [joined.used for joined in read(quarters(tmp_path), GRID[:5, :5])] == [(0,)]


def test_the_damaged_piece_is_named(tmp_path: Path) -> None:
    parts = quarters(tmp_path)
    file = tmp_path / "2.tif"
    file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(BadInputError, match=r"/2\.tif cannot be read"):
        read(parts)
