"""The simulated source: the protocol, and the same ground whoever asks."""

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from support.difficulty import true_mask, window_of

from minemap_assets.errors import BadInputError, NotCoveredError
from minemap_assets.geo.grid import at_resolution, square_grid
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite, ImagerySource
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.kind import SIMULATED
from minemap_assets.simulation.source import SimulatedSource
from minemap_assets.simulation.world import FRAME, World, reproject, transformer

SEASON = SeasonRule().season(2019)
ZONE = "EPSG:32630"


@pytest.fixture(scope="module")
def world() -> World:
    return load_world("tiny")


def mine_grid(world: World, mine_id: str = "alder-02", pixels: int = 256) -> GeoBox:
    outline = next(o for m, o in world.outlines(2019).items() if m.mine_id == mine_id)
    middle = reproject(outline, FRAME, ZONE).centroid
    return square_grid(middle.x, middle.y, pixels, 32630)


def shifted(grid: GeoBox, columns: int, rows: int, pixels: int) -> GeoBox:
    a = grid.affine
    return GeoBox((pixels, pixels), Affine(a.a, 0, a.c + a.a * columns, 0, a.e, a.f + a.e * rows), str(grid.crs))


def read(world: World, product: str, grid: GeoBox, year: int = 2019) -> Composite:
    grid = at_resolution(grid, PRODUCTS[product].resolution)
    return SimulatedSource(world, product).read(grid, SeasonRule().season(year), PRODUCTS[product].bands)


@pytest.mark.parametrize("product", sorted(SIMULATED.products))
def test_composite_keeps_the_contract(world: World, product: str) -> None:
    composite = read(world, product, mine_grid(world))
    pixels, count = composite.pixels, composite.clear_count
    assert pixels.dtype == np.uint16
    assert count.dtype == np.uint16
    assert pixels.shape == (len(PRODUCTS[product].bands), *composite.grid.shape)
    assert composite.bands == PRODUCTS[product].bands
    assert np.array_equal((pixels == 0).any(axis=0), (pixels == 0).all(axis=0))
    assert np.array_equal(pixels[0] == 0, count == 0)
    assert pixels.max() < 10_000
    assert composite.clear_fraction > 0.8
    assert {"planet-nicfi": 4, "sentinel-2-l2a": 12, "sentinel-2-l1c": 13}[product] == len(pixels)


