"""Masks: files on the site's grid, resumed after an interruption, never inventing what was not seen."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.chips.reader import ChipSet
from minemap_assets.chips.tiling import tiles
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.imagery.not_observed import read_not_observed
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.masks import build_masks
from minemap_assets.segmentation.prediction import Predictor
from minemap_assets.sites.windows import site_grid

from .conftest import SIZE, chip_rows, no_rows, scene, tiny_config
from .random_models import publish_model

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
def model(make_partition: Partitions) -> Partition:
    return make_partition("segmentation", "promoted_model", build=publish_model)


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
    reason = "the image covers 12% of its window"
    chips.not_observed = {"m3": reason}
    part = masks(make_partition, sites, chips, model)
    index = read_geoparquet(part.file("index.parquet")).set_index("site_id")
    assert list(index.index) == ["m1", "m2"]
    assert [(m.item, m.reason, m.retry) for m in part.manifest.missing] == [("m3", reason, False)]
    assert read_not_observed(part) == {"m3": reason}
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
        if done == 2:
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
    make_partition: Partitions, sites: gpd.GeoDataFrame, chips: ChipSet, model: Partition
) -> None:
    masks(make_partition, sites, chips, model)
    other = make_partition("segmentation", "other_model", build=lambda w: publish_model(w, seed=3))
    part = masks(make_partition, sites, chips, other, operating_point=0.4)
    assert part.manifest.summary["masks_kept_from_an_interrupted_run"] == 0


def test_what_a_killed_run_published_is_kept_and_the_rest_is_the_same(
    make_partition: Partitions, chip_set: Make, model: Partition, tmp_path: Path
) -> None:
    many = [site_of(f"m{n:03d}", SIZE, 500_000.0 + 2000.0 * n) for n in range(12)]
    sites = gpd.GeoDataFrame(many, geometry="geometry", crs=WGS84)
    chips = chip_set([scene(n) for n in range(12)])
    write_geoparquet(sites, tmp_path / "sites.parquet")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    part = masks(make_partition, sites, chips, model)
    assert part.manifest.summary["masks_kept_from_an_interrupted_run"] == 7
    clean = make_partition(
        "segmentation", "clean_masks", build=lambda w: build_masks(sites, chips, model, tiny_config(), w)
    )
    assert [(f.name, f.sha256) for f in part.manifest.files] == [(f.name, f.sha256) for f in clean.manifest.files]


KILLED = """
import os, signal, sys
from pathlib import Path
import geopandas as gpd
from minemap_assets.chips.reader import open_chips
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.segmentation.masks import build_masks
from minemap_assets.segmentation.prediction import Predictor

folder = Path(sys.argv[1])
lake = Lake.local(folder / "lake", folder / "state")

def progress(done, total, stage="", detail=""):
    if done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

with lake.writer(PartitionRef("segmentation", "raw_masks", ("here", "2019")), "print") as writer:
    build_masks(
        gpd.read_parquet(folder / "sites.parquet"),
        open_chips(lake.open(PartitionRef("chips", "chips", ("planet-nicfi", "here")))),
        lake.open(PartitionRef("segmentation", "promoted_model", ())),
        SegmentationConfig(device="cpu", precision="float32"),
        writer,
        progress=progress,
    )
"""
"""Makes the masks of a folder's lake until seven of them are published, and is gone."""


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


def test_chips_of_all_sites_are_one_stream(
    make_partition: Partitions,
    sites: gpd.GeoDataFrame,
    chips: ChipSet,
    model: Partition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    before = Predictor.probabilities

    def counted(self: Predictor, product: str, bands: Any, pixels: Any, count: int = 0) -> Any:
        asked.append(count)
        return before(self, product, bands, pixels, count)

    monkeypatch.setattr(Predictor, "probabilities", counted)
    masks(make_partition, sites, chips, model)
    assert asked == [5]
    assert "working ahead" not in [thread.name for thread in threading.enumerate()]
