"""The source `stac` behind logins: signed JPEG 2000 of the Copernicus Data Space, and Level-1C from an open bucket."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

import stac_world
from minemap_assets.errors import AuthenticationError, NotCoveredError
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.seasons import CALENDAR_YEAR, Season
from minemap_assets.imagery.sources.stac.config import LEVEL_1C, PRESETS, PRODUCT, Assets, Collection, StacConfig
from minemap_assets.imagery.sources.stac.s3_login import ACCESS_VARIABLE, KEYS_PAGE, SECRET_VARIABLE
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.source import StacProvenance, StacSource
from minemap_assets.lake.kept_files import KeptFiles
from servers import processes
from servers.object_storage import storage
from stac_service import HASTY
from stac_world import Shot, item_of, write_cog, write_scene

pytestmark = pytest.mark.integration

ACCESS, SECRET = "4ccess-of-the-account", "s3cret-of-the-account"
SEASON = Season(2021, CALENDAR_YEAR.season(2021).start, CALENDAR_YEAR.season(2021).end)
BANDS = ("red", "nir", "blue")
TILE = stac_world.TILE[:256, :256]
GROUND = {band: stac_world.truth()[band][:256, :256] for band in BANDS}
SCRIPT = Path(processes.__file__).with_name("bucket_service.py")
CLOUD = (slice(0, 64), slice(0, 256))


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[processes.Unreliable]:
    root = tmp_path / "root"
    root.mkdir()
    port = processes.free_port()
    with processes.running([sys.executable, str(SCRIPT), str(root), str(port), ACCESS, SECRET], port):
        yield processes.Unreliable(f"http://127.0.0.1:{port}")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCESS_VARIABLE, ACCESS)
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


def write_jp2(path: Path, pixels: npt.NDArray[Any], grid: GeoBox) -> None:
    """One band as ESA writes them: JPEG 2000 without loss, and without a tag for missing pixels."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    profile = {"driver": "JP2OpenJPEG", "count": 1, "height": height, "width": width, "dtype": pixels.dtype.name}
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}
    with rasterio.open(path, "w", **profile, crs=str(grid.crs), transform=grid.affine, **options) as target:
        target.write(pixels, 1)


def write_item(
    folder: Path, collection: Collection, shot: Shot, numbers: Mapping[str, npt.NDArray[Any]], tile: GeoBox = TILE
) -> dict[str, Any]:
    """A scene's files by asset key below `folder`, whose name is the bucket's, and its item."""
    assets = {}
    for key, pixels in numbers.items():
        step = int(tile.shape[0]) // pixels.shape[0]
        grid = GeoBox(pixels.shape, tile.affine @ Affine.scale(step), tile.crs)
        write_jp2(folder / "scenes" / shot.id / f"{key}.jp2", pixels, grid)
        assets[key] = {"href": f"s3://{folder.name}/scenes/{shot.id}/{key}.jp2", "type": "image/jp2"}
    return item_of(collection, shot, assets)


