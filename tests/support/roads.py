"""One place that every service of a kind of image has: two sites, and a project whose pixels come from stand-ins.

`near` lies where every service has images; of `far` only the open catalogues and the team's own archive have any.
Planet's quads are of 2019, Sentinel-2 of 2021. Each source shows the place in its own brightness, so that pixels
tell where they come from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

import earth_engine_world
import planet_world
import stac_world
from earth_engine_world import Asset, Keys
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.planet.credentials import (
    CLIENT_VARIABLE,
    PROFILE_VARIABLE,
    SECRET_VARIABLE,
)
from minemap_assets.project.settings import SETTINGS_PATH
from planet_world import monthly, write_mosaics, write_quad
from servers.planet_faults import Account
from stac_service import World
from stac_world import SIZE, Shot
from tiny import Chain

EPSG = 32722
NEAR, FAR = (500_000.0, 9_300_000.0), (502_600.0, 9_300_500.0)
WINDOW = 128
"""Pixels of 5 m on a site's side."""

BANDS = ("blue", "nir")
YEARS: Mapping[str, int] = {"planet-nicfi": 2019, "sentinel-2-l2a": 2021}
BRIGHTNESS: Mapping[str, int] = {"planet-basemaps": 1200, "earth-engine": 2200, "stac": 3200, "archive": 4200}

TILE = GeoBox((SIZE, SIZE), Affine(10.0, 0.0, 498_000.0, 0.0, -10.0, 9_303_040.0), f"EPSG:{EPSG}")
"""What a scene of the open catalogues covers: both sites."""

QUADS = monthly(YEARS["planet-nicfi"], 7)


@dataclass(frozen=True)
class Roads:
    """The running services, and the folder of images that the team has itself."""

    planet: planet_world.Running
    planet_root: Path
    earth_engine: earth_engine_world.Running
    keys: Keys
    stac: World
    archive: Path

    def settings(self, **sources: Sequence[str]) -> str:
        """A project's settings; `sources` by product, as `planet_nicfi=["archive"]`."""
        named = {product.replace("_", "-"): list(names) for product, names in sources.items()}
        collections = [
            c.model_dump(include={"name", "endpoint", "collection", "offset", "assets", "tokens"})
            for c in self.stac.collections[:2]
        ]
        brisk = "attempts = 2\nbackoff = 0.01\nrate = 100.0\nlongest_wait = 5.0"
        return f"""
[sites]
min_pixels = {WINDOW}

[chips]
size = {WINDOW}

[imagery]
products = [{{ product = "planet-nicfi", until = 2020 }}, {{ product = "sentinel-2-l2a", from = 2021 }}]
min_clear_fraction = 0.3

[imagery.bands]
planet-nicfi = {list(BANDS)}
sentinel-2-l2a = {list(BANDS)}

[imagery.sources]
{chr(10).join(f"{product} = {names}" for product, names in named.items())}

[sources.planet_basemaps]
base_url = "{self.planet.base_url}"
auth_server = "{self.planet.auth_server}"
timeout_s = 5.0
{brisk}

[sources.earth_engine]
url = "{self.earth_engine.url}"
token_url = "{self.earth_engine.url}/token"
deadline = 10.0
{brisk}

[sources.stac]
timeout = 5.0
burst = 100
collections = {_toml(collections)}
{brisk}
"""

    def calm(self) -> None:
        """Have every service work again."""
        self.planet.fail(0.0)
        self.earth_engine.calm()
        self.stac.server.set(share=0.0)

    def credentials(self, folder: Path) -> dict[str, str]:
        """An environment with credentials that work."""
        folder.mkdir(parents=True, exist_ok=True)
        key = self.earth_engine.write_key(folder / "key.json", self.keys)
        return {KEY_VARIABLE: Account.GOOD.value, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}

    def project(self, folder: Path, sites: Chain, **sources: Sequence[str]) -> Chain:
        """A copy of the project whose sites are made, with these sources."""
        chain = sites.copied(folder)
        chain.project.lake.store.write_bytes(SETTINGS_PATH, self.settings(**sources).encode())
        return chain


def without_secrets(patch: pytest.MonkeyPatch, home: Path) -> None:
    """No credentials of this machine, and a home folder of one's own."""
    earth_engine_world.without_credentials(patch, home)
    for variable in (KEY_VARIABLE, CLIENT_VARIABLE, SECRET_VARIABLE, PROFILE_VARIABLE):
        patch.delenv(variable, raising=False)


