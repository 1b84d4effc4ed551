"""Ground that one file does not show is taken from others: to the pixel, in their order, across UTM zones."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import pytest
from odc.geo.geobox import GeoBox

from minemap_assets.geo.raster import write_cog
from minemap_assets.publication.labelling.filling import Held, fill_in

BANDS = ("blue", "green", "red", "nir")


def pixels_of(drawn: str, red: int = 0) -> npt.NDArray[np.uint16]:
    """Pixels (3, row, column) as drawn: a digit is green, a dot was not observed; red is the same everywhere."""
    green = np.array([[0 if c == "." else int(c) for c in line.split()] for line in drawn.strip().splitlines()])
    return np.stack([np.where(green, red or green, 0), green, green]).astype(np.uint16)


def grid_of(west: float, north: float, shape: tuple[int, int], crs: str = "EPSG:32631", size: float = 10.0) -> GeoBox:
    height, width = shape
    return GeoBox.from_bbox((west, north - height * size, west + width * size, north), crs, resolution=size)


def held(folder: Path, name: str, grid: GeoBox, shown: npt.NDArray[np.uint16]) -> Held:
    """A file of four bands and a count, of which pictures show red, green and blue."""
    red, green, blue = shown
    every = np.stack([blue, green, red, red, red])
    write_cog(folder / f"{name}.tif", every, grid, (*BANDS, "clear_count"), nodata=0)
    return Held(folder / f"{name}.tif", name, "sentinel-2-l2a", BANDS)


OWN = """
1 1 1 .
1 1 1 .
1 . . .
. . . .
"""
EAST = """
2 2
2 .
2 2
. 2
"""
SOUTH = """
3 3 3
3 3 3
"""


def test_what_is_lacking_comes_from_the_first_file_that_shows_it(tmp_path: Path) -> None:
    own = grid_of(500_000, 4_000_040, (4, 4))
    east = held(tmp_path, "east", grid_of(500_020, 4_000_040, (4, 2)), pixels_of(EAST, red=9))
    south = held(tmp_path, "south", grid_of(500_000, 4_000_020, (2, 3)), pixels_of(SOUTH))
    before = pixels_of(OWN)
    found = fill_in(before, own, [east, south])
    assert found[1].tolist() == [[1, 1, 1, 2], [1, 1, 1, 0], [1, 3, 2, 2], [3, 3, 3, 2]]
    assert found[0].tolist() == [[1, 1, 1, 9], [1, 1, 1, 0], [1, 3, 9, 9], [3, 3, 3, 9]]
    assert fill_in(before, own, [south, east])[1].tolist() == [[1, 1, 1, 2], [1, 1, 1, 0], [1, 3, 3, 2], [3, 3, 3, 2]]
    assert np.array_equal(before, pixels_of(OWN))


def test_pixels_of_another_size_are_taken_by_the_middle(tmp_path: Path) -> None:
    fine = grid_of(500_000, 4_000_020, (4, 4), size=5.0)
    coarse = held(tmp_path, "coarse", grid_of(500_000, 4_000_020, (2, 2)), pixels_of("4 5\n6 ."))
    found = fill_in(np.zeros((3, 4, 4), np.uint16), fine, [coarse])
    assert found[1].tolist() == [[4, 4, 5, 5], [4, 4, 5, 5], [6, 6, 0, 0], [6, 6, 0, 0]]


@pytest.mark.parametrize("zone", [32631, 32632])
def test_a_file_of_the_next_zone_lies_where_its_degrees_say(tmp_path: Path, zone: int) -> None:
    """At 6 degrees east, where zones 31 and 32 meet, each number tells where its pixel lies."""
    own = grid_of(743_000, 5_000_400, (40, 40))
    x, y = pyproj.Transformer.from_crs(32631, zone, always_xy=True).transform(743_200, 5_000_200)
    west, north = round(x / 10) * 10 - 300, round(y / 10) * 10 + 300
    rows, columns = np.mgrid[1:61, 1:61]
    other = held(
        tmp_path, "other", grid_of(west, north, (60, 60), f"EPSG:{zone}"), np.stack([columns, rows, rows]).astype("u2")
    )
    found = fill_in(np.zeros((3, 40, 40), np.uint16), own, [other])
    for row, column in ((0, 0), (20, 20), (39, 3)):
        place = own.affine * (column + 0.5, row + 0.5)
        x, y = pyproj.Transformer.from_crs(32631, zone, always_xy=True).transform(*place)
        assert found[:2, row, column].tolist() == [int((x - west) // 10) + 1, int((north - y) // 10) + 1]
    assert (found > 0).all()


def test_files_that_are_not_needed_are_not_read(tmp_path: Path) -> None:
    gone = Held(tmp_path / "gone.tif", "gone", "sentinel-2-l2a", BANDS)
    full = np.ones((3, 2, 2), np.uint16)
    assert fill_in(full, grid_of(0, 20, (2, 2)), [gone]) is full


def test_nothing_is_made_up_for_ground_that_no_file_holds(tmp_path: Path) -> None:
    far = held(tmp_path, "far", grid_of(900_000, 5_000_000, (2, 2)), pixels_of("7 7\n7 7"))
    assert not fill_in(np.zeros((3, 2, 2), np.uint16), grid_of(500_000, 4_000_000, (2, 2)), [far]).any()
