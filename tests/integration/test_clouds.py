"""No cloud is ever ground: real Sentinel-2 series with their published masks, from a team's folder to a partition.

Two coal mines in India (Level-2A with its scene classification) and a place in Slovenia (Level-1C with a cloud mask and
a cloud probability). What must come out is worked out from the published masks with numpy.
"""

import json
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cloudy_scenes import (
    KEYS,
    Sight,
    aurora,
    clear_count,
    largest_patch,
    longest_wait,
    median,
    nearest,
    within,
    write,
)
from dagster_project.registry import Registry
from minemap_assets.errors import NotCoveredError, NotFoundError
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns, utm_epsg
from minemap_assets.graph.context import CheckOutcome, InputContext
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.checks import COVERAGE_CHECKS
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.not_observed import read_not_observed
from minemap_assets.imagery.products import product
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season, SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, IndexReport, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.project import ProjectHome
from same_pixels import Picture, Plane, through_stac
from stac_service import World
from stac_world import write_cog

pytestmark = pytest.mark.integration

L2A, L1C = "sentinel-2-l2a", "sentinel-2-l1c"
BANDS = tuple(KEYS)
RAW = ArchiveRules(scale=1 / 65_535)
"""How the published series stores reflectance."""

MALFORMED = {
    "mine_0": {"2022-06-27": "has 1 band where", "2023-06-02": "has 1 band where"},
    "mine_1": {
        "2019-03-05": "has 1 band where",
        "2019-03-20": "has 1 band where",
        "2023-09-17": "has no observed pixel in any band",
        "2023-12-31": "has no observed pixel in any band",
        "2024-06-26": "has pixels of 18.7 m where",
    },
}
REF = PartitionRef("imagery", "imagery", ("india", "2019"))


class Mine:
    """A mine's series as a team's folder, the report of indexing it, and the truth."""

    def __init__(self, zipped: Path, folder: Path) -> None:
        self.folder = folder
        self.sights, self.grid = aurora(zipped, folder)
        self.report = index(folder, L2A, RAW)

    @property
    def source(self) -> ArchiveSource:
        """The source over the whole series."""
        return source(self.folder, self.report, L2A)

    def site(self, pixels: int = 40) -> GeoBox:
        """A site grid of 10 m pixels around the middle of the files."""
        centre = footprint_wgs84(self.grid).centroid
        epsg = utm_epsg(centre.x, centre.y)
        easting, northing = Transformer.from_crs(4326, epsg, always_xy=True).transform(centre.x, centre.y)
        return square_grid(easting, northing, pixels, epsg, 10.0)


@pytest.fixture(scope="module")
def mines(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mine]:
    folder = tmp_path_factory.mktemp("aurora")
    zips = test_data / "aurora-india-s2-series"
    return {name: Mine(zips / f"{name}.zip", folder / name) for name in ("mine_0", "mine_1")}


def index(folder: Path, product: str, rules: ArchiveRules) -> IndexReport:
    return index_archive(str(folder), name=folder.name.replace("_", "-"), product=product, rules=rules)


def source(folder: Path, report: IndexReport, product: str) -> ArchiveSource:
    return ArchiveSource(product, [read_index(folder.name, str(folder), report.features)])


def assert_follows(composite: Composite, sights: list[Sight], season: Season) -> None:
    """A composite on the pixels of the files is what the masks say, pixel by pixel."""
    count = clear_count(sights)
    np.testing.assert_array_equal(composite.clear_count, count)
    assert composite.clear_fraction == (count > 0).mean()
    np.testing.assert_array_equal(composite.pixels[0] > 0, count > 0)
    for pixels, band in zip(composite.pixels.astype(float), composite.bands, strict=True):
        expected = np.maximum(median(sights, band), 1.0)
        np.testing.assert_allclose(pixels[count > 0], expected[count > 0], atol=1.0)
    days = sorted(sight.day.isoformat() for sight in sights if sight.clear.any())
    assert list(composite.provenance.acquisition_days) == days
    assert season.start.isoformat() <= days[0]


