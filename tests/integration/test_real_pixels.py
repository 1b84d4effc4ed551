"""The whole chain on real pixels, through the command line as a person would type it.

A model is trained on Sentinel-2 pictures of tailings in Brazil (blue, green, red; groups of overlapping pictures kept
together), then maps the open pits near Beihai on two dates.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import geopandas as gpd
import pandas as pd
import pytest
import rasterio
import shapely

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PITS = shapely.box(109.533, 21.556, 109.556, 21.579)

SETTINGS = """\
[imagery]
products = [{ product = "sentinel-2-l1c" }]
reference_products = ["sentinel-2-l1c"]
min_clear_fraction = 0.2

[imagery.sources]
sentinel-2-l1c = ["archive"]

[imagery.bands]
sentinel-2-l1c = ["blue", "green", "red"]

[chips]
bands = ["blue", "green", "red"]

[training]
regions = ["brazil"]

[segmentation]
steps = 240
crop = 128
batch_size = 8
learning_rate = 5e-4
validate_every = 80
"""


class CommandLine:
    """Runs `minemap` in a project of its own."""

    def __init__(self, folder: Path) -> None:
        self.home, self.state = folder / "lake", folder / "state"
        self._environment = os.environ | {"MINEMAP_HOME": str(self.home), "MINEMAP_STATE": str(self.state)}

    def __call__(self, *words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "dagster_project.cli.main", *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        assert done.returncode == code, text
        return text


def footprints(folder: Path) -> gpd.GeoDataFrame:
    boxes = []
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as source:
            boxes.append(shapely.box(*source.bounds))
    return gpd.GeoDataFrame(geometry=boxes, crs="EPSG:4326")


@pytest.fixture(scope="module")
def project(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("real")
    minemap = CommandLine(folder)
    tailings, beihai = test_data / "tailings-seg-s2-brazil", test_data / "oscd-sentinel2-l1c" / "beihai"
    footprints(tailings / "img_tiff").to_file(folder / "brazil.geojson")
    gpd.GeoDataFrame(geometry=[PITS], crs="EPSG:4326").to_file(folder / "pits.geojson")

    (minemap.home / "inputs").mkdir(parents=True)
    (minemap.home / "inputs" / "minemap.toml").write_text(SETTINGS)
    minemap("regions", "add", "brazil", str(folder / "brazil.geojson"), "--reference-year", "2021")
    minemap("regions", "add", "beihai", str(beihai / "beihai.geojson"), "--season", "12-3")
    boundaries = test_data / "natural-earth" / "ne_50m" / "ne_50m_admin_0_countries.shp"
    minemap("reference", "add", "country_boundaries", str(boundaries), "--licence", "public domain")
    said = minemap(
        *("reference", "add-masks", "tailings", str(tailings / "mask_tiff")),
        *("--images", str(tailings / "img_tiff"), "--groups", str(tailings / "groups.csv"), "--licence", "unknown"),
    )
    assert "left out" in said
    assert "mask_23.tif" in said
    said = minemap(
        *("archive", "index", str(tailings / "img_tiff"), "--name", "tailings", "--product", "sentinel-2-l1c"),
        *("--bands", "blue,green,red", "--year", "2021", "--masks", str(tailings / "mask_tiff")),
    )
    assert "img_23.tif" in said
    assert "35 images" in said
    minemap(
        *("archive", "index", str(beihai)),
        *("--date-of", "imgs_1=2016-12-09", "--date-of", "imgs_2=2018-03-09"),
    )
    minemap("sites", "promote", str(folder / "pits.geojson"), "--note", "open pits, drawn by hand")
    minemap("run", "--regions", "beihai", "--years", "2016-2017")
    return minemap


def test_polygons_lie_inside_the_scene_and_in_china(project: CommandLine, test_data: Path) -> None:
    scene = gpd.read_file(test_data / "oscd-sentinel2-l1c" / "beihai" / "beihai.geojson").union_all()
    for year in ("2016", "2017"):
        folder = project.home / "polygons" / "mining_polygons" / "beihai" / year
        polygons = gpd.read_parquet(folder / "mining_polygons.parquet")
        assert len(polygons) > 0, year
        assert set(polygons["country_iso3"]) == {"CHN"}
        assert polygons.geometry.within(scene.buffer(1e-9)).all()
        assert (polygons["area_km2"] > 0).all()
        assert set(polygons["product"]) == {"sentinel-2-l1c"}


def test_each_year_is_made_from_its_own_scene(project: CommandLine) -> None:
    for year, day in (("2016", "2016-12-09"), ("2017", "2018-03-09")):
        index = pd.read_parquet(project.home / "imagery" / "imagery" / "beihai" / year / "index.parquet")
        assert set(index["first_date"].astype(str)) == {day}
        assert (index["clear_fraction"] > 0.7).all()  # the window reaches beyond the scene


def test_held_out_groups_are_reported_beside_the_best_threshold(project: CommandLine) -> None:
    metrics = pd.read_parquet(project.home / "segmentation" / "model_evaluation" / "metrics.parquet")
    test = metrics[metrics["split"] == "test"]
    assert {"model", "baseline"} <= set(test["method"])
    assert test["iou"].between(0, 1).any()


def test_groups_are_never_divided_between_splits(project: CommandLine, test_data: Path) -> None:
    chips = pd.read_parquet(project.home / "chips" / "training_chips" / "sentinel-2-l1c" / "brazil" / "index.parquet")
    assert set(chips["split"]) == {"train", "validation", "test"}
    assert chips.groupby("split_group")["split"].nunique().max() == 1
    groups = pd.read_csv(test_data / "tailings-seg-s2-brazil" / "groups.csv")
    assert chips["split_group"].nunique() <= groups["g"].nunique()


def test_the_database_answers(project: CommandLine) -> None:
    with duckdb.connect(str(project.state / "minemap.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT iso3, year, area_km2 FROM country_summary WHERE area_km2 > 0").fetchall()
    assert {(iso3, year) for iso3, year, _ in rows} == {("CHN", 2016), ("CHN", 2017)}


def test_the_indexes_tell_where_pixels_come_from(project: CommandLine) -> None:
    features = json.loads((project.home / "inputs" / "archive" / "beihai.geojson").read_text())["features"]
    assert len(features) == 2
    assert all(len(f["assets"]) == 13 for f in features)
