"""The same pixels from every road: one set of images through several sources, side by side on one grid.

Real Sentinel-2 scenes (Onera change detection, eo-learn) through `archive`, `stac` and `earth-engine`, and simulated
NICFI quads through `planet-basemaps`, `earth-engine` and `archive`. The clients are the released ones and the stand-in
services know nothing of our code. Each test logs a table of every pair (`pytest --log-cli-level=INFO`).

Where pixels do not coincide every road interpolates bilinearly between four source pixels, of which it leaves out the
cloudy ones; a tie may be rounded either way, which is 1 in 10,000. All mask alike, by the nearest pixel of the classes
or scores. `stac` is compared off the edges of clouds, `archive` and `earth-engine` everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from earth_engine_world import Asset, Band
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Composite, ImagerySource
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from planet_trial import source as planet
from planet_world import BANDS as NICFI_BANDS
from planet_world import MosaicSpec, haze, monthly, render_quads
from planet_world import served as basemaps
from same_pixels import (
    KEYS,
    Picture,
    Plane,
    compare,
    earth_engine,
    index,
    through_archive,
    through_earth_engine,
    through_stac,
)
from servers.planet_faults import Account
from stac_service import World

pytestmark = pytest.mark.integration

BANDS = ("blue", "green", "red", "nir", "swir16")


@contextmanager
def three_roads(folder: Path, pictures: Sequence[Picture]) -> Iterator[dict[str, ImagerySource]]:
    with ExitStack() as stack:
        for name in ("stac", "engine"):
            (folder / name).mkdir()
        yield {
            "archive": through_archive(folder / "archive", pictures),
            "stac": through_stac(World(folder / "stac", stack), pictures),
            "earth-engine": stack.enter_context(through_earth_engine(folder / "engine", pictures)),
        }


def beihai(test_data: Path) -> list[Picture]:
    """Two dates, with a cloud drawn into each; the files lie on a grid of degrees, the 20 m band on a coarser one."""
    days = {"imgs_1": date(2016, 12, 9), "imgs_2": date(2018, 3, 9)}
    clouds = {
        "imgs_1": shapely.box(109.540, 21.560, 109.546, 21.570),
        "imgs_2": shapely.box(109.535, 21.563, 109.543, 21.566),
    }
    pictures = []
    for folder, day in days.items():
        planes = {}
        for band in BANDS:
            (path,) = (test_data / "oscd-sentinel2-l1c" / "beihai" / folder).glob(f"*_{KEYS[band]}.tif")
            with rasterio.open(path) as source:
                planes[band] = Plane(source.read(1), GeoBox(source.shape, source.transform, str(source.crs)))
        grid = planes["blue"].grid
        rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
        x, y = grid.affine.c + columns * grid.affine.a, grid.affine.f + rows * grid.affine.e
        pictures.append(Picture(day, planes, ~shapely.contains_xy(clouds[folder], x, y)))
    return pictures


def slovenia(test_data: Path) -> list[Picture]:
    """Five dates of which two are cloudy: a pixel counts as cloud where its blue is bright. The days are made up."""
    scenes = np.load(test_data / "eo-learn-s2-l1c" / "REFERENCE_SCENES.npy")
    height, width = scenes.shape[1:3]
    grid = GeoBox((height, width), Affine(999.0 / width, 0, 465_181.0, 0, -1010.0 / height, 5_080_255.0), "EPSG:32633")
    places = {"blue": 1, "green": 2, "red": 3, "nir": 7, "swir16": 11}
    pictures = []
    for number, scene in enumerate(scenes):
        stored = {band: np.rint(scene[..., place] * 10_000).astype(np.uint16) for band, place in places.items()}
        planes = {band: Plane(pixels, grid) for band, pixels in stored.items()}
        pictures.append(Picture(date(2017, 6, 1) + timedelta(days=10 * number), planes, stored["blue"] < 1400))
    return pictures


def read(
    roads: Mapping[str, ImagerySource], grid: GeoBox, season: Season, bands: Sequence[str]
) -> dict[str, Composite]:
    composites = {name: source.read(grid, season, bands) for name, source in roads.items()}
    for composite in composites.values():
        assert np.abs(np.diff(composite.pixels.astype(int), axis=2)).mean() > 20  # a shift by a pixel would be noticed
    return composites


def assert_same_to_resampling(roads: Mapping[str, ImagerySource], grid: GeoBox, season: Season) -> None:
    """On a site's grid: within 1 in 10,000 and hardly ever that."""
    composites = read(roads, grid, season, BANDS)
    assert len(np.unique(composites["stac"].clear_count)) >= 3  # the masks matter
    for apart in compare("everywhere", composites).values():
        assert apart.counts == 0, apart
        assert apart.largest <= 1, apart
        assert apart.share < 0.001, apart
        assert abs(apart.mean) < 0.001, apart


