"""A year without Planet: what a plan says of it, and what the servers then count."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

import stac_world
from commands import Ended, command
from minemap_assets.geo.grid import footprint
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.cost_models import without_deadline
from minemap_assets.imagery.costs import ASSUMED
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.stac import forecast as stac_forecast
from minemap_assets.imagery.sources.stac.blocks import FIRST_BYTES
from minemap_assets.lake.partitions import Partition
from minemap_assets.planning.estimates import Wanted, estimate
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.regions import REGIONS_PATH, region_from_file, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.simulation.source import SimulatedSource
from minemap_assets.sites.assets import GROUND_TRUTH, SITES
from minemap_assets.sites.promotion import promote
from minemap_assets.sites.windows import site_grid
from planet_world import Running, monthly, served, write_mosaics
from projects import make
from stac_service import World
from stac_world import Shot
from tiny import WORLD, Chain

pytestmark = pytest.mark.integration

BANDS = ("blue", "green", "red", "nir")
REGION = "swap"
PLANET = ("PL_API_KEY", "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET")
"""Where Planet's credentials are looked for."""

DOWNSTREAM = "imagery/imagery,chips/chips,raw_masks,raw_polygons,mining_polygons,tables/*"
"""What 2025 needs once a model has been promoted."""

SETTINGS = """\
# A team that had Planet's basemaps until 2024 and takes open Sentinel-2 from 2025.
[imagery]
workers = 1
products = [
  { product = "planet-nicfi", until = 2024 },
  { product = "sentinel-2-l2a", from = 2025 },
]

[imagery.sources]
planet-nicfi = ["planet-basemaps"]
sentinel-2-l2a = ["stac"]

[imagery.bands]
sentinel-2-l2a = ["blue", "green", "red", "nir"]

"""


def swapped(world: World, planet: Running) -> str:
    """Settings that lead both sources to the servers of this machine."""
    first = world.collections[0]
    return (
        f'[sources.planet_basemaps]\nbase_url = "{planet.base_url}"\n\n'
        "[sources.stac]\nattempts = 30\nbackoff = 0.001\nlongest_wait = 0.05\nrate = 1000.0\n\n"
        "[[sources.stac.collections]]\n"
        f'name = "{first.name}"\nendpoint = "{first.endpoint}"\n'
        f'collection = "{first.collection}"\noffset = "{first.offset}"\n'
    )


