"""The source `planet-basemaps` against a stand-in service on loopback, by the planet SDK and our own downloads."""

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from minemap_assets.errors import (
    AuthenticationError,
    BadInputError,
    MinemapError,
    NotCoveredError,
    NotEntitledError,
    NotFoundError,
    PermanentError,
    QuotaError,
)
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.sources.archive import ArchiveSource
from minemap_assets.imagery.sources.archive_features import read_index
from minemap_assets.imagery.sources.archive_index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.planet import PlanetSource
from minemap_assets.imagery.sources.planet_config import PlanetConfig
from minemap_assets.imagery.sources.planet_dialect import KEY_VARIABLE
from minemap_assets.imagery.transport import Discipline
from minemap_assets.lake import Lake, Manifest, PartitionRef, build_partition
from planet_world import BANDS, MosaicSpec, Running, haze, monthly, render_quads, served, write_mosaics, write_quad
from servers.planet_faults import Account, Fault

pytestmark = pytest.mark.integration

SEASON = SeasonRule().season(2019)
MONTHS = tuple(monthly(2019, month, series="NICFI") for month in (6, 7, 8))
HALF_YEAR = MosaicSpec(
    "planet_medres_normalized_analytic_2018-06_2018-11_mosaic", date(2018, 6, 1), date(2018, 12, 1), series="NICFI"
)
BRISK = Discipline(rate=1000.0, burst=1000, concurrency=4, timeout=1.0, backoff=0.02, deadline=20.0)
"""Patience for a server that is near."""


def site(longitude: float, latitude: float, pixels: int = 120) -> GeoBox:
    place = Transformer.from_crs(4326, 32630, always_xy=True).transform(longitude, latitude)
    return square_grid(*place, pixels, 32630)


SITES = {"a": site(-0.0135, 1.4883), "b": site(-0.0120, 1.4880), "c": site(-0.0426, 1.4991), "d": site(-0.0140, 1.4893)}


@dataclass(frozen=True)
class World:
    """The folder that is served."""

    root: Path

    def quads(self, spec: MosaicSpec) -> list[Path]:
        return sorted((self.root / spec.id).glob("*.tif"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("planet")
    weather = {MONTHS[0].name: haze(0.3), MONTHS[2].name: haze(0.6, 0.5)}
    render_quads(root, [*MONTHS, HALF_YEAR], list(SITES.values()), weather)
    scenes: dict[str, dict[str, list[dict[str, object]]]] = {}
    for spec, cloud in zip(MONTHS, (1, 20, 40), strict=True):
        for path in (root / spec.id).glob("*.tif"):
            scene = {"id": f"{spec.start}-{path.stem}", "cloud_percent": cloud, "heavy_haze_percent": 0}
            scenes.setdefault(spec.id, {})[path.stem] = [scene]
    (root / "scenes.json").write_text(json.dumps(scenes))
    return World(root)


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Running]:
    with served(world.root, page_size=3) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


def source(server: Running, cache: Path, discipline: Discipline = BRISK, **settings: object) -> PlanetSource:
    config = PlanetConfig.model_validate({"base_url": server.base_url} | settings)
    return PlanetSource("planet-nicfi", config, cache, discipline=discipline)


def frame(sites: dict[str, GeoBox]) -> gpd.GeoDataFrame:
    rows = []
    for name, grid in sites.items():
        place = to_columns(grid)
        rows.append(
            {
                "site_id": name,
                "crs": place.crs,
                "transform": list(place.transform),
                "width": place.width,
                "height": place.height,
                "geometry": footprint_wgs84(grid),
            }
        )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


def build(lake: Lake, planet: PlanetSource, season: Season = SEASON) -> Manifest:
    ref = PartitionRef("imagery", "imagery", ("test", str(season.year)))
    manifest, _ = build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda writer: build_imagery(frame(SITES), [planet], season, BANDS, 0.5, writer, workers=2),
    )
    return manifest


def quads_under(grids: list[GeoBox], spec: MosaicSpec) -> set[str]:
    return {str(quad) for grid in grids for quad in spec.quads.touching(grid)}


def archive(folder: Path) -> ArchiveSource:
    report = index_archive(
        str(folder), name="quads", product="planet-nicfi", rules=ArchiveRules(date="2019-06/2019-11")
    )
    assert not report.refused
    return ArchiveSource("planet-nicfi", [read_index("quads", str(folder), report.features)])


