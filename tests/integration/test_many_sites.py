"""Partitions of many sites: every kind of failure at once, and what a partition says of the sites it lacks."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from commands import command
from earth_engine_scenes import write
from earth_engine_world import without_credentials
from many_sites import (
    GROUND,
    HURRIED,
    SHARE,
    Built,
    most_requests,
    partition,
    serve_ground,
    small_project,
    windows,
)
from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.archive.catalogue import add_archive
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.source import StacSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.manifests import Manifest
from planet_trial import source as planet_source
from planet_world import BANDS as PLANET_BANDS
from planet_world import MosaicSpec, monthly, write_mosaics, write_quad
from planet_world import served as planet_served
from servers import earth_engine, unreliable
from servers.planet_faults import DOWNLOADS, Account
from servers.processes import unreliable as unreliable_server
from stac_service import World
from stac_world import TILE, Shot
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SITES = 50
SUMMER = Season(2021, date(2021, 6, 1), date(2021, 9, 1))
BANDS = ("blue", "nir")


@dataclass(frozen=True)
class Trial:
    """A partition, the requests it took, and the kinds of failures put on them."""

    built: Built
    requests: int
    faults: frozenset[str]


def hold_to_calm(calm: Trial, stormy: Trial, kinds: set[str]) -> None:
    """The partition is the same to the byte, and no more was asked than repetition explains."""
    assert not calm.faults
    assert stormy.faults == kinds, "every kind of failure happened"
    assert stormy.built.manifest.missing == ()
    assert len(stormy.built.index) == SITES
    assert stormy.built.manifest.content == calm.built.manifest.content
    assert calm.requests < stormy.requests <= most_requests(calm.requests)


def test_stac(tmp_path: Path) -> None:
    kinds = [*unreliable.KINDS, unreliable.EXPIRED]
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        world.fill(
            [Shot("2021-08-15", drift=9)],
            [Shot("2021-06-15", "02.12", shifted=False), Shot("2021-07-15", "02.12", shifted=False, drift=5)],
        )

        def trial(name: str) -> Trial:
            config = world.config()
            source = StacSource("sentinel-2-l2a", config, KeptFiles(tmp_path / name), Services(config, HURRIED))
            built = partition(tmp_path / name, windows(TILE, SITES, 16), source, SUMMER, BANDS, workers=4)
            log = world.asked()
            return Trial(built, len(log), frozenset(entry["fault"] for entry in log) - {""})

        world.server.set(share=0.0)
        calm = trial("calm")
        world.server.set(share=SHARE, kinds=kinds, seed=34)
        hold_to_calm(calm, trial("stormy"), set(kinds))


MOSAICS = tuple(monthly(2019, month, series="NICFI") for month in (6, 7))


def far_apart(count: int) -> dict[str, GeoBox]:
    """Windows of 5 m that lie a third of a quad apart, so that some share a quad and some lie across its edge."""
    to_zone = Transformer.from_crs(4326, 32630, always_xy=True)
    places = [to_zone.transform(-3.0 + 0.06 * (n % 10), 1.0 + 0.06 * (n // 10)) for n in range(count)]
    return {f"m{n:03d}": square_grid(*place, 16, 32630) for n, place in enumerate(places)}


def write_mosaic(root: Path, spec: MosaicSpec, areas: list[GeoBox]) -> None:
    """Quads of noise under some grids."""
    for quad in sorted({quad for area in areas for quad in spec.quads.touching(area)}):
        grid = spec.grid(quad)
        chance = np.random.default_rng([spec.start.month, quad.x, quad.y])
        write_quad(root / spec.id / f"{quad}.tif", chance.integers(1, 4000, (4, *grid.shape)).astype(np.uint16), grid)


def test_planet_basemaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)
    sites, season = far_apart(SITES), SeasonRule().season(2019)
    for spec in MOSAICS:
        write_mosaic(tmp_path, spec, list(sites.values()))
    write_mosaics(tmp_path, MOSAICS)

    with planet_served(tmp_path, page_size=1, seed=4, stall_s=2.0) as server:

        def trial(name: str, share: float) -> Trial:
            before = sum(server.stats()["counts"].values())
            server.fail(share)
            source = planet_source(server, tmp_path / name / "cache")
            built = partition(tmp_path / name, sites, source, season, PLANET_BANDS, workers=4)
            stats = server.stats()
            return Trial(built, sum(stats["counts"].values()) - before, frozenset(stats["failed"]))

        hold_to_calm(trial("calm", 0.0), trial("stormy", SHARE), {kind.value for kind in DOWNLOADS})


def test_earth_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service states no checksum of its pixels, so that a block damaged on its way is TLS's affair alone."""
    kinds = [*earth_engine.KINDS, earth_engine.EXPIRED]
    without_credentials(monkeypatch, tmp_path)
    with serve_ground(tmp_path / "ground", [2021]) as ground:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(ground.key))

        def trial(name: str, share: float) -> Trial:
            ground.server.set(share=share, kinds=kinds, seed=106)
            config = ground.server.config(deadline=3.0, backoff=0.02 + share / 1000, attempts=8)
            source = EarthEngineSource("sentinel-2-l2a", config, clock=HURRIED)
            built = partition(tmp_path / name, windows(GROUND, SITES, 16), source, SUMMER, BANDS, workers=4)
            log = ground.server.log()
            return Trial(built, len(log), frozenset(entry["fault"] for entry in log) - {""})

        hold_to_calm(trial("calm", 0.0), trial("stormy", SHARE), set(kinds))


