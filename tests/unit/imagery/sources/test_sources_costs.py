"""What each source is expected to need."""

from pathlib import Path

import pytest

from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.basemaps.quads import QuadGrid
from minemap_assets.imagery.costs import QUAD_BYTES, FetchRequest, share_out
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.costs import EarthEngineCosts
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.costs import PlanetCosts
from minemap_assets.imagery.sources.planet.quad_cache import FOLDER, QuadRecord
from minemap_assets.imagery.sources.stac.config import StacConfig
from minemap_assets.imagery.sources.stac.costs import StacCosts
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.simulation.costs import SimulatedCosts

SITE = square_grid(707_000.0, 175_000.0, 512, 32651, 10.0)
"""5.12 km at 10 m, on Sulawesi."""

NORTH = square_grid(500_000.0, 6_600_000.0, 512, 32633, 10.0)
BANDS = ("blue", "green", "red", "nir")


def season(year: int) -> Season:
    return SeasonRule().season(year)


def request(year: int, *grids: object, product: str = "planet-nicfi") -> FetchRequest:
    return FetchRequest(product, season(year), BANDS, grids or (SITE,))


def test_a_paid_series_is_not_taken_to_have_ended(tmp_path: Path) -> None:
    paid = PlanetConfig(series=("successor",))
    assert not PlanetCosts(PlanetConfig(), KeptFiles(tmp_path)).serves(SITE, season(2026))
    assert PlanetCosts(paid, KeptFiles(tmp_path)).serves(SITE, season(2026))


def test_basemaps_reach_the_tropics_only(tmp_path: Path) -> None:
    planet = PlanetCosts(PlanetConfig(), KeptFiles(tmp_path))
    assert planet.serves(SITE, season(2021))
    assert not planet.serves(NORTH, season(2021))


def test_a_quad_counts_once_however_many_sites_it_shows(tmp_path: Path) -> None:
    planet = PlanetCosts(PlanetConfig(), KeptFiles(tmp_path))
    quads = len(QuadGrid(2048).touching(SITE))
    one, two = planet.cost(request(2021)), planet.cost(request(2021, SITE, SITE))
    assert one.downloads == two.downloads == 6 * quads
    assert one.bytes_read == 6 * quads * QUAD_BYTES
    assert (one + two).downloads == one.downloads
    assert (one + planet.cost(request(2022))).downloads == 12 * quads
    assert PlanetCosts(PlanetConfig(clarity="metadata"), KeptFiles(tmp_path)).cost(request(2021)).downloads == quads


def test_a_kept_quad_is_not_downloaded_again(tmp_path: Path) -> None:
    quad = QuadGrid(2048).touching(SITE)[0]
    record = QuadRecord(
        etag="",
        file="x.tif",
        bytes=1,
        sha256="",
        mosaic_revision="2021-07-01T00:00:00+00:00/2021-08-01T00:00:00+00:00",
        bands=None,
        clear=1,
        pixels=1,
    )
    planet = PlanetConfig(), KeptFiles(tmp_path)
    before = PlanetCosts(*planet).cost(request(2021)).downloads
    folder = tmp_path / FOLDER / "mosaic"
    folder.mkdir(parents=True)
    (folder / f"{quad}.json").write_text(record.model_dump_json())
    assert PlanetCosts(*planet).cost(request(2021)).downloads == before, "its file was evicted"
    (folder / "x.tif").write_bytes(b"x")
    assert PlanetCosts(*planet).cost(request(2021)).downloads == before - 1


def test_tiles_take_a_hundredth_of_a_single_sites_quads(tmp_path: Path) -> None:
    quads = PlanetCosts(PlanetConfig(), KeptFiles(tmp_path))
    tiles = PlanetCosts(PlanetConfig(reads="tiles"), KeptFiles(tmp_path))
    one, other = quads.cost(request(2021)), tiles.cost(request(2021))
    assert (other.downloads, other.quads) == (0, frozenset())
    assert 0.005 * one.bytes_read < other.bytes_read < 0.05 * one.bytes_read
    need = f"{other.bytes_read / 1e9:.2f} GB, {other.requests} requests and 0 downloads"
    assert str(one.otherwise) == f'with reads = "tiles" {need}'
    assert f"{one.downloads} downloads" in str(other.otherwise)
    two = tiles.cost(request(2021, SITE, SITE))
    assert two.requests == other.requests, "sites share tiles"


def test_quads_take_no_more_disk_than_the_cache_may() -> None:
    unbounded = PlanetCosts(PlanetConfig(), KeptFiles(Path())).cost(request(2021))
    few = PlanetCosts(PlanetConfig(), KeptFiles(Path(), 5e8))
    bounded = few.cost(request(2021)) + few.cost(request(2022))
    assert unbounded.disk_bytes == unbounded.stored_bytes + unbounded.cache_bytes
    assert bounded.disk_bytes == bounded.stored_bytes + 500_000_000
    assert bounded.bytes_read > unbounded.bytes_read


def test_open_scenes_agree_with_what_was_measured() -> None:
    """About 330 MB and 300 requests for 25 dates of four bands and the classes."""
    cost = StacCosts(StacConfig(), "sentinel-2-l2a").cost(request(2021, product="sentinel-2-l2a"))
    assert cost.requests == pytest.approx(300, rel=0.15)
    assert cost.bytes_read == pytest.approx(330e6, rel=0.15)
    half = StacCosts(StacConfig(), "sentinel-2-l2a").cost(request(2016, product="sentinel-2-l2a"))
    assert half.requests == pytest.approx(cost.requests / 2, rel=0.1)
    assert cost.downloads == 0


def test_earth_engine_needs_a_list_and_the_pixels() -> None:
    source = EarthEngineCosts(EarthEngineConfig(), "sentinel-2-l2a")
    cost = source.cost(request(2021, product="sentinel-2-l2a"))
    assert cost.requests == 2
    assert cost.bytes_read == 512 * 512 * 5 * 2
    assert cost.eecu_hours > 0
    large = square_grid(707_000.0, 175_000.0, 4096, 32651, 10.0)
    assert source.cost(request(2021, large, product="sentinel-2-l2a")).requests == 1 + 4


def test_earth_engine_has_basemaps_where_and_when_there_are_any() -> None:
    source = EarthEngineCosts(EarthEngineConfig(), "planet-nicfi")
    assert source.serves(SITE, season(2021))
    assert not source.serves(NORTH, season(2021))
    assert not source.serves(SITE, season(2026))


def test_a_grid_is_served_by_the_first_source_that_should_have_it(tmp_path: Path) -> None:
    planet, other = PlanetCosts(PlanetConfig(), KeptFiles(tmp_path)), SimulatedCosts()
    shares = share_out((planet, other), (SITE, NORTH), season(2021))
    assert [(model.name, grids) for model, grids in shares] == [("planet-basemaps", (SITE,)), ("simulated", (NORTH,))]
    assert share_out((planet,), (NORTH,), season(2021)) == ()
