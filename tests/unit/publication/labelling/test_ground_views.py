"""What is shown of a point: the right ground in its middle, one stretch through the years, and why there is nothing."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from minemap_assets.detection.assets import SCAN_IMAGERY
from minemap_assets.detection.patch_grid import tiles_of
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import write_geoparquet
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.not_observed import write_not_observed
from minemap_assets.imagery.reader import SiteImage
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from minemap_assets.publication.labelling.chips import PATCH, POINT, draw_chips
from minemap_assets.publication.labelling.filling import Held
from minemap_assets.publication.labelling.ground_views import GroundViews, View, coarse, crop
from minemap_assets.sites.assets import SITES
from tiny import Chain

BANDS = ("blue", "green", "red", "nir", "clear_count")


@pytest.fixture
def raster(tmp_path: Path) -> tuple[Held, GeoBox]:
    """400 x 400 pixels of 5 m; red tells the column and green the row, from 1 on."""
    grid = GeoBox.from_bbox((500_000, 4_000_000, 502_000, 4_002_000), "EPSG:32631", resolution=5)
    rows, columns = np.mgrid[1:401, 1:401].astype(np.uint16)
    pixels = np.stack([np.full_like(rows, 7), rows, columns, np.full_like(rows, 9), np.ones_like(rows)])
    write_cog(tmp_path / "site.tif", pixels, grid, BANDS, nodata=0)
    return Held(tmp_path / "site.tif", "m", "planet-nicfi", BANDS[:-1]), grid


def degrees(grid: GeoBox, row: int, column: int) -> tuple[float, float]:
    """The middle of a pixel (EPSG:4326)."""
    x, y = grid.affine * (column + 0.5, row + 0.5)
    longitude, latitude = pyproj.Transformer.from_crs(str(grid.crs), 4326, always_xy=True).transform(x, y)
    return longitude, latitude


def test_the_point_is_the_middle_of_its_picture(raster: tuple[Held, GeoBox]) -> None:
    held, grid = raster
    image = crop(held, degrees(grid, 150, 220), 1000.0)
    assert image.bands == ("red", "green", "blue")
    assert image.pixels.shape == (3, 201, 201)
    assert image.pixels[:, 100, 100].tolist() == [221, 151, 7]
    assert image.grid.affine * (100.5, 100.5) == grid.affine * (220.5, 150.5)


def test_ground_beyond_the_window_is_not_observed(raster: tuple[Held, GeoBox]) -> None:
    held, grid = raster
    image = crop(held, degrees(grid, 0, 399), 300.0)
    assert image.pixels[:, 30, 30].tolist() == [400, 1, 7]
    assert not image.observed[:30].any()
    assert not image.observed[:, 31:].any()
    assert image.observed[30:, :31].all()
    assert coarse(held).pixels.shape == (3, 256, 256)


@pytest.mark.parametrize(("side", "scales"), [(201, POINT), (144, PATCH)])
def test_the_near_picture_is_the_middle_of_the_wide_one(side: int, scales: object) -> None:
    pixel = 5.0 if scales is POINT else 10.0
    grid = GeoBox.from_bbox((0, 0, side * pixel, side * pixel), "EPSG:32631", resolution=pixel)
    pixels = np.full((3, side, side), 1000, np.uint16)
    middle = slice((side - 1) // 2, side // 2 + 1)
    pixels[:, middle, middle] = 3000
    pixels[:, :20] = 0
    image = SiteImage("m", grid, ("red", "green", "blue"), pixels, (pixels[0] > 0).astype(np.uint16))
    (chip,) = draw_chips([View(2019, image, whole=image)], scales)  # type: ignore[arg-type]
    wide, near = (np.asarray(Image.open(BytesIO(data))) for data in (chip.wide, chip.near))
    assert wide.shape == (side, side, 4)
    assert near.shape[0] == near.shape[1] == {201: 61, 144: 48}[side]
    for drawn in (wide, near):
        half = (drawn.shape[0] - 1) // 2
        assert drawn[half, half, 0] > drawn[half - 8, half, 0] + 50
    assert not wide[:20, :, 3].any()
    assert chip.observed == pytest.approx(1 - 20 / side)


def test_all_years_have_one_stretch_and_what_is_missing_says_why() -> None:
    grid = GeoBox.from_bbox((0, 0, 1005, 1005), "EPSG:32631", resolution=5)

    def view(year: int, number: int) -> View:
        pixels = np.full((3, 201, 201), number, np.uint16)
        image = SiteImage("m", grid, ("red", "green", "blue"), pixels, pixels[0])
        return View(year, image, whole=image)

    dark, none, light = draw_chips([view(2017, 500), View(2018, None, "not observed: cloud"), view(2019, 2500)], POINT)
    shades = [np.asarray(Image.open(BytesIO(one.wide)))[..., :3].mean() for one in (dark, light)]
    assert shades[0] < 5
    assert shades[1] > 250
    assert (none.wide, none.near, none.observed, none.reason) == (b"", b"", 0.0, "not observed: cloud")


def test_a_point_outside_every_window_has_no_image(chain: Chain) -> None:
    views = GroundViews(chain.project)
    assert list(views.around(50.0, 50.0, 1000.0, scanned=False)) == []  # no year has an image yet


def images(chain: Chain, asset: Asset, keys: tuple[str, str], grids: Mapping[str, GeoBox], **said: Any) -> None:
    """Put images of a region and year into the lake, each with its own number everywhere, from `number` on."""
    unseen, start = said.get("unseen", ""), said.get("number", 1)
    bands = BANDS[:-1]
    with chain.project.lake.writer(asset.ref(keys), "a test") as writer:
        for number, (name, grid) in enumerate(grids.items(), start):
            pixels = np.full((len(BANDS), *grid.shape), 1000 * number, np.uint16)
            writer.write(f"{name}.tif", partial(write_cog, pixels=pixels, grid=grid, bands=BANDS, nodata=0))
        frame = gpd.GeoDataFrame(
            {"site_id": list(grids), "file": [f"{name}.tif" for name in grids]},
            geometry=[footprint_wgs84(grid) for grid in grids.values()],
            crs="EPSG:4326",
        )
        writer.write("index.parquet", lambda path: write_geoparquet(frame, path))
        write_not_observed({unseen: "3% of its window was seen clear of cloud"} if unseen else {}, writer)
        writer.commit("1", {}, Outcome({"product": said.get("product", "sentinel-2-l2a"), "bands": list(bands)}))


def test_a_point_is_seen_in_its_site_or_else_in_a_scan_and_otherwise_says_why(chain: Chain) -> None:
    slug = next(iter(chain.project.active_regions()))
    sites = chain.frame("sites", "sites", slug, file="sites.parquet")
    first, other = sites.iloc[0], sites.iloc[1]
    grid = GeoBox((int(first["height"]), int(first["width"])), Affine(*first["transform"][:6]), first["crs"])
    images(chain, COMPOSITES, (slug, "2018"), {first.site_id: grid}, unseen=other.site_id)
    images(chain, COMPOSITES, (slug, "2019"), {first.site_id: grid})
    inside = chain.project.region(slug).geometry.representative_point()
    tile = next(iter(tiles_of(inside.buffer(0.001))))
    images(chain, SCAN_IMAGERY, (slug, "2019"), {tile.name: tile.grid})
    views = GroundViews(chain.project)

    def seen(longitude: float, latitude: float, *, scanned: bool) -> list[tuple[int, str, float]]:
        found = views.around(longitude, latitude, 600.0, scanned=scanned)
        return [(one.year, one.reason, 0.0 if one.image is None else one.image.pixels.max()) for one in found]

    assert seen(first.longitude, first.latitude, scanned=False) == [(2018, "", 1000), (2019, "", 1000)]
    cloudy = "not observed: 3% of its window was seen clear of cloud"
    assert seen(other.longitude, other.latitude, scanned=False)[0] == (2018, cloudy, 0.0)
    nowhere = "no image of this point: it lies in no site's window"
    assert seen(50.0, 50.0, scanned=False) == [(2018, nowhere, 0.0), (2019, nowhere, 0.0)]
    assert seen(50.0, 50.0, scanned=True) == [(2019, "no image: 2019 was not scanned here", 0.0)]
    assert seen(inside.x, inside.y, scanned=True) == [(2019, "", 1000)]


def test_ground_beyond_the_window_comes_from_neighbours_then_a_scan_of_the_same_product(chain: Chain) -> None:
    slug = next(iter(chain.project.active_regions()))
    sites = chain.frame("sites", "sites", slug, file="sites.parquet")
    first = sites.iloc[0]
    whole = GeoBox((int(first["height"]), int(first["width"])), Affine(*first["transform"][:6]), first["crs"])
    # the owner shows its western half; the point lies on the last column of it
    half = int(whole.shape[1]) // 2
    west, east = GeoBox((whole.shape[0], half), whole.affine, whole.crs), whole[:, half - 10 :]
    longitude, latitude = degrees(whole, int(whole.shape[0]) // 2, half - 1)
    images(chain, COMPOSITES, (slug, "2018"), {first.site_id: west})
    images(chain, COMPOSITES, (slug, "2019"), {first.site_id: west})
    tile = next(one for one in tiles_of(shapely.Point(longitude, latitude).buffer(1e-4)))
    images(chain, SCAN_IMAGERY, (slug, "2018"), {tile.name: tile.grid}, number=7)
    images(chain, SCAN_IMAGERY, (slug, "2019"), {tile.name: tile.grid}, number=7, product="sentinel-2-l1c")

    def seen(project: Project) -> dict[int, set[int]]:
        found = GroundViews(project).around(longitude, latitude, 300.0, scanned=False)
        return {one.year: set(map(int, np.unique(one.image.pixels))) for one in found if one.image}

    assert seen(chain.project) == {2018: {1000, 7000}, 2019: {0, 1000}}
    other = "another-region"
    regions = dict(chain.project.regions)
    regions[other] = replace(regions[slug], slug=other)
    chain.project.lake.store.write_bytes(REGIONS_PATH, write_regions(regions.values()))
    neighbour = sites.iloc[[0]].assign(region=other, site_id="neighbour")
    with chain.project.lake.writer(SITES.ref((other,)), "a test") as writer:
        writer.write("sites.parquet", lambda path: write_geoparquet(neighbour, path))
        writer.commit("1", {}, Outcome({}))
    images(chain, COMPOSITES, (other, "2018"), {"neighbour": east}, number=3)
    assert seen(chain.project) == {2018: {1000, 3000}, 2019: {0, 1000}}