def test_the_same_quads_through_an_archive_give_the_same_pixels(world: World, server: Running, tmp_path: Path) -> None:
    planet = source(server, tmp_path / "cache")
    season = SeasonRule().season(2018)
    other = ArchiveSource(
        "planet-nicfi",
        [
            read_index(
                "quads",
                str(world.root / HALF_YEAR.id),
                index_archive(
                    str(world.root / HALF_YEAR.id),
                    name="quads",
                    product="planet-nicfi",
                    rules=ArchiveRules(date="2018-06/2018-11"),
                ).features,
            )
        ],
    )
    for grid in SITES.values():
        ours, theirs = planet.read(grid, season, BANDS), other.read(grid, season, BANDS)
        assert ours.clear_fraction == 1.0
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        np.testing.assert_array_equal(ours.clear_count, theirs.clear_count)
        assert ours.provenance.bytes_read == theirs.provenance.bytes_read


def test_chosen_months_agree_with_an_archive_of_them(world: World, server: Running, tmp_path: Path) -> None:
    composite = source(server, tmp_path / "cache").read(SITES["a"], SEASON, ("red", "nir"))
    folder = tmp_path / "archive"
    folder.mkdir()
    for acquisition in composite.provenance.acquisitions:
        name, quad = acquisition.split("/")
        spec = next(s for s in MONTHS if s.name == name)
        (folder / f"{quad}.tif").write_bytes((world.root / spec.id / f"{quad}.tif").read_bytes())
    theirs = archive(folder).read(SITES["a"], SEASON, ("red", "nir"))
    np.testing.assert_array_equal(composite.pixels, theirs.pixels)
    np.testing.assert_array_equal(composite.clear_count, theirs.clear_count)


def test_the_clearest_month_of_each_quad(server: Running, tmp_path: Path) -> None:
    composite = source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    assert composite.provenance.acquisitions == tuple(
        sorted(f"{MONTHS[1].name}/{quad}" for quad in quads_under([SITES["c"]], MONTHS[1]))
    )
    assert (composite.provenance.first_date, composite.provenance.last_date) == ("2019-07-01", "2019-07-31")
    assert not composite.provenance.redistributable
    assert "non-commercial" in composite.provenance.terms


def test_a_tie_goes_to_the_last_month_and_quads_choose_for_themselves(tmp_path: Path) -> None:
    quads = sorted(quads_under([SITES["c"]], MONTHS[0]))
    root = tmp_path / "root"
    veiled = {f"{MONTHS[2].name}/{quads[0]}": haze(0.5), f"{MONTHS[0].name}/{quads[0]}": haze(0.5)}
    render_quads(root, MONTHS, [SITES["c"]], veiled)
    with served(root) as server:
        composite = source(server, tmp_path / "cache").read(SITES["c"], SEASON, BANDS)
    expected = {f"{MONTHS[1].name}/{quads[0]}", *(f"{MONTHS[2].name}/{quad}" for quad in quads[1:])}
    assert set(composite.provenance.acquisitions) == expected


def test_scene_metadata_decides_where_it_is_asked_for(world: World, tmp_path: Path) -> None:
    with served(world.root) as server:
        composite = source(server, tmp_path, clarity="metadata").read(SITES["c"], SEASON, BANDS)
        counts = server.stats()["counts"]
    quads = quads_under([SITES["c"]], MONTHS[0])
    assert set(composite.provenance.acquisitions) == {f"{MONTHS[0].name}/{quad}" for quad in quads}
    assert counts["download"] == len(quads)


def test_pixels_decide_where_metadata_is_refused(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.NO_SCENES)
    by_pixels = source(server, tmp_path, clarity="auto").read(SITES["c"], SEASON, BANDS)
    assert all(a.startswith(MONTHS[1].name) for a in by_pixels.provenance.acquisitions)
    with pytest.raises(NotEntitledError, match="does not include this"):
        source(server, tmp_path, clarity="metadata").read(SITES["c"], SEASON, BANDS)


def test_neighbours_share_quads_and_runs_share_the_cache(world: World, tmp_path: Path) -> None:
    quads = quads_under(list(SITES.values()), MONTHS[0])
    apart = sum(len(quads_under([grid], MONTHS[0])) for grid in SITES.values())
    assert len(quads) < apart
    with served(world.root) as server:
        assert not build(Lake.local(tmp_path / "one", tmp_path / "s1"), source(server, tmp_path / "cache")).missing
        first = server.stats()["counts"]
        assert first["download"] == first["full"] == first["quad"] == len(quads) * len(MONTHS)
        assert first["mosaics"] == 1
        assert not build(Lake.local(tmp_path / "two", tmp_path / "s2"), source(server, tmp_path / "cache")).missing
        again = server.stats()["counts"]
    assert again == first | {"mosaics": 2}


