"""Masks: files on the site's grid, resumed after an interruption, never inventing what was not seen."""

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.tiling import tiles
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.masks import build_masks
from minemap_assets.segmentation.training import train_model
from minemap_assets.sites.windows import site_grid

from .conftest import SIZE, chip_rows, no_rows, scene, thirds, tiny_config

Make = Callable[..., ChipSet]
Partitions = Callable[..., Partition]


def site_of(name: str, pixels: int, easting: float) -> dict[str, Any]:
    grid = square_grid(easting, 9_300_000.0, pixels, 32721)
    columns = to_columns(grid)
    return {
        "site_id": name,
        "region": "here",
        "origin": "reference",
        "split_group": name,
        "longitude": 0.0,
        "latitude": 0.0,
        "crs": columns.crs,
        "transform": list(columns.transform),
        "width": columns.width,
        "height": columns.height,
        "ground_resolution": 5.0,
        "outline_km2": 1.0,
        "geometry": footprint_wgs84(grid),
    }


@pytest.fixture
def sites() -> gpd.GeoDataFrame:
    """A site of four chips, one of a single chip, and one without an image."""
    rows = [site_of("m1", 96, 500_000.0), site_of("m2", SIZE, 510_000.0), site_of("m3", SIZE, 520_000.0)]
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)


@pytest.fixture
def chips(sites: gpd.GeoDataFrame, chip_set: Make) -> ChipSet:
    places = [("m1", tile) for tile in tiles(site_grid(sites.iloc[0]), SIZE, 32)]
    places += [("m2", tile) for tile in tiles(site_grid(sites.iloc[1]), SIZE, 32)]
    frame = chip_rows(len(places), lambda _: "", None)
    frame["site_id"] = [site for site, _ in places]
    frame["row"] = [tile.row for _, tile in places]
    frame["column"] = [tile.column for _, tile in places]
    whole = np.random.default_rng(5).integers(200, 4000, (4, 96, 96)).astype(np.uint16)
    whole[:, :, 90:] = 0
    scenes = [
        (whole[:, t.row : t.row + SIZE, t.column : t.column + SIZE], np.zeros((SIZE, SIZE), dtype=np.uint8))
        for site, t in places
        if site == "m1"
    ]
    return chip_set([*scenes, scene(3)], frame=frame)


@pytest.fixture
def model(make_partition: Partitions, chip_set: Make) -> Partition:
    training = chip_set([scene(i) for i in range(8)], region="training", split_of=thirds)
    return make_partition(
        "segmentation", "promoted_model", build=lambda w: train_model([training], tiny_config(), w, {})
    )


def masks(make: Partitions, sites: gpd.GeoDataFrame, chips: ChipSet, model: Partition, **changes: Any) -> Partition:
    config = tiny_config(**changes)
    return make(
        "segmentation",
        "raw_masks",
        "here",
        "2019",
        build=lambda w: build_masks(sites, chips, model, config, w),
        config=changes,
    )


def test_masks_lie_on_their_sites_and_holes_stay_holes(
    make_partition: Partitions, sites: gpd.GeoDataFrame, chips: ChipSet, model: Partition
) -> None:
    part = masks(make_partition, sites, chips, model)
    index = read_geoparquet(part.file("index.parquet")).set_index("site_id")
    assert list(index.index) == ["m1", "m2"]
    assert [m.item for m in part.manifest.missing] == ["m3"]
    raster = read_raster(part.file("m1.tif"))
    assert raster.grid == site_grid(sites.iloc[0])
    assert raster.pixels.dtype == np.uint8
    assert (raster.pixels[0][:, 90:] == 255).all()
    assert (raster.pixels[0][:, :90] <= 254).all()
    assert index.loc["m1", "observed_fraction"] == pytest.approx(90 / 96)
    stored = raster.pixels[0]
    expected = (stored[stored != 255] / 254 >= index.loc["m1", "threshold"]).mean()
    assert index.loc["m1", "mine_fraction"] == pytest.approx(expected)
    assert part.file("preview.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_run_goes_on_where_it_stopped(
    lake: Lake, make_partition: Partitions, sites: gpd.GeoDataFrame, chips: ChipSet, model: Partition
) -> None:
    ref = PartitionRef("segmentation", "raw_masks", ("here", "2019"))

    class StopError(Exception):
        pass

    def stop(done: int, _total: int, _stage: str, _detail: str = "") -> None:
        if done == 1:
            raise StopError

    with pytest.raises(StopError), lake.writer(ref, "print") as writer:
        build_masks(sites, chips, model, tiny_config(), writer, progress=stop)
    part = masks(make_partition, sites, chips, model)
    assert part.manifest.summary["masks_kept_from_an_interrupted_run"] == 1
    whole = [f.sha256 for f in part.manifest.files]
    again = masks(make_partition, sites, chips, model, operating_point=0.25)
    assert again.manifest.summary["masks_kept_from_an_interrupted_run"] == 2
    assert [f.sha256 for f in again.manifest.files if f.name.endswith("tif")] == [
        h for f, h in zip(part.manifest.files, whole, strict=True) if f.name.endswith("tif")
    ]
    index = read_geoparquet(again.file("index.parquet"))
    assert set(index["threshold"]) == {0.25}
    assert set(index["operating_point"]) == {"own"}


def test_another_model_makes_other_masks(
    make_partition: Partitions, sites: gpd.GeoDataFrame, chips: ChipSet, model: Partition, chip_set: Make
) -> None:
    masks(make_partition, sites, chips, model)
    training = chip_set([scene(i) for i in range(8)], region="training", split_of=thirds)
    other = make_partition(
        "segmentation", "other_model", build=lambda w: train_model([training], tiny_config(seed=3), w, {})
    )
    part = masks(make_partition, sites, chips, other, operating_point=0.4)
    assert part.manifest.summary["masks_kept_from_an_interrupted_run"] == 0


def test_chips_of_other_bands_are_refused(
    make_partition: Partitions, sites: gpd.GeoDataFrame, model: Partition, chip_set: Make
) -> None:
    frame = chip_rows(1, lambda _: "", None).assign(site_id="m2")
    chips = chip_set([(scene(0)[0][:3], scene(0)[1])], bands=("blue", "green", "red"), frame=frame)
    with pytest.raises(BadInputError, match="make the chips with the model's bands"):
        masks(make_partition, sites, chips, model)


def test_a_product_the_model_never_saw_is_refused(
    make_partition: Partitions, sites: gpd.GeoDataFrame, model: Partition, chip_set: Make
) -> None:
    frame = chip_rows(1, lambda _: "", None).assign(site_id="m2")
    chips = chip_set([scene(0)], product="sentinel-2-l2a", frame=frame)
    with pytest.raises(BadInputError, match="was not trained on sentinel-2-l2a"):
        masks(make_partition, sites, chips, model)


def test_no_chips_at_all_is_all_missing(
    make_partition: Partitions, sites: gpd.GeoDataFrame, model: Partition, chip_set: Make
) -> None:
    part = masks(make_partition, sites, chip_set([], frame=no_rows()), model)
    assert [m.item for m in part.manifest.missing] == ["m1", "m2", "m3"]
    assert len(read_geoparquet(part.file("index.parquet"))) == 0
