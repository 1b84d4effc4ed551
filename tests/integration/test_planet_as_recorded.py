"""The source `planet-basemaps` against answers in the form in which others recorded them: links, redirects, masks,
tiles, and mosaics of a subscription.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from pyproj import Transformer

from minemap_assets.errors import NotEntitledError, PermanentError
from minemap_assets.imagery.basemaps.nicfi import published_mosaics
from minemap_assets.imagery.basemaps.quad_files import UDM2_RULE
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import NO_CLOUD_MASK
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from planet_trial import BRISK, HALF_YEAR, MONTHS, SEASON, SITES, quads_under, site, source
from planet_world import BANDS, SUPPORT, MosaicSpec, Running, render_quads, served, write_mosaics
from servers.planet_faults import Account, Fault

pytestmark = pytest.mark.integration

GRID = SITES["c"]
HALF = SeasonRule().season(2018)
PATIENT = replace(BRISK, attempts=12)
WIDE = MosaicSpec(
    "ps_monthly_sen2_normalized_analytic_subscription_2018_07_mosaic",
    date(2018, 7, 1),
    date(2018, 8, 1),
    quad_pixels=512,
    series="ps_monthly_sen2_normalized_analytic_subscription",
)
VISUAL = MosaicSpec(
    "global_monthly_2018_07_mosaic", date(2018, 7, 1), date(2018, 8, 1), extra=(("datatype", "byte"),), series="Global"
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


@pytest.fixture(scope="module")
def expected(basemaps: Path, tmp_path_factory: pytest.TempPathFactory) -> npt.NDArray[np.uint16]:
    """The half-year's pixels."""
    with pytest.MonkeyPatch.context() as environment, served(basemaps) as server:
        environment.setenv(KEY_VARIABLE, Account.GOOD)
        return source(server, tmp_path_factory.mktemp("expected")).read(GRID, HALF, BANDS).pixels


@pytest.fixture
def root(basemaps: Path, tmp_path: Path) -> Path:
    """What the stand-in serves, to be changed."""
    shutil.copytree(basemaps, tmp_path / "root")
    return tmp_path / "root"


def change(root: Path, name: str, **more: Any) -> None:
    """Have a mosaic say more of itself."""
    path = root / "mosaics.json"
    path.write_text(json.dumps([m | (more if m["name"] == name else {}) for m in json.loads(path.read_text())]))


@pytest.mark.parametrize(("way", "hits"), [({"hops": 1}, 2), ({"direct": 1}, 1), ({}, 1)])
def test_a_download_is_asked_for_once(
    basemaps: Path, tmp_path: Path, expected: npt.NDArray[np.uint16], way: dict[str, float], hits: int
) -> None:
    """Through another address of the service, by its own hand, or straight from storage."""
    with served(basemaps, **way) as server:
        found = source(server, tmp_path).read(GRID, HALF, BANDS)
        counts = server.stats()["counts"]
    np.testing.assert_array_equal(found.pixels, expected)
    assert counts["full"] == hits * len(quads_under([GRID], HALF_YEAR))


def test_what_storage_spoils_is_not_asked_of_the_service_again(
    basemaps: Path, tmp_path: Path, expected: npt.NDArray[np.uint16]
) -> None:
    with served(basemaps, hops=1, faults=0.6, seed=2, only=[Fault.CORRUPT_BLOCK]) as server:
        found = source(server, tmp_path, PATIENT).read(GRID, HALF, BANDS)
        stats = server.stats()
    np.testing.assert_array_equal(found.pixels, expected)
    quads = len(quads_under([GRID], HALF_YEAR))
    assert stats["failed"][Fault.CORRUPT_BLOCK] > 0
    assert stats["counts"]["download"] > quads
    assert stats["counts"]["full"] == 2 * quads