def pixels_of(lake: Lake, manifest: Manifest) -> dict[str, bytes]:
    partition = lake.open(PartitionRef("imagery", "imagery", ("test", "2019")))
    images = open_imagery(partition)
    return {name: images.read(name).pixels.tobytes() for name in SITES} | {"rows": str(len(manifest.missing)).encode()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_route_failing_a_fifth_of_the_time(world: World, tmp_path: Path, seed: int) -> None:
    with served(world.root, page_size=2) as calm:
        lake = Lake.local(tmp_path / "calm", tmp_path / "s1")
        expected = pixels_of(lake, build(lake, source(calm, tmp_path / "calm-cache")))
        needed = sum(calm.stats()["counts"].values())
    with served(world.root, page_size=2, faults=0.2, seed=seed, stall_s=2.0) as rough:
        lake = Lake.local(tmp_path / "rough", tmp_path / "s2")
        manifest = build(lake, source(rough, tmp_path / "rough-cache"))
        stats = rough.stats()
    assert not manifest.missing
    assert pixels_of(lake, manifest) == expected
    failed = sum(stats["failed"].values())
    assert failed > needed // 8
    asked = sum(stats["counts"].values())
    assert asked <= needed + 2 * failed, "an expired signature costs two requests, every other failure one"
    assert asked <= 2 * needed


@pytest.mark.parametrize("kind", list(Fault))
def test_each_way_to_fail(world: World, server: Running, tmp_path: Path, kind: Fault) -> None:
    expected = source(server, tmp_path / "calm").read(SITES["c"], SeasonRule().season(2018), BANDS)
    with served(world.root, faults=0.5, seed=5, only=[kind], stall_s=2.0) as rough:
        patient = Discipline(**{**vars(BRISK), "attempts": 12})
        found = source(rough, tmp_path / "rough", patient).read(SITES["c"], SeasonRule().season(2018), BANDS)
        assert rough.stats()["failed"][kind] > 0
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert not list((tmp_path / "rough").glob("**/*.part*"))


def secrets_in(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception(error)) + str(error)
    return [word for word in (*Account, "api_key=", "signature=") if word in text]


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        ("", AuthenticationError, "PL_API_KEY is not set; copy the API key"),
        ("PLAKwrong0123456789", AuthenticationError, "wrong or has expired; copy the API key"),
        ("PLAK wrong", AuthenticationError, "holds characters that no API key has"),
        (Account.EXPIRED, AuthenticationError, "wrong or has expired; copy the API key"),
        (Account.EMPTY, NotEntitledError, "sees no mosaic whose name contains planet_medres.*; ask for access"),
        (Account.SPENT, QuotaError, "quota of the Planet account is used up .*; wait until"),
        (Account.FORBIDDEN, NotEntitledError, "plan of the Planet account does not include this .*; ask Planet"),
    ],
)
def test_one_sentence_with_the_next_step(
    server: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str,
    kind: type[MinemapError],
    words: str,
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind, match=words) as caught:
        source(server, tmp_path).read(SITES["c"], SEASON, BANDS)
    assert "\n" not in str(caught.value)
    assert ". " not in str(caught.value)
    assert not secrets_in(caught.value)
    assert not key or key not in "".join(traceback.format_exception(caught.value))
    assert not [word for word in Account if word in caplog.text]


def test_no_imagery_for_the_year(server: Running, tmp_path: Path) -> None:
    planet = source(server, tmp_path)
    season = SeasonRule().season(2025)
    with pytest.raises(NotCoveredError, match=r"no mosaic .* for 2025 .*, only from 2018-06-01 to 2019-08-31; name"):
        planet.read(SITES["a"], season, BANDS)
    assert planet.available(footprint_wgs84(SITES["a"]), season).images == 0


def test_no_quad_at_the_place(server: Running, tmp_path: Path) -> None:
    planet = source(server, tmp_path)
    with pytest.raises(NotCoveredError, match=r"none of Planet's 3 mosaics .* shows this place"):
        planet.read(site(-0.3, 1.2), SEASON, BANDS)
    assert planet.available(footprint_wgs84(site(-0.3, 1.2)), SEASON).covered_share == 0.0


def test_unknown_band_and_product(server: Running, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="planet-nicfi has no band swir16"):
        source(server, tmp_path).read(SITES["a"], SEASON, ("red", "swir16"))
    with pytest.raises(BadInputError, match="planet-basemaps has planet-nicfi only"):
        PlanetSource("sentinel-2-l2a", PlanetConfig(), tmp_path)


def test_planning_and_news(server: Running, tmp_path: Path) -> None:
    planet = source(server, tmp_path)
    there = planet.available(footprint_wgs84(SITES["a"]), SEASON)
    assert there.images == len(MONTHS)
    assert there.covered_share == pytest.approx(1.0)
    latest = planet.latest_by_season(SeasonRule())
    assert sorted(latest.revisions) == [2018, 2019]
    assert latest.newest is not None
    assert latest.newest.date() == date(2019, 9, 1)
    assert sorted(planet.latest().revisions) == [2018, 2019]


