"""The same pixels from every road: one set of images through `archive` and through `earth-engine`, with one mask.

Real Sentinel-2 Level-1C scenes (Onera change detection, eo-learn) and simulated NICFI quads. The stand-in knows nothing
of our code: it is asked by the released client, and evaluates the expression over the same files.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from earth_engine_world import Asset, Band, make_keys, served, write_catalogue
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive import ArchiveSource
from minemap_assets.imagery.sources.archive_features import read_index
from minemap_assets.imagery.sources.archive_index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.earth_engine import EarthEngineSource
from minemap_assets.imagery.sources.earth_engine_config import EarthEngineConfig
from planet_world import BANDS as NICFI_BANDS
from planet_world import MosaicSpec, haze, monthly, render_quads

pytestmark = pytest.mark.integration

CONFIG = EarthEngineConfig()
BANDS = ("blue", "green", "red", "nir", "swir16")
NAMES = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir16": "B11"}


@contextmanager
def earth_engine(
    root: Path, product: str, collections: Mapping[str, Sequence[Asset]], monkeypatch: pytest.MonkeyPatch, tmp: Path
) -> Iterator[EarthEngineSource]:
    keys = make_keys()
    write_catalogue(root, keys, collections)
    with served(root) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.write_key(tmp / "key.json", keys)))
        monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        yield EarthEngineSource(product, server.config())


def archive(root: Path, product: str, rules: ArchiveRules) -> ArchiveSource:
    report = index_archive(str(root), name="same", product=product, rules=rules)
    assert not report.refused
    return ArchiveSource(product, [read_index("same", str(root), report.features)])


def write(path: Path, bands: npt.NDArray[Any], affine: Affine, crs: str, nodata: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with rasterio.open(path, "w", **profile, crs=crs, transform=affine, nodata=nodata) as target:
        target.write(bands)


def inner(same: npt.NDArray[np.bool_], pixels: int = 3) -> npt.NDArray[np.bool_]:
    """True where the surroundings are True as well: away from the edges of masks."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(same, iterations=pixels, border_value=0), dtype=np.bool_)


def assert_agree(ours: Composite, theirs: Composite, clouds: npt.NDArray[np.bool_] | None = None) -> None:
    """Equal counts but for the edges of masks, and there differences within what resampling may do."""
    assert (ours.clear_count == theirs.clear_count).mean() > 0.9
    quiet = inner(ours.clear_count == theirs.clear_count)
    if clouds is not None:
        quiet &= inner(~clouds)
    assert quiet.mean() > 0.3
    difference = np.abs(ours.pixels.astype(int) - theirs.pixels.astype(int))[:, quiet]
    assert np.percentile(difference, 99.9) <= 2, np.percentile(difference, [50, 90, 99, 99.9, 100])
    assert abs(ours.pixels[:, quiet].mean() - theirs.pixels[:, quiet].mean()) < 0.1


def cloud_edges(root: Path, grid: GeoBox) -> npt.NDArray[np.bool_]:
    """True on the grid's pixels at an edge of any scene's mask."""
    from rasterio.warp import Resampling, reproject

    edges = np.zeros(grid.shape, dtype=np.bool_)
    for path in sorted(root.glob("scores/*.tif")):
        with rasterio.open(path) as source:
            low = np.zeros(grid.shape, dtype=np.float32)
            reproject(
                rasterio.band(source, 1),
                low,
                dst_transform=grid.affine,
                dst_crs=str(grid.crs),
                resampling=Resampling.bilinear,
            )
        edges |= (low > 0.21) & (low < 0.89)
    return edges