@pytest.mark.parametrize("product", sorted(SIMULATED.products))
def test_overlapping_grids_agree_pixel_by_pixel(world: World, product: str) -> None:
    grid = mine_grid(world)
    other = shifted(grid, 38, 74, 128)
    whole, part = read(world, product, grid), read(world, product, other)
    f = round(PRODUCTS[product].resolution / 5)
    rows, columns = slice(74 // f, (74 + 128) // f), slice(38 // f, (38 + 128) // f)
    np.testing.assert_array_equal(part.pixels, whole.pixels[:, rows, columns])
    np.testing.assert_array_equal(part.clear_count, whole.clear_count[rows, columns])


def test_same_call_same_bytes_other_year_other_bytes(world: World) -> None:
    grid = mine_grid(world)
    first, again = read(world, "planet-nicfi", grid), read(world, "planet-nicfi", grid)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.provenance == again.provenance
    assert read(world, "planet-nicfi", grid, 2018).pixels.tobytes() != first.pixels.tobytes()


def test_bands_are_independent_of_their_company(world: World) -> None:
    grid = at_resolution(mine_grid(world), 10.0)
    source = SimulatedSource(world, "sentinel-2-l2a")
    alone = source.read(grid, SEASON, ["swir16"]).pixels[0]
    together = source.read(grid, SEASON, ["coastal", "swir16", "red"]).pixels[1]
    np.testing.assert_array_equal(alone, together)


def test_blocks_of_a_large_grid_leave_no_seam(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = mine_grid(world)
    whole = read(world, "sentinel-2-l2a", grid)
    monkeypatch.setattr("minemap_assets.simulation.source._BLOCK", 96)
    np.testing.assert_array_equal(read(world, "sentinel-2-l2a", grid).pixels, whole.pixels)


def test_both_zones_see_the_same_ground(world: World) -> None:
    """Near 0 degrees E the same square is asked for in UTM 30 and 31: the large forms must agree."""
    means = []
    for epsg in (32630, 32631):
        x, y = transformer(FRAME, f"EPSG:{epsg}").transform(-1_500.0, -1_300.0)
        red = read(world, "planet-nicfi", square_grid(x, y, 320, epsg)).pixels[2].astype(float)
        means.append(red.reshape(16, 20, 16, 20).mean(axis=(1, 3)))
    assert np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1] > 0.97


def test_products_show_the_same_ground_with_their_own_air(world: World) -> None:
    grid = mine_grid(world)
    planet, level2, level1 = (read(world, p, grid) for p in ("planet-nicfi", "sentinel-2-l2a", "sentinel-2-l1c"))
    coarse = planet.pixels[3].reshape(128, 2, 128, 2).mean(axis=(1, 3))
    nir = level2.pixels[level2.bands.index("nir")]
    seen = (planet.clear_count.reshape(128, 2, 128, 2).min(axis=(1, 3)) > 0) & (level2.clear_count > 0)
    assert np.corrcoef(coarse[seen], nir[seen])[0, 1] > 0.9
    blue = [c.pixels[c.bands.index("blue")].mean() for c in (level2, level1)]
    assert blue[1] > blue[0] + 400, "the air adds path radiance in blue"
    cirrus = level1.pixels[level1.bands.index("cirrus")]
    assert cirrus.mean() < 200


def vegetation(composite: Composite) -> np.ndarray:
    """The normalised difference vegetation index of a Planet composite."""
    red, nir = composite.pixels[2].astype(float), composite.pixels[3].astype(float)
    return (nir - red) / np.maximum(nir + red, 1.0)


def test_truth_is_where_the_picture_changes(world: World) -> None:
    """A year's new ground turns from forest to bare: near infrared falls inside the growth ring, not outside."""
    outline = world.mines[1].outline(2019)
    grid = window_of(outline)
    before, after = read(world, "planet-nicfi", grid, 2017), read(world, "planet-nicfi", grid, 2019)
    seen = (before.clear_count > 0) & (after.clear_count > 0)
    mine = true_mask(world, 2019, grid)
    ring = mine & ~true_mask(world, 2017, grid) & seen
    fall = vegetation(before) - vegetation(after)
    assert ring.sum() > 500
    assert fall[ring].mean() > 0.3
    assert abs(np.median(fall[seen & ~mine])) < 0.05


def test_any_grid_is_served(world: World) -> None:
    utm = mine_grid(world, pixels=128)
    fine = SimulatedSource(world, "planet-nicfi").read(utm, SEASON, ["red"])
    odd = GeoBox((64, 64), Affine(0.00005, 0, -0.0150, 0, -0.00005, 1.4900), "EPSG:4326")
    degrees = SimulatedSource(world, "planet-nicfi").read(odd, SEASON, ["red"])
    assert degrees.pixels.shape == (1, 64, 64)
    assert degrees.pixels.min() >= 0
    on_five = SimulatedSource(world, "sentinel-2-l2a").read(utm, SEASON, ["red"])
    assert on_five.pixels.shape == fine.pixels.shape
    doubled = np.kron(read(world, "sentinel-2-l2a", utm).pixels[3], np.ones((2, 2), dtype=np.uint16))
    np.testing.assert_array_equal(on_five.pixels[0], doubled)


def test_outside_in_space_and_time_is_not_covered(world: World) -> None:
    source = SimulatedSource(world, "planet-nicfi")
    with pytest.raises(NotCoveredError, match="2017 to 2019"):
        source.read(mine_grid(world), SeasonRule().season(2020), ["red"])
    with pytest.raises(NotCoveredError, match="outside"):
        source.read(square_grid(400_000.0, 600_000.0, 64, 32630), SEASON, ["red"])
    with pytest.raises(BadInputError, match="no band swir16"):
        source.read(mine_grid(world), SEASON, ["swir16"])
    with pytest.raises(BadInputError, match="unknown product"):
        SimulatedSource(world, "landsat")


def test_ground_beyond_the_coast_is_not_observed(world: World) -> None:
    x, y = transformer(FRAME, ZONE).transform(world.land.bounds[0], 0.0)
    composite = read(world, "planet-nicfi", square_grid(x, y, 128, 32630))
    assert np.all(composite.pixels[:, :, :60] == 0)
    assert np.all(composite.clear_count[:, :60] == 0)
    assert np.mean(composite.pixels[0, :, 68:] > 0) > 0.5


def test_planning_and_sensors(world: World) -> None:
    source: ImagerySource = SimulatedSource(world, "planet-nicfi")
    area = source.available(shapely.box(-0.02, 1.49, 0.02, 1.51), SEASON)
    assert area.images == 6
    assert area.covered_share == pytest.approx(1.0)
    assert source.available(shapely.box(10.0, 1.0, 11.0, 2.0), SEASON).images == 0
    assert source.available(shapely.box(-0.02, 1.49, 0.02, 1.51), SeasonRule().season(2030)).covered_share == 0.0
    latest = source.latest()
    assert sorted(latest.revisions) == [2017, 2018, 2019]
    assert source.name == "simulated"
    assert source.revision.startswith("tiny-")


def test_provenance_names_the_months() -> None:
    world = load_world("tiny")
    across = SeasonRule(first_month=11, last_month=2).season(2018)
    grid = mine_grid(world, pixels=64)
    provenance = SimulatedSource(world, "planet-nicfi").read(grid, across, ["red"]).provenance
    assert provenance.acquisitions == tuple(
        f"sim-planet-nicfi-{m}" for m in ("2018-11", "2018-12", "2019-01", "2019-02")
    )
    assert (provenance.first_date, provenance.last_date) == ("2018-11-01", "2019-02-28")
