"""The source `planet-basemaps` against a stand-in service on loopback, by the planet SDK and our own downloads."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio

from minemap_assets.errors import (
    BadInputError,
    NotCoveredError,
    NotEntitledError,
    NotFoundError,
    PermanentError,
)
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.planet.source import PlanetSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.lake import Lake
from planet_trial import HALF_YEAR, MONTHS, SEASON, SITES, build, kept_quads, quads_under, site, source
from planet_world import BANDS, MosaicSpec, Running, haze, render_quads, served, write_mosaics, write_quad
from servers.planet_faults import Account

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(basemaps: Path) -> Iterator[Running]:
    with served(basemaps, page_size=3) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


def archive(folder: Path) -> ArchiveSource:
    report = index_archive(
        str(folder), name="quads", product="planet-nicfi", rules=ArchiveRules(date="2019-06/2019-11")
    )
    assert not report.refused
    return ArchiveSource("planet-nicfi", [read_index("quads", str(folder), report.features)])


def test_chosen_months_agree_with_an_archive_of_them(basemaps: Path, server: Running, tmp_path: Path) -> None:
    composite = source(server, tmp_path / "cache").read(SITES["a"], SEASON, ("red", "nir"))
    folder = tmp_path / "archive"
    folder.mkdir()
    for acquisition in composite.provenance.acquisitions:
        name, quad = acquisition.split("/")
        spec = next(s for s in MONTHS if s.name == name)
        (folder / f"{quad}.tif").write_bytes((basemaps / spec.id / f"{quad}.tif").read_bytes())
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


def test_scene_metadata_decides_where_it_is_asked_for(basemaps: Path, tmp_path: Path) -> None:
    with served(basemaps) as server:
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


def test_neighbours_share_quads_and_runs_share_the_cache(basemaps: Path, tmp_path: Path) -> None:
    quads = quads_under(list(SITES.values()), MONTHS[0])
    apart = sum(len(quads_under([grid], MONTHS[0])) for grid in SITES.values())
    assert len(quads) < apart
    with served(basemaps) as server:
        assert not build(Lake.local(tmp_path / "one", tmp_path / "s1"), source(server, tmp_path / "cache")).missing
        first = server.stats()["counts"]
        assert first["download"] == first["full"] == first["quad"] == len(quads) * len(MONTHS)
        assert first["mosaics"] == 1
        assert first["mask"] == len(quads), "the clearest month of each is asked for its mask, and has none"
        assert not build(Lake.local(tmp_path / "two", tmp_path / "s2"), source(server, tmp_path / "cache")).missing
        again = server.stats()["counts"]
    assert again == first | {"mosaics": 2}


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
        PlanetSource("sentinel-2-l2a", PlanetConfig(), KeptFiles(tmp_path))


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
    assert len(list(kept_quads(cache).glob("*.tif"))) == len(quads_under([grid], HALF_YEAR))


@pytest.mark.parametrize(
    ("names", "stated", "fine"),
    [
        (("nir", None, "green", "blue"), None, True),
        (("nir", None, None, "blue"), None, False),
    ],
)
def test_band_order_is_read_from_the_file(
    basemaps: Path,
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
        with rasterio.open(basemaps / HALF_YEAR.id / f"{quad}.tif") as given:
            pixels = given.read([BANDS.index(name) + 1 for name in order])
        write_quad(root / HALF_YEAR.id / f"{quad}.tif", pixels, HALF_YEAR.grid(quad), names)
    with served(basemaps) as calm:
        expected = source(calm, tmp_path / "calm").read(SITES["c"], season, BANDS)
    with served(root) as server:
        planet = source(server, tmp_path / "cache", bands=stated)
        if fine:
            np.testing.assert_array_equal(planet.read(SITES["c"], season, BANDS).pixels, expected.pixels)
        else:
            with pytest.raises(PermanentError, match="state their order as bands under"):
                planet.read(SITES["c"], season, BANDS)