def assert_same(composites: Mapping[str, Composite]) -> None:
    """Every pixel and every count."""
    for apart in compare("everywhere", composites).values():
        assert apart.counts == 0, apart
        assert apart.largest == 0, apart


def test_two_real_scenes_of_beihai(test_data: Path, tmp_path: Path) -> None:
    pictures = beihai(test_data)
    easting, northing = Transformer.from_crs(4326, 32649, always_xy=True).transform(109.542, 21.565)
    season = Season(2016, date(2016, 1, 1), date(2019, 1, 1))
    with three_roads(tmp_path, pictures) as roads:
        site = square_grid(easting, northing, 160, 32649, 10.0)
        assert_same_to_resampling(roads, site, season)
        assert_same(read(roads, pictures[0].grid[480:640, 540:700], season, BANDS[:4]))


def test_five_real_scenes_of_slovenia(test_data: Path, tmp_path: Path) -> None:
    pictures = slovenia(test_data)
    season = Season(2017, date(2017, 6, 1), date(2017, 12, 1))
    with three_roads(tmp_path, pictures) as roads:
        site = square_grid(465_680.0, 5_079_750.0, 90, 32633, 10.0)
        assert_same_to_resampling(roads, site, season)
        assert_same(read(roads, pictures[0].grid, season, BANDS))


def basemap_site(x: float, y: float) -> GeoBox:
    """A site of 600 m around a point in EPSG:3857, the default's 5 m pixels."""
    return square_grid(*Transformer.from_crs(3857, 32630, always_xy=True).transform(x, y), 120, 32630)


def sites(mosaic: MosaicSpec) -> dict[str, GeoBox]:
    """In the middle of a quad, across a seam, and where four quads meet."""
    quad = mosaic.grid(mosaic.quads.touching_area(shapely.Point(-0.0426, 1.4991))[0])
    size = mosaic.quad_pixels
    places = {"inside": (size / 2, size / 2), "seam": (size, size / 2), "corner": (size + 7.3, size - 11.8)}
    return {name: basemap_site(*(quad.affine @ place)) for name, place in places.items()}


@pytest.mark.parametrize("months", [1, 3])
def test_simulated_quads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, months: int) -> None:
    """Exactly, across seams as well. Of several months `planet-basemaps` shows the clearest, the others the median."""
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)
    mosaics = [monthly(2019, 6 + n) for n in range(months)]
    root, grids, season = tmp_path / "quads", sites(mosaics[0]), SeasonRule().season(2019)
    assert [len(mosaics[0].quads.touching(grid)) for grid in grids.values()] == [1, 2, 4]
    render_quads(root, mosaics, list(grids.values()), {m.name: haze(0.2 * n) for n, m in enumerate(mosaics) if n})
    with engine_of_quads(root, mosaics) as engine, basemaps(root) as server:
        days = {m.id: f"{m.start}/{m.end - timedelta(days=1)}" for m in mosaics}
        roads: dict[str, ImagerySource] = {"archive": index("planet-nicfi", root, days), "earth-engine": engine}
        if months == 1:
            roads["planet-basemaps"] = planet(server, tmp_path / "cache")
        for grid in grids.values():
            composites = read(roads, grid, season, NICFI_BANDS)
            assert_same(composites)
            origins = [composite.provenance for composite in composites.values()]
            assert {(o.first_date, o.last_date) for o in origins} == {
                ("2019-06-01", f"{mosaics[-1].end - timedelta(days=1)}")
            }
            assert composites["earth-engine"].provenance.acquisitions == tuple(m.name for m in mosaics)
            assert not composites["earth-engine"].provenance.redistributable


@contextmanager
def engine_of_quads(root: Path, mosaics: Sequence[MosaicSpec]) -> Iterator[EarthEngineSource]:
    """The quads of a mosaic as one image, which it is to Earth Engine."""
    config, tropics = EarthEngineConfig(), shapely.box(-180, -34, 180, 30)
    found = []
    for mosaic in mosaics:
        files = tuple(sorted(str(path.relative_to(root)) for path in (root / mosaic.id).glob("*.tif")))
        bands = {name: Band(files, number) for number, name in enumerate(("B", "G", "R", "N"), 1)}
        found.append(
            Asset(mosaic.name, mosaic.start, tropics, bands, end=mosaic.end, properties={"cadence": "monthly"})
        )
    collections: dict[str, list[Asset]] = {one.asset: [] for one in config.nicfi} | {config.nicfi[1].asset: found}
    with earth_engine("planet-nicfi", root, collections) as source:
        yield source