def test_series_by_name(server: Running, tmp_path: Path) -> None:
    known = source(server, tmp_path, series=["NICFI"]).read(SITES["c"], SeasonRule().season(2018), ("red",))
    assert known.clear_fraction == 1.0
    with pytest.raises(NotFoundError, match="no series 'Moon' that this account sees; correct series"):
        source(server, tmp_path, series=["Moon"]).read(SITES["c"], SEASON, ("red",))
    with pytest.raises(NotEntitledError, match="whose name contains visual in the series NICFI"):
        source(server, tmp_path, series=["NICFI"], name_contains="visual").read(SITES["c"], SEASON, ("red",))


def test_a_damaged_cached_quad_is_fetched_again(world: World, tmp_path: Path) -> None:
    season = SeasonRule().season(2018)
    with served(world.root) as server:
        first = source(server, tmp_path).read(SITES["c"], season, BANDS)
        quads = quads_under([SITES["c"]], HALF_YEAR)
        for path in sorted((tmp_path / HALF_YEAR.id).glob("*.tif"))[:1]:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        again = source(server, tmp_path).read(SITES["c"], season, BANDS)
        assert server.stats()["counts"]["download"] == len(quads) + 1
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_a_revised_mosaic_is_fetched_again(tmp_path: Path) -> None:
    grid, season = SITES["c"], SeasonRule().season(2018)
    root, cache = tmp_path / "root", tmp_path / "cache"
    render_quads(root, [HALF_YEAR], [grid])
    with served(root) as server:
        before = source(server, cache).read(grid, season, BANDS)
    render_quads(root, [HALF_YEAR], [grid], {HALF_YEAR.name: haze(0.2)})
    longer = (("last_acquired", "2018-12-01T12:00:00.000Z"),)
    write_mosaics(root, [MosaicSpec(HALF_YEAR.name, HALF_YEAR.start, HALF_YEAR.end, extra=longer)])
    with served(root) as server:
        after = source(server, cache).read(grid, season, BANDS)
    assert after.pixels.mean() > before.pixels.mean()
    assert len(list(cache.glob("*/*.tif"))) == len(quads_under([grid], HALF_YEAR))


def test_a_quad_elsewhere_than_its_number_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    render_quads(root, [HALF_YEAR], [SITES["c"]])
    for path in (root / HALF_YEAR.id).glob("*.tif"):
        with rasterio.open(path, "r+") as target:
            moved = target.transform.f - 19.0 * target.height
            target.transform = target.transform.__class__(*target.transform[:5], moved)
    with served(root) as server, pytest.raises(MinemapError, match=r"it lies elsewhere.*after 6 attempts"):
        source(server, tmp_path / "cache").read(SITES["c"], SeasonRule().season(2018), BANDS)
    assert not list((tmp_path / "cache").glob("**/*.tif"))


@pytest.mark.parametrize(
    ("names", "stated", "fine"),
    [
        (("blue", "green", "red", "nir"), None, True),
        (("nir", "red", "green", "blue"), None, True),
        ((None, None, None, None), None, True),
        (("nir", None, "green", "blue"), None, True),
        ((None, None, None, None), ("blue", "green", "red", "nir"), True),
        (("nir", None, None, "blue"), None, False),
        (("blue", "blue", "red", "nir"), None, False),
        (("blue", "green", "red", "nir"), ("blue", "green", "red"), False),
    ],
)
def test_band_order_is_read_from_the_file(
    world: World,
    tmp_path: Path,
    names: tuple[str | None, ...],
    stated: tuple[str, ...] | None,
    fine: bool,
) -> None:
    root, season = tmp_path / "root", SeasonRule().season(2018)
    write_mosaics(root, [HALF_YEAR])
    order = [
        name or {1: "red"}.get(place, BANDS[place]) if any(names) else BANDS[place] for place, name in enumerate(names)
    ]
    quads = sorted(HALF_YEAR.quads.touching(SITES["c"]))
    for quad in quads:
        with rasterio.open(world.root / HALF_YEAR.id / f"{quad}.tif") as given:
            pixels = given.read([BANDS.index(name) + 1 for name in order])
        write_quad(root / HALF_YEAR.id / f"{quad}.tif", pixels, HALF_YEAR.grid(quad), names)
    with served(world.root) as calm:
        expected = source(calm, tmp_path / "calm").read(SITES["c"], season, BANDS)
    with served(root) as server:
        planet = source(server, tmp_path / "cache", bands=stated)
        if fine:
            np.testing.assert_array_equal(planet.read(SITES["c"], season, BANDS).pixels, expected.pixels)
        else:
            with pytest.raises(PermanentError, match="state their order as bands under"):
                planet.read(SITES["c"], season, BANDS)