def test_two_real_scenes_of_beihai(test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud is drawn into each date: zeros in the archive's copies, a low score for Earth Engine."""
    root, copies = tmp_path / "served", tmp_path / "copies"
    found, scores = [], []
    days = {"imgs_1": date(2016, 12, 9), "imgs_2": date(2018, 3, 9)}
    clouds = {
        "imgs_1": shapely.box(109.540, 21.560, 109.546, 21.570),
        "imgs_2": shapely.box(109.535, 21.563, 109.543, 21.566),
    }
    for folder, day in days.items():
        bands = {}
        for name in NAMES.values():
            path = next((test_data / "oscd-sentinel2-l1c" / "beihai" / folder).glob(f"*_{name}.tif"))
            with rasterio.open(path) as source:
                pixels, affine, crs = source.read(), source.transform, str(source.crs)
            write(root / folder / path.name, pixels, affine, crs)
            shown = _outside(clouds[folder], pixels.shape[1:], affine)
            write(copies / folder / path.name, np.where(shown, pixels, 0).astype(pixels.dtype), affine, crs)
            bands[f"B{int(name[1:])}"] = Band((f"{folder}/{path.name}",))
            if name == "B02":
                write(
                    root / "scores" / f"{folder}.tif", np.where(shown, 0.9, 0.2).astype(np.float32)[None], affine, crs
                )
                outline = footprint_wgs84(GeoBox(pixels.shape[1:], affine, crs))
        properties = {"CLOUDY_PIXEL_PERCENTAGE": 0.0, "PROCESSING_BASELINE": "02.04"}
        found.append(Asset(f"{day:%Y%m%d}T031122_T49QCD", day, outline, bands, properties=properties))
        scores.append(Asset(found[-1].index, day, outline, {"cs_cdf": Band((f"scores/{folder}.tif",))}))
    easting, northing = Transformer.from_crs(4326, 32649, always_xy=True).transform(109.542, 21.565)
    grid = square_grid(easting, northing, 160, 32649, 10.0)
    season = Season(2016, date(2016, 1, 1), date(2019, 1, 1))
    rules = ArchiveRules(date_overrides={folder: day.isoformat() for folder, day in days.items()})
    theirs = archive(copies, "sentinel-2-l1c", rules).read(grid, season, BANDS)
    collections = {CONFIG.sentinel2_l1c: found, CONFIG.cloud_score: scores}
    with earth_engine(root, "sentinel-2-l1c", collections, monkeypatch, tmp_path) as source:
        ours = source.read(grid, season, BANDS)
    assert {1, 2} <= set(np.unique(ours.clear_count).tolist())
    assert_agree(ours, theirs, cloud_edges(root, grid))
    assert (ours.provenance.first_date, ours.provenance.last_date) == ("2016-12-09", "2018-03-09")
    assert ours.provenance.offset == theirs.provenance.offset == 0.0


def _outside(cloud: Any, shape: tuple[int, int], affine: Affine) -> npt.NDArray[np.bool_]:
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    x, y = affine.c + columns * affine.a, affine.f + rows * affine.e
    return np.asarray(~shapely.contains_xy(cloud, x, y), dtype=np.bool_)


def test_five_real_scenes_of_slovenia_with_their_clouds(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the five scenes are cloudy; a pixel counts as cloud where its blue is bright. The days are made up."""
    scenes = np.load(test_data / "eo-learn-s2-l1c" / "REFERENCE_SCENES.npy")
    height, width = scenes.shape[1:3]
    affine = Affine(999.0 / width, 0.0, 465_181.0, 0.0, -1010.0 / height, 5_080_255.0)
    crs = "EPSG:32633"
    order = {"blue": 1, "green": 2, "red": 3, "nir": 7, "swir16": 11}
    root, copies = tmp_path / "served", tmp_path / "copies"
    outline = footprint_wgs84(GeoBox((height, width), affine, crs))
    found, scores, overrides = [], [], {}
    for number, scene in enumerate(scenes):
        day = date(2017, 6, 1) + timedelta(days=10 * number)
        stack = np.stack([np.rint(scene[..., place] * 10_000) for place in order.values()]).astype(np.uint16)
        clear = stack[0] < 1400
        name = f"{day:%Y%m%d}T100031_T33TVM"
        write(root / f"{name}.tif", stack, affine, crs)
        write(root / "scores" / f"{name}.tif", np.where(clear, 0.9, 0.2).astype(np.float32)[None], affine, crs)
        write(copies / f"{name}.tif", np.where(clear, stack, 0).astype(np.uint16), affine, crs)
        overrides[f"{name}.tif"] = day.isoformat()
        bands = {f"B{int(NAMES[b][1:])}": Band((f"{name}.tif",), place) for place, b in enumerate(order, 1)}
        properties = {"CLOUDY_PIXEL_PERCENTAGE": 50.0, "PROCESSING_BASELINE": "02.04"}
        found.append(Asset(name, day, outline, bands, properties=properties))
        scores.append(Asset(name, day, outline, {"cs_cdf": Band((f"scores/{name}.tif",))}))
    grid = square_grid(465_680.0, 5_079_750.0, 90, 32633, 10.0)
    season = Season(2017, date(2017, 6, 1), date(2017, 12, 1))
    rules = ArchiveRules(bands=tuple(order), date_overrides=overrides)
    theirs = archive(copies, "sentinel-2-l1c", rules).read(grid, season, BANDS)
    collections = {CONFIG.sentinel2_l1c: found, CONFIG.cloud_score: scores}
    with earth_engine(root, "sentinel-2-l1c", collections, monkeypatch, tmp_path) as source:
        ours = source.read(grid, season, BANDS)
    assert len(np.unique(ours.clear_count)) >= 3
    assert_agree(ours, theirs, cloud_edges(root, grid))


def basemap_site(longitude: float, latitude: float) -> GeoBox:
    """A site of 600 m, the default's 5 m pixels."""
    return square_grid(*Transformer.from_crs(4326, 32630, always_xy=True).transform(longitude, latitude), 120, 32630)


def amid_a_quad(mosaic: MosaicSpec, near: GeoBox) -> GeoBox:
    """A site in the middle of a quad."""
    quad = mosaic.grid(next(iter(mosaic.quads.touching(near))))
    centre = quad.affine @ (mosaic.quad_pixels / 2, mosaic.quad_pixels / 2)
    return basemap_site(*Transformer.from_crs(3857, 4326, always_xy=True).transform(*centre))


@pytest.mark.parametrize("months", [1, 3])
def test_simulated_basemaps_agree_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, months: int) -> None:
    """Exactly inside a quad. Where quads meet an archive resamples one by one: off the seam that rounds otherwise."""
    mosaics = [monthly(2019, 6 + n) for n in range(months)]
    across = basemap_site(-0.0426, 1.4991)
    inside = amid_a_quad(mosaics[0], across)
    grids = [inside, across]
    root = tmp_path / "quads"
    render_quads(root, mosaics, grids, {m.name: haze(0.2 * n) for n, m in enumerate(mosaics) if n})
    theirs = archive(
        root, "planet-nicfi", ArchiveRules(date_overrides={m.id: f"{m.start}/{_last(m)}" for m in mosaics})
    )
    world = shapely.box(-180, -34, 180, 30)
    found = [
        Asset(m.name, m.start, world, _quads(root, m), end=m.end, properties={"cadence": "monthly"}) for m in mosaics
    ]
    season = SeasonRule().season(2019)
    collections: dict[str, list[Asset]] = {one.asset: [] for one in CONFIG.nicfi} | {CONFIG.nicfi[1].asset: found}
    with earth_engine(root, "planet-nicfi", collections, monkeypatch, tmp_path) as source:
        for grid in grids:
            one, other = source.read(grid, season, NICFI_BANDS), theirs.read(grid, season, NICFI_BANDS)
            seams = _seams(mosaics[0], grid)
            assert seams.any() == (grid is across)
            assert seams.mean() < 0.1
            np.testing.assert_array_equal(one.clear_count, other.clear_count)
            difference = np.abs(one.pixels.astype(int) - other.pixels.astype(int))[:, ~seams]
            assert difference.max() <= (1 if grid is across else 0)
            assert (difference > 0).mean() < 0.002
            assert one.provenance.acquisitions == tuple(m.name for m in mosaics)
            assert (one.provenance.first_date, one.provenance.last_date) == (
                other.provenance.first_date,
                other.provenance.last_date,
            )
            assert not one.provenance.redistributable


def _last(mosaic: MosaicSpec) -> date:
    return mosaic.end - timedelta(days=1)


def _quads(root: Path, mosaic: MosaicSpec) -> dict[str, Band]:
    files = tuple(sorted(str(path.relative_to(root)) for path in (root / mosaic.id).glob("*.tif")))
    return {name: Band(files, number) for number, name in enumerate(("B", "G", "R", "N"), 1)}


def _seams(mosaic: MosaicSpec, grid: GeoBox) -> npt.NDArray[np.bool_]:
    """True where the four nearest pixels lie in more than one quad."""
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    x, y = grid.affine.c + columns * grid.affine.a, grid.affine.f + rows * grid.affine.e
    place = Transformer.from_crs(str(grid.crs), 3857, always_xy=True)
    origin = mosaic.grid(next(iter(mosaic.quads.touching(grid)))).affine
    seams = np.zeros(grid.shape, dtype=np.bool_)
    for values, start, step in zip(place.transform(x, y), (origin.c, origin.f), (origin.a, origin.e), strict=True):
        within = ((np.asarray(values) - start) / step) % mosaic.quad_pixels
        seams |= (within < 0.55) | (within > mosaic.quad_pixels - 0.55)
    return seams