@pytest.mark.parametrize(
    ("mine", "year"),
    [("mine_0", y) for y in (2019, 2020, 2022, 2023)] + [("mine_1", y) for y in (2019, 2020, 2023, 2024)],
)
def test_every_season_follows_the_published_classes(mines: dict[str, Mine], mine: str, year: int) -> None:
    series, season = mines[mine], SeasonRule().season(year)
    sights = within(series.sights, season.start, season.end)
    assert any(not sight.clear.any() for sight in sights)
    composite = series.source.read(series.grid, season, BANDS)
    assert_follows(composite, sights, season)
    assert composite.provenance.cloud_mask == "*_SCL*!=2,4,5,6,7,11"


@pytest.mark.parametrize("mine", ["mine_0", "mine_1"])
def test_malformed_dates_are_named_and_left_out(mines: dict[str, Mine], mine: str) -> None:
    series = mines[mine]
    refused = {r.path: r.reason for r in series.report.refused}
    assert set(refused) == {f"{day}_{key}.tif" for day in MALFORMED[mine] for key in KEYS.values()}
    assert all(MALFORMED[mine][path[:10]] in reason for path, reason in refused.items())
    images = read_index("x", ".", series.report.features).images
    assert {image.id for image in images} == {sight.day.isoformat() for sight in series.sights}
    assert all([mask.href for mask in image.clouds] == [f"{image.id}_SCL.tif"] for image in images)


def sites(grids: dict[str, GeoBox]) -> gpd.GeoDataFrame:
    rows = []
    for site_id, grid in grids.items():
        place = to_columns(grid)
        columns = {"crs": place.crs, "transform": list(place.transform), "width": place.width, "height": place.height}
        rows.append({"site_id": site_id, **columns, "geometry": footprint_wgs84(grid)})
    return gpd.GeoDataFrame(rows, crs="EPSG:4326")


def build(lake: Lake, grids: dict[str, GeoBox], sources: list[ArchiveSource], season: Season) -> Partition:
    def run(writer: PartitionWriter) -> Outcome:
        return build_imagery(sites(grids), sources, season, BANDS, 0.3, writer)

    build_partition(lake, REF, code_version="1", config={}, inputs={}, build=run)
    return lake.open(REF)