def bands_of(collection: Collection, shot: Shot) -> dict[str, npt.NDArray[Any]]:
    """Numbers by asset key, with the offset where the shot's baseline has it."""
    found: dict[str, npt.NDArray[Any]] = {}
    for band, ground in GROUND.items():
        stored = ground.astype(np.int64) + shot.drift + 1000 * shot.shifted
        for window in shot.clouds:
            stored[window] = 9000
        for window in shot.missing:
            stored[window] = 0
        found[collection.assets.bands[band]] = stored.astype(np.uint16)
    if collection.assets.classes:
        classes = np.full((128, 128), 5, dtype=np.uint8)
        for window in shot.clouds:
            classes[tuple(slice(s.start // 2, s.stop // 2) for s in window)] = 9
        found[collection.assets.classes] = classes
    return found


def catalogue(folder: Path, items: Sequence[Mapping[str, Any]]) -> str:
    """An index of items, as an endpoint."""
    import rustac

    path = folder / "items.parquet"

    async def written() -> None:
        await rustac.write(str(path), [dict(item) for item in items])

    asyncio.run(written())
    return path.as_uri()


def source(folder: Path, collection: Collection, **settings: Any) -> StacSource:
    """A source that reads one collection, in haste."""
    values = {"collections": (collection,), "timeout": 5.0, "rate": 10_000.0, "burst": 100, "attempts": 4} | settings
    config = StacConfig.model_validate(values)
    return StacSource(collection.product, config, KeptFiles(folder / "cache"), Services(config, HASTY))


SHOTS = (
    Shot("2021-06-10", clouds=(CLOUD,)),
    Shot("2021-06-30", drift=10),
    Shot("2021-07-20", baseline="03.01", shifted=False, drift=-10),
)


def copernicus(folder: Path, url: str, shots: Sequence[Shot] = SHOTS) -> Collection:
    """Scenes of Level-2A in the signed bucket."""
    ready = PRESETS["copernicus"][0].model_copy(update={"storage": url})
    items = [write_item(folder / "root" / "eodata", ready, shot, bands_of(ready, shot)) for shot in shots]
    return ready.model_copy(update={"endpoint": catalogue(folder, items)})


def expected(drift: int) -> npt.NDArray[np.int64]:
    return np.stack([GROUND[band].astype(np.int64) + drift for band in BANDS])


@pytest.mark.usefixtures("keys")
def test_signed_jpeg_2000_gives_the_pixels_with_every_baseline_s_offset(
    tmp_path: Path, buckets: processes.Unreliable
) -> None:
    reader = source(tmp_path, copernicus(tmp_path, buckets.url))
    composite = reader.read(TILE, SEASON, BANDS)
    away = composite.pixels[:, 66:, :]
    assert (away == expected(0)[:, 66:, :]).all()  # of drifts 0, 10 and -10
    assert (composite.pixels[:, :60, :] == expected(0)[:, :60, :]).all()  # of drifts 10 and -10
    assert composite.clear_count[100, 100] == 3
    assert composite.clear_count[30, 100] == 2
    provenance = composite.provenance
    assert isinstance(provenance, StacProvenance)
    assert {fact.offset for fact in provenance.scenes} == {-1000, 0}
    assert provenance.terms.startswith("Contains modified Copernicus Sentinel data")
    assert all(entry["path"].startswith("/eodata/scenes/") for entry in buckets.log())


def test_without_keys_the_page_is_named_where_they_are_made(
    tmp_path: Path, buckets: processes.Unreliable, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = copernicus(tmp_path, buckets.url, SHOTS[1:2])
    for name in (ACCESS_VARIABLE, SECRET_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AuthenticationError, match=KEYS_PAGE):
        source(tmp_path, collection).read(TILE, SEASON, BANDS)
    assert buckets.log() == []


def test_wrong_keys_fail_the_site_and_show_nothing_of_themselves(
    tmp_path: Path, buckets: processes.Unreliable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collection = copernicus(tmp_path, buckets.url, SHOTS[1:2])
    monkeypatch.setenv(ACCESS_VARIABLE, ACCESS)
    monkeypatch.setenv(SECRET_VARIABLE, "wr0ng-secret")
    caplog.set_level("DEBUG")
    with pytest.raises(AuthenticationError, match=f"HTTP 403.*check {ACCESS_VARIABLE} and {SECRET_VARIABLE}") as caught:
        source(tmp_path, collection).read(TILE, SEASON, BANDS)
    for secret in ("wr0ng-secret", ACCESS, "X-Amz"):
        assert secret not in f"{caught.value}{caplog.text}"


@pytest.mark.usefixtures("keys")
def test_a_file_that_is_missing_costs_its_scene_alone(tmp_path: Path, buckets: processes.Unreliable) -> None:
    collection = copernicus(tmp_path, buckets.url, (*SHOTS, Shot("2021-08-09", drift=500)))
    (tmp_path / "root" / "eodata" / "scenes" / Shot("2021-08-09").id / "B04_10m.jp2").unlink()
    composite = source(tmp_path, collection).read(TILE, SEASON, BANDS)
    assert (composite.pixels[:, 66:, :] == expected(0)[:, 66:, :]).all()
    provenance = composite.provenance
    assert isinstance(provenance, StacProvenance)
    (note,) = provenance.left_out
    assert "does not exist (HTTP 404)" in note.text


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("kind", ["403", "503", "truncated body"])
def test_signed_files_survive_faults(tmp_path: Path, buckets: processes.Unreliable, kind: str) -> None:
    collection = copernicus(tmp_path, buckets.url, SHOTS[1:])
    buckets.set(share=0.2, kinds=[kind], seed=15, only="/eodata")  # the second and the seventh request
    reader = source(tmp_path, collection, attempts=8)
    assert (reader.read(TILE, SEASON, BANDS).pixels == expected(0)).all()
    assert [entry["fault"] for entry in buckets.log()].count(kind) == 2


def level_1c(url: str, assets: Assets | None = None) -> Collection:
    """The open bucket's collection, with masks of its own where `assets` names one."""
    (ready,) = StacConfig().collections_for(LEVEL_1C)
    changes: dict[str, Any] = {"storage": f"{url}/{{bucket}}", "bucket": "open-l1c"}
    return ready.model_copy(update=changes | ({"assets": assets} if assets else {}))


def test_level_1c_of_an_open_bucket_is_read_without_a_signature(tmp_path: Path, buckets: processes.Unreliable) -> None:
    (ready,) = StacConfig().collections_for(LEVEL_1C)
    masked = level_1c(buckets.url, Assets(bands=ready.assets.bands, classes="mask"))
    shots = (*SHOTS, Shot("2021-08-09", drift=500))
    bucket = tmp_path / "root" / "open-l1c"
    items = [write_item(bucket, masked, shot, bands_of(masked, shot)) for shot in shots]
    (bucket / "scenes" / shots[-1].id / "red.jp2").unlink()
    composite = source(tmp_path, masked.model_copy(update={"endpoint": catalogue(tmp_path, items)})).read(
        TILE, SEASON, BANDS
    )
    assert (composite.pixels[:, 66:, :] == expected(0)[:, 66:, :]).all()
    provenance = composite.provenance
    assert isinstance(provenance, StacProvenance)
    assert provenance.product == LEVEL_1C
    (note,) = provenance.left_out
    assert "does not exist or is open to nobody (HTTP 403)" in note.text
    missing = [entry for entry in buckets.log() if entry["path"].endswith(f"{shots[-1].id}/red.jp2")]
    assert len(missing) == 1  # a file that is not there is not asked for again


def test_real_level_1c_is_masked_by_the_model(tmp_path: Path, buckets: processes.Unreliable) -> None:
    if find_spec("lightgbm") is None or find_spec("s2cloudless") is None:
        pytest.skip("the extra clouds is not installed")
    if "MINEMAP_TEST_DATA" not in os.environ:
        pytest.skip("MINEMAP_TEST_DATA names no folder of real data")
    scenes = np.load(Path(os.environ["MINEMAP_TEST_DATA"]) / "eo-learn-s2-l1c" / "REFERENCE_SCENES.npy")
    numbers = np.rint(np.moveaxis(scenes, -1, 1) * 10_000.0).astype(np.uint16)
    tile = GeoBox((96, 96), Affine(10.0, 0.0, 465_180.0, 0.0, -10.0, 5_080_260.0), "EPSG:32633")
    collection = level_1c(buckets.url)
    assets = [collection.assets.bands[band] for band in SENTINEL2_BANDS.values()]
    shots = [Shot(f"2021-0{month}-10", baseline="02.04", cloud_cover=20.0) for month in (6, 7, 8)]
    clouds = (False, True, False)
    items = []
    for shot, scene in zip(shots, (3, 0, 2), strict=True):
        files = dict(zip(assets, numbers[scene, :, :96, :96], strict=True))
        items.append(write_item(tmp_path / "root" / "open-l1c", collection, shot, files, tile))
        items[-1] |= {"bbox": [-180.0, -90.0, 180.0, 90.0], "geometry": GLOBE}
    reader = source(tmp_path, collection.model_copy(update={"endpoint": catalogue(tmp_path, items)}))
    composite = reader.read(tile, SEASON, ("blue", "red", "cirrus"))
    assert set(composite.provenance.acquisitions) == {s.id for s, c in zip(shots, clouds, strict=True) if not c}
    assert (composite.clear_count == 2).all()
    clear = numbers[[3, 2]][:, [1, 3, 10], :96, :96].astype(np.float64)
    assert np.abs(composite.pixels - clear.mean(axis=0)).max() <= 1
    assert composite.provenance.cloud_mask.startswith("s2cloudless")


GLOBE = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}


def test_another_maker_s_storage_takes_our_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore
    from obstore.store import S3Store

    monkeypatch.setenv(ACCESS_VARIABLE, "key")
    monkeypatch.setenv(SECRET_VARIABLE, "secret")
    with storage() as there:
        bucket = S3Store("bucket", endpoint=there.address, client_options={"allow_http": True})
        obstore.put(bucket, "Sentinel-2/S2A x+y~.SAFE/B02.jp2", b"0123456789")
        collection = PRESETS["copernicus"][0].model_copy(update={"storage": there.address})
        services = Services(StacConfig(collections=(collection,), attempts=1))
        part = services.files(collection).get_range("s3://bucket/Sentinel-2/S2A x+y~.SAFE/B02.jp2", 2, 5)
        services.close()
    assert (part.data, part.total) == (b"23456", 10)


def test_nothing_in_the_open_bucket_is_no_failure_of_an_account(tmp_path: Path, buckets: processes.Unreliable) -> None:
    (ready,) = StacConfig().collections_for(LEVEL_1C)
    masked = level_1c(buckets.url, Assets(bands=ready.assets.bands, classes="mask"))
    bucket = tmp_path / "root" / "open-l1c"
    items = [write_item(bucket, masked, shot, bands_of(masked, shot)) for shot in SHOTS[:1]]
    for path in bucket.rglob("*.jp2"):
        path.unlink()
    empty = masked.model_copy(update={"endpoint": catalogue(tmp_path, items)})
    with pytest.raises(NotCoveredError, match="HTTP 403"):
        source(tmp_path, empty).read(TILE, SEASON, BANDS)


def test_a_cloud_probability_decides_in_place_of_the_classes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    ready = StacConfig().collections_for(PRODUCT)[0]
    sure, doubtful = (slice(100, 200), slice(100, 200)), (slice(400, 500), slice(100, 200))
    shots = [Shot("2021-06-10", clouds=(doubtful,)), Shot("2021-06-30", drift=2), Shot("2021-07-20", drift=6)]
    with processes.unreliable(root) as server:
        items = [write_scene(root, f"{server.url}/files", ready, shot, stac_world.truth()) for shot in shots]
        for item, shot in zip(items[:2], shots[:2], strict=True):
            percent = np.zeros((stac_world.SIZE // 2, stac_world.SIZE // 2), dtype=np.uint8)
            percent[50:100, 50:100] = 80 if shot is shots[0] else 0
            name = f"{ready.name}/{shot.id}/cloud.tif"
            write_cog(root / name, percent, stac_world.TILE.zoom_out(2))  # with the tag that calls 0 no data
            item["assets"]["cloud"] = {"href": f"{server.url}/files/{name}"}
        collection = ready.model_copy(update={"endpoint": catalogue(tmp_path, items)})
        reader = source(tmp_path, collection, cloud_mask="probability", cloud_probability=50.0)
        composite = reader.read(stac_world.TILE, SEASON, ("red",))
    truth = stac_world.truth()["red"].astype(np.int64)
    assert (composite.clear_count[sure] == 1).all()
    assert (composite.pixels[0][sure] == truth[sure] + 2).all()
    assert (composite.clear_count[doubtful] == 2).all()  # 9000 where the classes see cloud and the probability does not
    assert (composite.pixels[0][doubtful] > 4000).all()
    provenance = composite.provenance
    assert isinstance(provenance, StacProvenance)
    assert provenance.cloud_mask.startswith("cloud probability of at least 50 %")
    assert [note.text for note in provenance.left_out] == ["the item has no asset cloud"]


def test_only_what_the_settings_hold_is_served(tmp_path: Path) -> None:
    from minemap_assets.errors import BadInputError

    config = StacConfig(use=("planetary-computer",))
    with pytest.raises(BadInputError, match=f"no collection under .sources.stac. holds {LEVEL_1C}"):
        StacSource(LEVEL_1C, config, KeptFiles(tmp_path))
    assert StacSource(PRODUCT, config, KeptFiles(tmp_path)).product == PRODUCT