def made_sites(folder: Path) -> Chain:
    """A project with one region, `place`, whose two sites are made."""
    chain = Chain(folder / "project")
    boxes = [footprint_wgs84(square_grid(*place, 24, EPSG)) for place in (NEAR, FAR)]
    frames = {"region": [shapely.union_all(boxes).envelope.buffer(0.01)], "boxes": boxes}
    for name, shapes in frames.items():
        gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326").to_file(folder / f"{name}.geojson")
    environment = {"MINEMAP_HOME": chain.environment.home, "MINEMAP_STATE": str(chain.environment.state)}
    store = chain.project.lake.store
    store.write_bytes(SETTINGS_PATH, f"[sites]\nmin_pixels = {WINDOW}\n".encode())
    from dagster_project.cli.main import app

    for words in (
        ("regions", "add", "place", str(folder / "region.geojson")),
        ("sites", "promote", str(folder / "boxes.geojson")),
        ("run", "--select", "+sites/sites"),
    ):
        done = CliRunner().invoke(app, list(words), env=environment)
        assert done.exit_code == 0, (done.output, done.exception)
    return chain


@contextmanager
def open_roads(folder: Path) -> Iterator[Roads]:
    """Render and serve everything."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(stac_world, "TILE", TILE)
        planet_root = folder / "planet"
        render_quads(planet_root)
        planet = stack.enter_context(planet_world.served(planet_root))
        engine_root = folder / "earth-engine"
        engine_root.mkdir(parents=True)
        keys = earth_engine_world.make_keys()
        render_scenes(engine_root, keys)
        engine = stack.enter_context(earth_engine_world.served(engine_root))
        (folder / "stac").mkdir()
        stac = World(folder / "stac", stack)
        stac.fill([], [Shot("2021-07-10", baseline="05.10"), Shot("2021-08-10", baseline="05.10")], ground=ground())
        archive = folder / "team images"
        render_archive(archive)
        yield Roads(planet, planet_root, engine, keys, stac, archive)


def render_quads(root: Path) -> None:
    """Quads under `near`."""
    write_mosaics(root, [QUADS])
    for quad in QUADS.quads.touching(square_grid(*NEAR, WINDOW, EPSG)):
        flat = np.full((4, QUADS.quad_pixels, QUADS.quad_pixels), BRIGHTNESS["planet-basemaps"], dtype=np.uint16)
        write_quad(root / QUADS.id / f"{quad}.tif", flat, QUADS.grid(quad))


def render_scenes(root: Path, keys: Keys) -> None:
    """Three scenes under `near`."""
    config = EarthEngineConfig()
    area = square_grid(*NEAR, 100, EPSG, 10.0)
    found, scores = [], []
    for day in (5, 15, 25):
        index = f"202107{day:02d}T134021_202107{day:02d}T134022_T22MDB"
        pixels = _flat("earth-engine", area, 2)
        write_tif(root / f"{index}.tif", pixels, area)
        write_tif(root / f"{index}-clear.tif", np.full((1, *area.shape), 0.9, dtype=np.float32), area)
        bands = {name: earth_engine_world.Band((f"{index}.tif",), n) for n, name in ((1, "B2"), (2, "B8"))}
        properties = {"CLOUDY_PIXEL_PERCENTAGE": 5.0, "PROCESSING_BASELINE": "05.10"}
        outline = footprint_wgs84(area)
        found.append(Asset(index, date(2021, 7, day), outline, bands, properties=properties))
        clear = {"cs_cdf": earth_engine_world.Band((f"{index}-clear.tif",))}
        scores.append(Asset(index, date(2021, 7, day), outline, clear))
    basemaps: dict[str, list[Asset]] = {one.asset: [] for one in config.nicfi}
    collections = {config.sentinel2_l2a: found, config.sentinel2_l1c: [], config.cloud_score: scores, **basemaps}
    earth_engine_world.write_catalogue(root, keys, collections)


def ground() -> dict[str, npt.NDArray[np.uint16]]:
    """What the open catalogues show."""
    return {band: np.full((SIZE, SIZE), BRIGHTNESS["stac"], dtype=np.uint16) for band in BANDS}


def render_archive(root: Path) -> None:
    """The team's own images of both sites: what it downloaded from Planet, and a scene."""
    wide = square_grid((NEAR[0] + FAR[0]) / 2, NEAR[1], 1200, EPSG, 5.0)
    for name in ("planet_medres_normalized_analytic_2019-07_mosaic", "S2A_32722_20210712_0_L2A"):
        write_tif(root / f"{name}.tif", _flat("archive", wide, 2), wide, BANDS)


def write_tif(path: Path, pixels: npt.NDArray[Any], where: GeoBox, bands: Sequence[str] = ()) -> None:
    """Write (band, row, column) as a GeoTIFF."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", **profile, crs=str(where.crs), transform=where.affine) as target:
        target.write(pixels)
        if bands:
            target.descriptions = tuple(bands)


def _toml(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(one)}' for key, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _flat(source: str, where: GeoBox, count: int) -> npt.NDArray[np.uint16]:
    return np.full((count, *where.shape), BRIGHTNESS[source], dtype=np.uint16)