@dataclass(frozen=True)
class Layout:
    """A tile of `size` pixels of 10 m in blocks of `block`, with scenes of some cloud covers (percent), and sites that
    cluster around some places (share of the tile) within `spread` metres. `smooth` ground is stored in fewer bytes.
    """

    size: int
    block: int
    covers: tuple[float, ...]
    places: tuple[tuple[float, float], ...]
    each: int
    spread: float
    smooth: bool = False

    @property
    def tile(self) -> GeoBox:
        return GeoBox((self.size, self.size), Affine(10.0, 0.0, 600_000.0, 0.0, -10.0, 9_300_040.0), "EPSG:32722")

    def ground(self) -> dict[str, npt.NDArray[np.uint16]]:
        """Numbers by band."""
        y, x = np.mgrid[0 : self.size, 0 : self.size] / self.size
        chance = np.random.default_rng(1)
        noise = 2 if self.smooth else 60
        waves = [1500 + 250 * n + 400 * np.sin(7 * x + n) * np.cos(5 * y) for n in range(len(BANDS))]
        return {
            band: np.rint(wave + chance.normal(0, noise, wave.shape)).astype(np.uint16)
            for band, wave in zip(BANDS, waves, strict=True)
        }

    def shots(self) -> list[Shot]:
        """A scene every few days from June on."""
        days = np.datetime64("2025-06-01") + np.arange(len(self.covers)) * (180 // len(self.covers))
        return [self._shot(str(day), cover, n) for n, (day, cover) in enumerate(zip(days, self.covers, strict=True))]

    def _shot(self, day: str, cover: float, seed: int) -> Shot:
        """A scene with clouds of 0.4 to 4 km until that share of it is covered; every other one is of another tile."""
        chance = np.random.default_rng(seed)
        hidden = np.zeros((self.size, self.size), dtype=np.bool_)
        windows = []
        while hidden.mean() < cover / 100.0:
            top, left = chance.integers(-100, self.size, 2)
            height, width = chance.integers(40, 400, 2)
            windows.append((slice(max(0, top), max(0, top + height)), slice(max(0, left), max(0, left + width))))
            hidden[windows[-1]] = True
        tile = {"s2:mgrs_tile": ("22MDB", "22MDC")[seed % 2]}
        return Shot(day, clouds=tuple(windows), cloud_cover=round(100.0 * float(hidden.mean()), 2), properties=tile)

    def outlines(self) -> gpd.GeoDataFrame:
        """Mines of a few hundred metres."""
        chance = np.random.default_rng(2)
        metres = 10.0 * self.size
        found = []
        for x, y in self.places:
            for _ in range(self.each):
                east = 600_000.0 + x * metres + chance.normal(0, self.spread)
                north = 9_300_040.0 - y * metres + chance.normal(0, self.spread)
                found.append(shapely.Point(east, north).buffer(chance.uniform(60, 160)))
        return gpd.GeoDataFrame(geometry=found, crs="EPSG:32722").to_crs("EPSG:4326")


CLUSTERED = Layout(
    size=1024,
    block=128,
    covers=(5, 20, 90, 45, 60, 10, 35, 70, 0),
    places=((0.25, 0.3), (0.7, 0.35), (0.5, 0.75)),
    each=4,
    spread=500.0,
)
SCATTERED = Layout(
    size=1024,
    block=256,
    covers=(50, 0, 30, 70, 15, 65),
    places=((0.2, 0.2), (0.8, 0.15), (0.15, 0.8), (0.5, 0.5), (0.85, 0.8)),
    each=1,
    spread=300.0,
    smooth=True,
)


@dataclass(frozen=True)
class Figures:
    """What a plan said of open scenes."""

    requests: int
    gigabytes: float
    downloads: int
    basis: str


@dataclass(frozen=True)
class Team:
    """A project without Planet's credentials, and the servers that it may ask."""

    chain: Chain
    world: World
    planet: Running

    def ask(self, *words: str) -> Ended:
        return command(self.chain, *words)

    def plan(self, *words: str) -> Figures:
        """The plan of 2025 as it is printed."""
        said = self.ask("plan", "--select", "imagery/imagery", "--regions", REGION, "--years", "2025", *words)
        assert said.code == 0, said.text
        rows = {}
        for line in said.text.splitlines():
            cells = [cell.strip() for cell in line.strip("│┃ ").split("│")]
            if len(cells) == 2:
                rows[cells[0]] = cells[1]
        return Figures(
            int(rows["requests"].replace(",", "")),
            float(rows["GB to fetch"]),
            int(rows["Planet downloads"]),
            rows["rests on"],
        )

    def run(self) -> Ended:
        """The command that makes imagery of 2025."""
        return self.ask("run", "--select", "imagery/imagery", "--regions", REGION, "--years", "2025")

    def settle(self, more: str = "") -> None:
        text = SETTINGS + swapped(self.world, self.planet)
        self.chain.project.lake.store.write_bytes(SETTINGS_PATH, (text + more).encode())

    def forget(self) -> None:
        """Begin to count anew."""
        self.world.server.set()

    @property
    def pixel_requests(self) -> list[str]:
        """Addresses of files of which more than the head was asked for."""
        head = f"bytes=0-{FIRST_BYTES - 1}"
        return [entry["path"] for entry in self.world.asked("/files") if entry["range"] != head]

    @property
    def imagery(self) -> Partition:
        return self.chain.open("imagery", "imagery", REGION, "2025")


@pytest.fixture(params=[CLUSTERED, SCATTERED], ids=["clustered", "scattered"])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


def with_sites(home: ProjectHome, layout: Layout, folder: Path) -> None:
    """A region of the tile's ground, and its sites."""
    store = home.lake.store
    gpd.GeoDataFrame(geometry=[footprint(layout.tile)], crs="EPSG:32722").to_file(folder / "region.geojson")
    layout.outlines().to_file(folder / "mines.geojson")
    store.write_bytes(REGIONS_PATH, write_regions([region_from_file(folder / "region.geojson", REGION)]))
    promote(store, folder / "mines.geojson", "drawn for a test")
    for asset in (GROUND_TRUTH, SITES):
        make(home.open(), asset, REGION)


@pytest.fixture
def team(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    for variable in PLANET:
        monkeypatch.delenv(variable, raising=False)
    for name, value in {"TILE": layout.tile, "SIZE": layout.size, "BLOCK": layout.block}.items():
        monkeypatch.setattr(stac_world, name, value)
    write_mosaics(tmp_path / "planet", [monthly(2024, 7), monthly(2025, 3)])
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        world.fill(layout.shots(), ground=layout.ground())
        team = Team(Chain(tmp_path / "project"), world, stack.enter_context(served(tmp_path / "planet")))
        team.settle()
        with_sites(team.chain.project_home, layout, tmp_path)
        yield team


def test_a_year_without_planet_takes_what_its_plan_said(team: Team) -> None:
    plan = team.plan()
    assert plan.basis == "asked the catalogue"
    assert plan.downloads == 0
    team.settle(f"\n[imagery.budget]\nrequests = {plan.requests - 1}\n")
    said = team.run()
    assert said.code != 0
    assert f"{plan.requests:,} requests where requests allows {plan.requests - 1:,}" in said.text
    assert not team.pixel_requests, "neither a plan nor a run above its budget fetches pixels"

    team.forget()
    team.settle(f"\n[imagery.budget]\nrequests = {round(1.2 * plan.requests)}\n")
    said = team.run()
    assert said.code == 0, said.text
    index = read_geoparquet(team.imagery.file("index.parquet"))
    assert len(index) == len(read_geoparquet(team.chain.open("sites", "sites", REGION).file("sites.parquet"))) > 4
    assert set(index["source"]) == {"stac"}
    assert set(index["product"]) == {"sentinel-2-l2a"}
    assert all(one.startswith("S2A_2025") for found in index["acquisitions"] for one in found)
    assert team.planet.stats()["counts"] == {}, "Planet was asked"

    requests, size = len(team.world.asked()), team.world.server.sent()
    assert requests == pytest.approx(plan.requests, rel=0.2)
    assert size == pytest.approx(plan.gigabytes * 1e9, rel=0.2)


@pytest.mark.parametrize("layout", [SCATTERED], indirect=True, ids=["scattered"])
def test_a_run_that_needs_more_than_was_estimated_stops_at_its_limit(team: Team) -> None:
    """The storage fails every other time, so that twice as many requests are sent."""
    wanted = [Wanted(REGION, 2025, "sentinel-2-l2a")]
    limit = estimate(team.chain.project, wanted, query=without_deadline).total.requests + 5
    team.settle(f"\n[imagery.budget]\nrequests = {limit}\n")
    team.world.server.set(share=0.5, kinds=["500"], only="/files")
    make(team.chain.project, COMPOSITES, REGION, "2025")
    manifest = team.imagery.manifest
    assert 0 < manifest.summary["observed"] < manifest.summary["sites"]
    assert all("used up requests under [imagery.budget]" in missing.reason for missing in manifest.missing)
    assert all(missing.retry for missing in manifest.missing)
    assert len(team.world.asked("/files")) <= limit

    team.world.server.set(share=0.0)
    team.settle()
    make(team.chain.project, COMPOSITES, REGION, "2025")
    assert not team.imagery.manifest.missing
    assert len(team.world.asked("/files")) < limit, "what was done is kept"


def test_heads_of_one_scene_tell_the_rest_and_other_tiles(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stac_forecast, "MOST_HEADS", len(BANDS) + 1)
    total = estimate(team.chain.project, [Wanted(REGION, 2025, "sentinel-2-l2a")], query=without_deadline).total
    assert len(team.world.asked("/files")) == len(BANDS) + 1
    team.forget()
    make(team.chain.project, COMPOSITES, REGION, "2025")
    assert len(team.world.asked()) == pytest.approx(total.requests, rel=0.2)
    assert team.world.server.sent() == pytest.approx(total.bytes_read, rel=0.2)


def test_a_catalogue_that_does_not_answer_leaves_assumed_figures(team: Team) -> None:
    team.world.server.set(share=1.0, kinds=["503"], only="/earth-search")
    found = estimate(team.chain.project, [Wanted(REGION, 2025, "sentinel-2-l2a")], query=without_deadline)
    (line,) = found.lines
    assert line.cost.basis == {ASSUMED}
    assert "stac was not asked, so its figures are assumed" in " ".join(found.gaps)
    assert not team.world.asked("/files")


@pytest.mark.slow
def test_a_year_without_planet_runs_through_to_its_tables(
    finished: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny world's ground seen by three scenes, under the model that its team promoted before."""
    chain = finished.copied(tmp_path / "copy")
    grids = [site_grid(row) for row in chain.frame("sites", "sites", "alder-basin", file="sites.parquet").itertuples()]
    west, north = min(g.affine.c for g in grids) - 200.0, max(g.affine.f for g in grids) + 200.0
    epsg = int(str(grids[0].crs).removeprefix("EPSG:"))
    place = GeoBox((768, 768), Affine(10.0, 0.0, west, 0.0, -10.0, north), f"EPSG:{epsg}")
    for name, value in {"TILE": place, "SIZE": 768, "EPSG": epsg}.items():
        monkeypatch.setattr(stac_world, name, value)
    for variable in PLANET:
        monkeypatch.delenv(variable, raising=False)
    source = SimulatedSource(WORLD, "sentinel-2-l2a")
    seen = source.read(place, SeasonRule().season(WORLD.years[-1]), stac_world.BANDS)
    write_mosaics(tmp_path / "planet", [monthly(2024, 7)])
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        days = ("2025-06-20", "2025-08-10", "2025-10-25")
        world.fill([Shot(day) for day in days], ground=dict(zip(stac_world.BANDS, seen.pixels, strict=True)))
        planet = stack.enter_context(served(tmp_path / "planet"))
        chain.change('sentinel-2-l2a = ["simulated"]', 'sentinel-2-l2a = ["stac"]')
        chain.change('planet-nicfi = ["simulated"]', 'planet-nicfi = ["planet-basemaps"]')
        chain.change("[sources.simulated]", swapped(world, planet) + "\n[sources.simulated]")
        said = command(chain, "run", "--select", DOWNSTREAM, "--regions", "alder-basin", "--years", "2025")
        assert said.code == 0, said.text
        assert planet.stats()["counts"] == {}
    index = chain.frame("imagery", "imagery", "alder-basin", "2025")
    assert set(index["source"]) == {"stac"}
    assert len(index) == len(grids)
    polygons = chain.table("polygons", 2025)
    assert set(polygons["product"]) == {"sentinel-2-l2a"}
    assert {one for found in polygons["sources"] for one in found} == {"stac"}
    panel = chain.table("site_panel", 2025)
    assert panel.loc[panel["region"] == "alder-basin", "area_km2"].sum() > 0