def checked(lake: Lake, partition: Partition) -> CheckOutcome:
    """The partition's check, under the default settings."""
    (check,) = COVERAGE_CHECKS
    project = ProjectHome(lake, Registry().parts()).open()
    return check.evaluate(partition, InputContext(project, REF, {}, {}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


def test_a_partition_says_how_good_it_is(mines: dict[str, Mine], lake: Lake) -> None:
    """Each figure of the index from the published classes alone, of the pixel in which a site pixel's centre lies."""
    season = SeasonRule().season(2019)
    grids = {name: mine.site() for name, mine in mines.items()}
    indexes = [read_index(name, str(mine.folder), mine.report.features) for name, mine in mines.items()]
    partition = build(lake, grids, [ArchiveSource(L2A, indexes)], season)
    images, summary = open_imagery(partition), partition.manifest.summary
    rows = images.index.set_index("site_id")
    for name, mine in mines.items():
        sights = within(mine.sights, season.start, season.end)
        count = nearest(clear_count(sights), mine.grid, grids[name])
        image, row = images.read(name), rows.loc[name]
        np.testing.assert_array_equal(image.clear_count, count)
        assert row["clear_fraction"] == (count > 0).mean()
        assert row["clear_count_mean"] == count.mean()
        assert row["largest_gap_ha"] == pytest.approx(largest_patch(count == 0) * 0.01)
        days = [sight.day for sight in sights if nearest(sight.clear, mine.grid, grids[name]).any()]
        assert list(row["acquisition_days"]) == [day.isoformat() for day in days]
        assert row["largest_gap_days"] == longest_wait(days, season.start, season.end)
        assert row["cloud_mask"] == "*_SCL*!=2,4,5,6,7,11"
        brightest = max(sight.values["blue"][sight.clear].max() for sight in sights if sight.clear.any())
        assert brightest < 6000 < max(sight.values["blue"].max() for sight in sights)
        assert image.pixels[0].max() <= brightest + 1
    assert summary["largest_gap_ha"] == pytest.approx(rows["largest_gap_ha"].max(), abs=0.01)
    assert summary["largest_gap_days"] == rows["largest_gap_days"].max()
    assert summary["observations_per_pixel"] == pytest.approx(rows["clear_count_mean"].mean(), abs=0.01)
    assert summary["cloud_masks"] == {"*_SCL*!=2,4,5,6,7,11": 2}


MONSOON = Season(2019, date(2019, 6, 1), date(2019, 9, 1))
"""Six dates at the second mine, all of them overcast."""


def test_a_season_of_clouds_has_no_composite(mines: dict[str, Mine], lake: Lake) -> None:
    mine = mines["mine_1"]
    sights = within(mine.sights, MONSOON.start, MONSOON.end)
    assert len(sights) == 6
    assert not clear_count(sights).any()
    with pytest.raises(NotCoveredError, match="have no observed pixel at this place"):
        mine.source.read(mine.grid, MONSOON, BANDS)
    with pytest.raises(NotFoundError, match="no sentinel-2-l2a imagery for 2019"):
        build(lake, {"m": mine.site()}, [mine.source], MONSOON)


def test_a_season_of_clouds_falls_to_the_next_source(mines: dict[str, Mine], lake: Lake, tmp_path: Path) -> None:
    """Somebody's own mosaic of that year stands in, and the index says so."""
    mine, folder = mines["mine_1"], tmp_path / "mosaic"
    folder.mkdir()
    for path in mine.folder.glob("2019-11-05_*.tif"):
        (folder / path.name.replace("2019-11-05", "mosaic")).write_bytes(path.read_bytes())
    mosaic = index(folder, L2A, ArchiveRules(scale=1 / 65_535, year=2019))
    partition = build(lake, {"m": mine.site()}, [mine.source, source(folder, mosaic, L2A)], MONSOON)
    (row,) = open_imagery(partition).index.itertuples()
    assert list(row.acquisitions) == ["mosaic"]
    assert pd.isna(row.largest_gap_days)  # nobody said on which days the mosaic was taken
    (passed,) = partition.manifest.summary["passed_over"]
    assert "no observed pixel" in passed["reason"]
    (clear,) = within(mine.sights, date(2019, 11, 5), date(2019, 11, 6))
    assert row.clear_fraction == nearest(clear.clear, mine.grid, mine.site()).mean()


def test_a_glimpse_between_clouds_is_told_and_counts_as_not_observed(mines: dict[str, Mine], lake: Lake) -> None:
    """In September 2019 four in a hundred pixels of the second mine were seen; at the first it was clear."""
    season = Season(2019, date(2019, 9, 1), date(2019, 10, 1))
    grids = {name: mine.site(24) for name, mine in mines.items()}
    indexes = [read_index(name, str(mine.folder), mine.report.features) for name, mine in mines.items()]
    partition = build(lake, grids, [ArchiveSource(L2A, indexes)], season)
    rows = open_imagery(partition).index.set_index("site_id")
    mine = mines["mine_1"]
    seen = nearest(clear_count(within(mine.sights, season.start, season.end)), mine.grid, grids["mine_1"]) > 0
    assert rows.loc["mine_1", "clear_fraction"] == seen.mean() < 0.1
    outcome = checked(lake, partition)
    assert outcome.passed, "one of two sites fails for itself"
    reasons = read_not_observed(partition)
    assert list(reasons) == ["mine_1"]
    assert reasons["mine_1"].endswith(
        "of its window was seen clear of cloud, below the 30% that [imagery] min_clear_fraction asks for"
    )
    gap = rows.loc["mine_1", "largest_gap_ha"]
    assert outcome.sentence == (
        "1 of 2 sites are at least 50% clear; too cloudy: mine_1 ([imagery] min_clear_fraction sets the limit); "
        f"the largest unseen patch is {gap:.1f} ha, at mine_1"
    )


def test_the_same_series_through_stac(mines: dict[str, Mine], tmp_path: Path) -> None:
    """The open catalogues' source sees the same classes: the same counts, and the same numbers to resampling."""
    mine, season = mines["mine_1"], SeasonRule().season(2020)
    sights = within(mine.sights, season.start, season.end)
    grid = mine.site()
    pictures = [
        Picture(s.day, {b: Plane(np.rint(v).astype(np.uint16), mine.grid) for b, v in s.values.items()}, s.clear)
        for s in sights
    ]
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        served = through_stac(world, pictures)
        for picture, sight in zip(pictures, sights, strict=True):
            assert sight.classes is not None
            write_cog(world.root / picture.name / "SCL.tif", sight.classes, mine.grid)
        ours = served.read(grid, season, BANDS)
        with pytest.raises(NotCoveredError, match="every pixel is cloudy or missing"):
            served.read(grid, Season(2020, date(2020, 9, 1), date(2020, 10, 10)), BANDS)
    theirs = mine.source.read(grid, season, BANDS)
    count = nearest(clear_count(sights), mine.grid, grid)
    np.testing.assert_array_equal(ours.clear_count, count)
    np.testing.assert_array_equal(theirs.clear_count, count)
    assert ours.provenance.acquisition_days == theirs.provenance.acquisition_days
    assert "3, 8, 9, 10" in ours.provenance.cloud_mask
    seen = count > 0
    difference = np.abs(ours.pixels.astype(int) - theirs.pixels)[:, seen]
    shifted = np.abs(ours.pixels.astype(int) - np.roll(theirs.pixels, 1, axis=2))[:, seen]
    assert np.percentile(difference, 99) < 50
    assert difference.mean() < 0.1 * shifted.mean()


SLOVENIA = (date(2015, 8, 20), date(2015, 7, 31), date(2015, 9, 9), date(2015, 8, 30), date(2015, 7, 11))
"""Days of the reference scenes, which their published NDVI tells."""


class Place:
    """The eo-learn test area: five scenes, and masks, probabilities and NDVI of 68 dates."""

    def __init__(self, folder: Path) -> None:
        patch = folder / "TestEOPatch"
        self.scenes = np.load(folder / "REFERENCE_SCENES.npy")
        self.days = [date.fromisoformat(text[:10]) for text in json.loads((patch / "timestamps.json").read_text())]
        self.ndvi, self.probability = (np.load(patch / "data" / f"{n}.npy")[..., 0] for n in ("NDVI", "CLP_S2C"))
        self.cloud = np.load(patch / "mask" / "CLM.npy")[..., 0]
        ring = np.asarray(json.loads((patch / "bbox.geojson").read_text())["coordinates"][0])
        (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
        height, width = self.scenes.shape[1:3]
        step = Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)
        self.grid = GeoBox((height, width), step, "EPSG:32633")

    def write(self, path: Path, *bands: np.ndarray) -> None:
        """A file on the area's own pixels."""
        write(path, np.stack(bands), self.grid.affine, "EPSG:32633")


@pytest.fixture(scope="module")
def place(test_data: Path) -> Place:
    return Place(test_data / "eo-learn-s2-l1c")


@pytest.mark.parametrize("rule", ["mask", "probability"])
def test_level_1c_with_a_mask_or_a_probability(place: Place, tmp_path: Path, rule: str) -> None:
    """The five scenes of 13 bands: two overcast by the mask, and partly by the probability without its margin."""
    sights = []
    for scene, day in zip(place.scenes, SLOVENIA, strict=True):
        number = place.days.index(day)
        red, nir = scene[..., 3], scene[..., 7]
        np.testing.assert_allclose((nir - red) / (nir + red), place.ndvi[number], atol=1e-5)
        stored = np.rint(scene * 10_000).astype(np.uint16)
        place.write(tmp_path / f"S2_{day}.tif", *np.moveaxis(stored, -1, 0))
        if rule == "mask":
            place.write(tmp_path / f"S2_{day}_CLM.tif", place.cloud[number])
            clear = place.cloud[number] == 0
        else:
            place.write(tmp_path / f"S2_{day}_CLP.tif", place.probability[number])
            clear = place.probability[number] < 0.7
        values = {band: stored[..., n].astype(float) for n, band in enumerate(product(L1C).bands)}
        sights.append(Sight(day, values, clear))
    rules = ArchiveRules(bands=product(L1C).bands, clouds=() if rule == "mask" else ("*_CLP*>=0.7",))
    report = index(tmp_path, L1C, rules)
    assert report.refused == ()
    archive, season = source(tmp_path, report, L1C), SeasonRule().season(2015)
    sights.sort(key=lambda sight: sight.day)
    assert_follows(archive.read(place.grid, season, ("blue", "nir", "swir16", "cirrus")), sights, season)
    overcast = Season(2015, date(2015, 7, 20), date(2015, 8, 25))
    cloudy = within(sights, overcast.start, overcast.end)
    if rule == "mask":
        assert not clear_count(cloudy).any()
        with pytest.raises(NotCoveredError, match="no observed pixel"):
            archive.read(place.grid, overcast, ("blue",))
    else:
        assert 0 < (clear_count(cloudy) > 0).mean() < 0.5
        assert_follows(archive.read(place.grid, overcast, ("blue",)), cloudy, overcast)


def test_68_dates_with_their_mask(place: Place, tmp_path: Path) -> None:
    """Red and near infrared that have the published NDVI of each date: what the composite shows is the clear dates'."""
    sights = []
    for day, ndvi, cloud in zip(place.days, place.ndvi.astype(np.float64), place.cloud, strict=True):
        nir = np.rint(1000 * (1 + ndvi) / (1 - ndvi)).astype(np.uint16)
        place.write(tmp_path / f"{day}.tif", np.full_like(nir, 1000), nir)
        place.write(tmp_path / f"{day}_CLM.tif", cloud)
        sights.append(Sight(day, {"red": np.full(nir.shape, 1000.0), "nir": nir.astype(float)}, cloud == 0))
    report = index(tmp_path, L1C, ArchiveRules(bands=("red", "nir")))
    assert report.refused == ()
    archive = source(tmp_path, report, L1C)
    for year in (2015, 2016, 2017):
        season = SeasonRule().season(year)
        chosen = within(sights, season.start, season.end)
        assert any(not sight.clear.any() for sight in chosen)
        assert_follows(archive.read(place.grid, season, ("red", "nir")), chosen, season)


def test_planets_usable_data_mask(test_data: Path, tmp_path: Path) -> None:
    """A real PlanetScope scene and its mask, as delivered: what the mask does not call usable is not shown."""
    name = "20170831_172754_101c_3B_AnalyticMS"
    for path in (test_data / "planetscope-format-sample").glob(f"{name}*.tif"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    report = index(tmp_path, "planet-nicfi", ArchiveRules(bands=("blue", "green", "red", "nir"), scale=1e-4))
    assert report.refused == ()
    with rasterio.open(tmp_path / f"{name}.tif") as image, rasterio.open(tmp_path / f"{name}_DN_udm.tif") as mask:
        pixels, usable = image.read(), mask.read(1) == 0
        grid = GeoBox(image.shape, image.transform, str(image.crs))
    seen = usable & (pixels > 0).all(axis=0)
    assert 0 < usable.mean() < 1
    season = Season(2017, date(2017, 8, 1), date(2017, 9, 1))
    composite = source(tmp_path, report, "planet-nicfi").read(grid, season, ("blue", "nir"))
    np.testing.assert_array_equal(composite.pixels[1], np.where(seen, pixels[3], 0))
    assert composite.provenance.cloud_mask == "*_DN_udm*!=0"