MANY = 200
YEAR = 2019
AWAY = (11, 57, 190)
"""Sites whose files the server has and does not give."""

ARCHIVE_SETTINGS = """
[sites]
min_pixels = 12
window_factor = 1.0
[imagery]
products = [{ product = "planet-nicfi" }]
"""


RUN = ("run", "--select", "imagery/imagery", "--years", str(YEAR))


def archived_project(folder: Path, files: Path, url: str) -> Chain:
    """200 sites and an archive behind a web server: one small file a site, those of `AWAY` in a folder of their own."""
    chain = small_project(folder, MANY, ARCHIVE_SETTINGS)
    for number, place in enumerate(windows(GROUND, MANY, 6).values()):
        file = files / ("away" if number in AWAY else "there") / f"site{number:03d}_{YEAR}0701.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, np.random.default_rng(number).integers(1, 3000, (4, 24, 24)).astype(np.uint16), place.pad(9))
    report = index_archive(str(files), name="web", product="planet-nicfi", rules=ArchiveRules(bands=PLANET_BANDS))
    assert (report.images, report.refused) == (MANY, ())
    add_archive(chain.project.lake.store, "web", url, report.features)
    assert not chain.run("+sites/sites", years=()).failures
    return chain


def imagery_of(chain: Chain) -> Manifest:
    return chain.open("imagery", "imagery", "valley", str(YEAR)).manifest


def test_three_of_two_hundred_sites_fail_and_are_fetched_alone(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with unreliable_server(tmp_path / "files") as server:
        chain = archived_project(tmp_path / "home", tmp_path / "files", f"{server.url}/files")
        undisturbed = chain.copied(tmp_path / "undisturbed")
        assert command(undisturbed, *RUN).code == 0

        server.set(share=1.0, kinds=["503"], only="/files/away/")
        first = command(chain, *RUN)
        missing = imagery_of(chain).missing
        assert first.code == 1
        assert len(missing) == len(AWAY)
        assert all(one.retry and "cannot be read now" in one.reason for one in missing)
        assert all(any(f"site{n:03d}_" in one.reason for one in missing) for n in AWAY)
        said = " ".join(first.text.split())
        names = ", ".join(one.item for one in missing)
        assert "check covers_sites failed: 197 of 200 sites are at least 50% clear" in said
        assert f"; failed: {names} (" in said
        assert "1 failed" in said

        server.set(share=0.0)
        assert command(chain, *RUN).code == 0
        assert {Path(entry["path"]).parent.name for entry in server.log()} == {"away"}
        assert {Path(entry["path"]).name[4:7] for entry in server.log()} == {f"{n:03d}" for n in AWAY}
        again = imagery_of(chain)
        assert (again.missing, again.rejected) == ((), ())
        assert again.content == imagery_of(undisturbed).content