def test_a_quad_that_may_not_be_downloaded_costs_its_mosaic_there(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quads = sorted(quads_under([GRID], MONTHS[0]))
    change(root, MONTHS[1].name, locked=quads)
    with served(root) as server:
        found = source(server, tmp_path / "a").read(GRID, SEASON, BANDS)
    assert all(one.startswith(MONTHS[2].name) for one in found.provenance.acquisitions), "the clearest but July"
    assert f"may see but not download quad {quads[0]} of {MONTHS[1].name}, so it is left out" in caplog.text
    for spec in MONTHS:
        change(root, spec.name, locked=quads)
    with served(root) as server:
        with pytest.raises(NotEntitledError, match=rf"may see but not download quad {quads[0]} of .* more quads under"):
            source(server, tmp_path / "b").read(GRID, SEASON, BANDS)
        tiles = source(server, tmp_path / "c", reads="tiles").read(GRID, SEASON, BANDS)
        assert server.stats()["counts"].get("full", 0) == 0
    assert tiles.clear_fraction == 1.0, "what may not be downloaded may be streamed"


def test_scenes_of_retired_item_types(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Those that Planet merged are found under the new type; of others nothing is known, which is said."""
    scenes = json.loads((root / "scenes.json").read_text())
    for quads in scenes.values():
        for found in quads.values():
            found[0]["item_type"] = "PSScene4Band"
            found.append({"id": "4155819_2019-07-14_RE4_3A", "item_type": "REOrthoTile"})
    (root / "scenes.json").write_text(json.dumps(scenes))
    with served(root) as server:
        found = source(server, tmp_path / "a", clarity="metadata").read(GRID, SEASON, BANDS)
    assert all(one.startswith(MONTHS[0].name) for one in found.provenance.acquisitions)
    assert "1 of the retired item type REOrthoTile" in caplog.text
    gone = {m: {q: [s for s in all_ if "item_type" in s][1:] for q, all_ in qs.items()} for m, qs in scenes.items()}
    (root / "scenes.json").write_text(json.dumps(gone))
    with (
        served(root) as server,
        pytest.raises(NotEntitledError, match=r"cloud and haze .* \(it was made from 1 of the ret"),
    ):
        source(server, tmp_path / "b", clarity="metadata").read(GRID, SEASON, BANDS)


def hidden_rows(root: Path, spec: MosaicSpec) -> None:
    """Clouds over some rows of every quad of a mosaic, through the middle of the site, which its masks call so."""
    middle = Transformer.from_crs(GRID.crs, 3857, always_xy=True).transform(*GRID.extent.centroid.coords[0])
    for path in sorted((root / spec.id).glob("*.tif")):
        with rasterio.open(path, "r+") as target:
            row = int((~target.transform @ middle)[1])
            rows = slice(max(0, row - 25), max(0, row + 25))
            pixels = target.read()
            pixels[:4, rows] = 9000
            target.write(pixels)
            clear = np.ones((8, *target.shape), dtype=np.uint8)
            place = {"crs": target.crs, "transform": target.transform, "height": 256, "width": 256}
        clear[0, rows] = 0
        mask = path.with_name(f"{path.stem}_udm2.tif")
        with rasterio.open(mask, "w", driver="GTiff", count=8, dtype="uint8", **place) as target:
            target.write(clear)


def test_a_basemaps_mask_hides_clouds_before_they_touch_their_neighbours(
    root: Path, tmp_path: Path, expected: npt.NDArray[np.uint16]
) -> None:
    hidden_rows(root, HALF_YEAR)
    with served(root) as server:
        planet = source(server, tmp_path / "cache")
        found = planet.read(GRID, HALF, BANDS)
        again = source(server, tmp_path / "cache").read(GRID, HALF, BANDS)
        counts = server.stats()["counts"]
        plain = source(server, tmp_path / "plain", udm2=False).read(GRID, HALF, BANDS)
    quads = len(quads_under([GRID], HALF_YEAR))
    assert (counts["mask"], counts["full"], counts["download"]) == (quads, quads, 2 * quads)
    assert "UDM2" in found.provenance.cloud_mask
    assert plain.provenance.cloud_mask == NO_CLOUD_MASK
    np.testing.assert_array_equal(found.pixels, again.pixels)
    seen = (found.pixels > 0).all(axis=0)
    assert 0.2 < seen.mean() < 0.9
    assert (plain.pixels[:, ~seen] > 8000).mean() > 0.9
    alone = np.abs(found.pixels.astype(int) - expected)[:, seen]
    assert (alone == 0).mean() > 0.9
    assert alone.max() < 1500, "a cloud of 9000 would reach further"

    folder = tmp_path / "archive"
    shutil.copytree(root / HALF_YEAR.id, folder)
    report = index_archive(
        str(folder),
        name="quads",
        product="planet-nicfi",
        rules=ArchiveRules(date="2018-06/2018-11", clouds=(UDM2_RULE,)),
    )
    assert not report.refused
    theirs = ArchiveSource("planet-nicfi", [read_index("quads", str(folder), report.features)]).read(GRID, HALF, BANDS)
    np.testing.assert_array_equal(found.pixels, theirs.pixels)


def test_a_service_that_knows_no_masks_is_asked_once(
    basemaps: Path, tmp_path: Path, expected: npt.NDArray[np.uint16]
) -> None:
    """It answers with the quad itself, which is neither fetched twice nor taken for a mask."""
    quads = len(quads_under([GRID], HALF_YEAR))
    with served(basemaps, assets=0) as server:
        found = source(server, tmp_path).read(GRID, HALF, BANDS)
        assert server.stats()["counts"]["mask"] == 1
        assert server.stats()["counts"]["download"] == quads
        source(server, tmp_path).read(GRID, HALF, BANDS)
        assert server.stats()["counts"]["mask"] == 1
    np.testing.assert_array_equal(found.pixels, expected)
    assert found.provenance.cloud_mask == NO_CLOUD_MASK


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A subscription's quads of four tiles each, and a visual mosaic."""
    folder = tmp_path_factory.mktemp("wide")
    render_quads(folder, [WIDE], [GRID, CORNER])
    write_mosaics(folder, [WIDE, VISUAL])
    return folder


CORNER = site(-0.0108, 1.4892, 200)
"""A site on several quads."""


@pytest.fixture(scope="module")
def stream(wide: Path) -> Iterator[Running]:
    with served(wide) as server:
        yield server


SUBSCRIBED = {"series": (WIDE.series,)}


@pytest.mark.parametrize("grid", [GRID, CORNER], ids=["inside", "corner"])
def test_tiles_show_the_pixels_of_quads(stream: Running, tmp_path: Path, grid: Any) -> None:
    quads = source(stream, tmp_path / "quads", **SUBSCRIBED).read(grid, HALF, BANDS)
    before = stream.stats()["counts"]
    planet = source(stream, tmp_path / "tiles", reads="tiles", **SUBSCRIBED)
    tiles = planet.read(grid, HALF, BANDS)
    np.testing.assert_array_equal(tiles.pixels, quads.pixels)
    assert tiles.provenance.acquisitions == quads.provenance.acquisitions
    assert "NICFI" not in tiles.provenance.terms
    after = stream.stats()["counts"]
    asked = {route: number - before.get(route, 0) for route, number in after.items() if number > before.get(route, 0)}
    assert set(asked) == {"tile", "series", "series-mosaics"}
    again = source(stream, tmp_path / "tiles", reads="tiles", **SUBSCRIBED).read(grid, HALF, BANDS)
    np.testing.assert_array_equal(again.pixels, tiles.pixels)
    assert stream.stats()["counts"]["tile"] == after["tile"]


def test_a_spoilt_tile_is_fetched_again(stream: Running, tmp_path: Path) -> None:
    planet = source(stream, tmp_path, reads="tiles", **SUBSCRIBED)
    found = planet.read(GRID, HALF, BANDS)
    before = stream.stats()["counts"]["tile"]
    for path in sorted(tmp_path.rglob("*.tif"))[:1]:
        path.write_bytes(path.read_bytes()[:2000])
    again = source(stream, tmp_path, reads="tiles", **SUBSCRIBED).read(GRID, HALF, BANDS)
    np.testing.assert_array_equal(again.pixels, found.pixels)
    assert stream.stats()["counts"]["tile"] == before + 1


def test_tiles_under_failures(wide: Path, stream: Running, tmp_path: Path) -> None:
    expected = source(stream, tmp_path / "calm", reads="tiles", **SUBSCRIBED).read(GRID, HALF, BANDS)
    with served(wide, faults=0.3, seed=4, stall_s=2.0) as rough:
        found = source(rough, tmp_path / "rough", PATIENT, reads="tiles", **SUBSCRIBED).read(GRID, HALF, BANDS)
        assert sum(rough.stats()["failed"].values()) > 0
    np.testing.assert_array_equal(found.pixels, expected.pixels)


def test_tiles_of_eight_bits_are_refused(wide: Path, tmp_path: Path) -> None:
    with (
        served(wide, tiles=0) as server,
        pytest.raises(PermanentError, match=r'no GeoTIFF.*; set reads to "quads" under'),
    ):
        source(server, tmp_path, reads="tiles", **SUBSCRIBED).read(GRID, HALF, BANDS)


def test_visual_mosaics_are_not_used(stream: Running, tmp_path: Path) -> None:
    for settings in ({"name_contains": "global_monthly"}, {"series": ("Global",)}):
        with pytest.raises(NotEntitledError, match=r"such as global_monthly_2018_07_mosaic, are 8-bit pictures"):
            source(stream, tmp_path, **settings).read(GRID, HALF, BANDS)


def test_the_programmes_calendar_is_the_recorded_one() -> None:
    names = json.loads((SUPPORT / "recorded" / "planet" / "mosaics.json").read_text())
    stated = [name.split("_")[4] for name in names if "analytic" in name]
    assert [f"{mosaic.start:%Y-%m}" for mosaic in published_mosaics()][: len(stated)] == stated
