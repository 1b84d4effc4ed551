"""The grid of patches: every place is covered, and regions that overlap share patches to the pixel."""

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from minemap_assets.detection.patch_grid import Tile, patches_of, tiles_of
from minemap_assets.errors import BadInputError


def found(region: Polygon) -> dict[str, Polygon]:
    """Outlines of a region's patches by id."""
    all_patches = [patches_of(tile, region) for tile in tiles_of(region)]
    ids = [name for patches in all_patches for name in patches.ids]
    assert len(ids) == len(set(ids))
    return dict(zip(ids, [outline for patches in all_patches for outline in patches.outlines], strict=True))


places = st.tuples(st.floats(-179.9, 179.7), st.floats(-80.0, 80.0))


@settings(max_examples=25, deadline=None)
@given(places, st.floats(0.005, 0.08), st.floats(0.005, 0.05))
def test_every_place_of_a_region_is_covered(place: tuple[float, float], wide: float, high: float) -> None:
    region = shapely.box(place[0], place[1], place[0] + wide, place[1] + high)
    patches = found(region)
    assert shapely.union_all(list(patches.values())).buffer(1e-9).covers(region)
    assert all(outline.intersects(region) for outline in patches.values())


@settings(max_examples=15, deadline=None)
@given(places, st.floats(0.0, 0.05), st.floats(0.0, 0.05))
def test_regions_that_overlap_share_patches(place: tuple[float, float], east: float, north: float) -> None:
    one = shapely.box(*place, place[0] + 0.06, place[1] + 0.06)
    other = shapely.box(place[0] + east, place[1] + north, place[0] + east + 0.06, place[1] + north + 0.06)
    first, second = found(one), found(other)
    both = one.intersection(other)
    within = {name for name, outline in first.items() if outline.intersects(both)}
    assert within <= set(second)
    assert all(first[name].equals(second[name]) for name in within)


def test_neighbours_overlap_by_half_across_tiles() -> None:
    tile = Tile(20, 10, -61)
    east = Tile(20, 11, -61)
    _, _, right, _ = tile.grid.boundingbox.bbox
    left, _, _, _ = east.grid.boundingbox.bbox
    assert right - left == 240.0
    assert tile.grid.shape == (576, 576)


def test_a_place_on_the_seam_of_two_zones_is_covered_by_both_sides() -> None:
    region = shapely.box(-0.02, 0.0, 0.02, 0.02)
    assert {tile.zone for tile in tiles_of(region)} == {30, 31}
    assert shapely.union_all(list(found(region).values())).buffer(1e-9).covers(region)


def test_ends_where_the_coordinates_end() -> None:
    with pytest.raises(BadInputError, match="scans end at 84 degrees"):
        list(tiles_of(shapely.box(0.0, 84.5, 1.0, 85.0)))
