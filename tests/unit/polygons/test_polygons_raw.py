"""Raw polygons: owned pixels only, inside the region, missing masks said aloud."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import square_grid
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.sites.cells import site_cells

PIXEL_KM2 = 25e-6


def raw(world, masks, config=None):
    assert masks is world.written[2019]
    return world.outlined(2019, config)


def test_published_table(world) -> None:
    one = world.blank()
    one[2:12, 2:12] = 200
    one[20, 20] = 126
    world.masks(2019, {"a": one, "b": world.blank()})
    partition = world.raw()
    frame = read_geoparquet(partition.file("raw_polygons.parquet"))
    assert frame["raw_id"].tolist() == ["a-2019-00000"]
    assert frame["area_km2"].to_numpy() == pytest.approx([100 * PIXEL_KM2], rel=2e-3)
    assert frame["mean_probability"].to_numpy() == pytest.approx([200 / 254])
    assert partition.manifest.summary["sites_observed"] == 2


def test_threshold_is_met_at_equality(world) -> None:
    mask = world.blank()
    mask[2:4, 2:4] = 127
    assert len(raw(world, world.masks(2019, {"a": mask}, threshold=127 / 254)).polygons) == 1
    assert len(raw(world, world.masks(2019, {"a": mask}, threshold=127 / 254 + 1e-9)).polygons) == 0


def test_own_threshold_wins_and_other_operating_points_are_refused(world) -> None:
    mask = world.blank()
    mask[2:4, 2:4] = 127
    masks = world.masks(2019, {"a": mask}, threshold=0.9)
    assert len(raw(world, masks, PolygonsConfig(threshold=0.3, operating_point="mine")).polygons) == 1
    with pytest.raises(BadInputError, match="max_miou"):
        raw(world, masks, PolygonsConfig(operating_point="max_miou"))


def test_overlapping_windows_count_ground_once(world) -> None:
    """Both windows see the same mine in their overlap; together they outline it once."""
    full = world.blank(254)
    found = raw(world, world.masks(2019, {"a": full, "b": full}))
    union_m2 = (64 + 32) * 64 * 25.0
    assert found.polygons["area_km2"].sum() == pytest.approx(union_m2 / 1e6, rel=2e-3)
    assert set(found.polygons["site_id"]) == {"a", "b"}
    shapes = np.asarray(found.polygons.geometry, dtype=object)
    assert shapely.area(shapely.intersection(*shapes)) < 1e-3 * shapely.area(shapes).min()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-40, 40), st.integers(-40, 40))
def test_every_owned_pixel_has_one_owner(world, east: int, north: int) -> None:
    """For windows at any offset, a pixel of the common ground is owned by one site, also on the line itself."""
    grids = {
        "a": square_grid(600_000, 700_000, 64, 32630),
        "b": square_grid(600_000 + 10 * east, 700_000 + 10 * north, 64, 32630),
    }
    other = replace(world, grids=grids)
    cells = site_cells(other.sites)
    origin = grids["a"].affine
    owners: dict[tuple[int, int], int] = {}
    windows: set[tuple[int, int]] = set()
    for site, grid in grids.items():
        owned = cells[site].owned(grid)
        shift = (round((origin.f - grid.affine.f) / 5), round((grid.affine.c - origin.c) / 5))
        rows, columns = np.nonzero(owned)
        for pixel in zip(rows + shift[0], columns + shift[1], strict=True):
            owners[pixel] = owners.get(pixel, 0) + 1
        rows, columns = np.indices(owned.shape)
        windows.update(zip((rows + shift[0]).ravel(), (columns + shift[1]).ravel(), strict=True))
    assert set(owners) == windows
    assert set(owners.values()) == {1}


def test_clipped_to_the_region(world) -> None:
    full = world.blank(254)
    west, south, east, north = world.sites.geometry.iloc[0].bounds
    half = replace(
        world, region=replace(world.region, geometry=shapely.box(west - 1, south - 1, (west + east) / 2, north + 1))
    )
    whole = raw(world, world.masks(2019, {"a": full})).polygons
    cut = raw(half, world.written[2019]).polygons
    assert half.region.geometry.covers(cut.geometry.iloc[0])
    beyond = half.outlined().clipped
    assert cut["area_km2"].sum() + beyond["area_km2"].sum() == pytest.approx(whole["area_km2"].sum(), rel=1e-6)
    assert beyond["site_id"].tolist() == ["a"]
    shape = whole.geometry.iloc[0]
    share = shape.intersection(half.region.geometry).area / shape.area
    assert cut["area_km2"].sum() == pytest.approx(share * whole["area_km2"].sum(), rel=1e-6)


def test_missing_and_hidden_ground(world) -> None:
    half = world.blank()
    half[:, :16] = 255
    masks = world.masks(2019, {"a": half})
    found = raw(world, masks)
    assert [(m.item, m.reason) for m in found.missing] == [("b", "it has no raw mask")]
    cells = site_cells(world.sites)
    # a owns the western 48 columns: the line between the two centres lies 16 columns into the overlap
    seen = found.observation.set_index("site_id")
    assert seen["observed_share"].to_dict() == {"a": pytest.approx(32 / 48, abs=0.02), "b": 0.0}
    assert seen["window_share"].to_dict() == {"a": 48 / 64, "b": 0.0}
    assert seen.loc["b", "not_observed_reason"] == "it has no raw mask"
    assert seen["not_observed_reason"].isna().to_dict() == {"a": True, "b": False}
    hidden = found.unobserved.union_all()
    assert hidden.contains(cells["b"].cell.representative_point())
    assert not hidden.contains(cells["a"].cell.representative_point())


def test_broken_mask_is_reported(world) -> None:
    """One that was published so: what was damaged since is noticed before it is read."""
    masks = world.masks(2019, {"a": world.blank(254), "b": world.blank(254)}, broken={"b"})
    found = raw(world, masks)
    assert [m.item for m in found.missing] == ["b"]
    assert set(found.polygons["site_id"]) == {"a"}


def test_a_mine_on_the_antimeridian(world) -> None:
    """Fiji: a window across 180 degrees gives a polygon on each side, and no ground is lost or made."""
    x, _ = gpd.GeoSeries([shapely.Point(180, -16.7)], crs="EPSG:4326").to_crs("EPSG:32760").iloc[0].coords[0]
    grid = square_grid(x, 8_150_000, 64, 32760)
    everywhere = replace(world.region, geometry=shapely.box(-180, -30, 180, 30))
    fiji = replace(world, grids={"f": grid}, region=everywhere)
    fiji.masks(2019, {"f": fiji.blank(254)})
    found = fiji.outlined()
    assert len(found.polygons) == 2
    assert (found.polygons.bounds["maxx"] - found.polygons.bounds["minx"] < 0.01).all()
    assert found.polygons["area_km2"].sum() == pytest.approx(64 * 64 * PIXEL_KM2, rel=3e-3)
    assert found.observation["observed_share"].tolist() == [1.0]


def test_empty_year_is_a_typed_table(world) -> None:
    world.masks(2019, {"a": world.blank(), "b": world.blank()})
    partition = world.raw()
    frame = read_geoparquet(partition.file("raw_polygons.parquet"))
    assert len(frame) == 0
    assert frame["year"].dtype == np.int32
    assert frame.crs == "EPSG:4326"


def test_hidden_pixels_are_no_mine(world) -> None:
    mask = world.blank()
    mask[2:12, 2:12] = 200
    mask[4:6, 4:6] = 255
    found = raw(world, world.masks(2019, {"a": mask, "b": world.blank()}))
    assert found.polygons["area_km2"].to_numpy() == pytest.approx([96 * PIXEL_KM2], rel=2e-3)
    assert found.polygons["mean_probability"].to_numpy() == pytest.approx([200 / 254])
    assert len(found.unobserved) == 1
