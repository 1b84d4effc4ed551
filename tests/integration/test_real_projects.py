"""The examples on real pixels, by their scripts: a few commands from an empty folder to polygons and a verdict."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.segmentation.verdict import FEWEST_GROUPS

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_COMMANDS = 6
PICTURES = 18
"""As many of the tailings' pictures as can be mapped in reasonable time, and the malformed one."""
MALFORMED = 23
REGION = "tailings-in-brazil"


@dataclass(frozen=True)
class Ran:
    """An example that was run to its end: where its project lies, and what its commands said."""

    lake: Path
    state: Path
    said: str

    def table(self, *path: str) -> pd.DataFrame:
        return pd.read_parquet(self.lake.joinpath(*path))

    def polygons(self, region: str, year: int) -> gpd.GeoDataFrame:
        return gpd.read_parquet(
            self.lake / "polygons" / "mining_polygons" / region / str(year) / "mining_polygons.parquet"
        )


def run(example: str, data: Path, folder: Path) -> Ran:
    """One example as a person runs it; its project lies in `folder`."""
    program = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
        "MINEMAP_HOME": str(folder / "lake"),
        "MINEMAP_STATE": str(folder / "state"),
    }
    words = [str(EXAMPLES / example / "run.sh"), str(data)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Ran(folder / "lake", folder / "state", done.stdout + done.stderr)


@pytest.fixture(scope="module")
def open_pits(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run("open-pits", test_data, tmp_path_factory.mktemp("open-pits"))


@pytest.fixture(scope="module")
def tailings(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder, source = tmp_path_factory.mktemp("tailings"), test_data / "tailings-seg-s2-brazil"
    numbers = {int(path.stem.removeprefix("img_")) for path in (source / "img_tiff").glob("*.tif")} - {MALFORMED}
    for number in (*sorted(numbers)[:PICTURES], MALFORMED):
        for kind, name in (("img_tiff", "img"), ("mask_tiff", "mask")):
            target = folder / "data" / source.name / kind / f"{name}_{number}.tif"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / kind / target.name, target)
    shutil.copytree(test_data / "natural-earth" / "ne_50m", folder / "data" / "natural-earth" / "ne_50m")
    return run("tailings", folder / "data", folder)


def commands(example: str) -> Iterator[str]:
    for line in (EXAMPLES / example / "run.sh").read_text().splitlines():
        if line.startswith("minemap "):
            yield line.split()[1]


@pytest.mark.parametrize("example", ["tailings", "open-pits"])
def test_few_commands_and_no_file_written_by_hand(example: str) -> None:
    assert 0 < len(list(commands(example))) <= MOST_COMMANDS
    script = (EXAMPLES / example / "run.sh").read_text()
    assert ".toml" not in script
    assert "cat >" not in script


def test_polygons_lie_inside_the_scene_and_in_china(open_pits: Ran, test_data: Path) -> None:
    scene = gpd.read_file(test_data / "oscd-sentinel2-l1c" / "beihai" / "beihai.geojson").union_all()
    for year in (2016, 2017):
        polygons = open_pits.polygons("beihai", year)
        assert len(polygons) > 0, year
        assert set(polygons["country_iso3"]) == {"CHN"}
        assert polygons.geometry.within(scene.buffer(1e-9)).all()
        assert (polygons["area_km2"] > 0).all()
        assert set(polygons["product"]) == {"sentinel-2-l1c"}
    with duckdb.connect(str(open_pits.state / "minemap.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT iso3, year FROM country_summary WHERE area_km2 > 0").fetchall()
    assert set(rows) == {("CHN", 2016), ("CHN", 2017)}


def test_each_year_is_made_from_its_own_scene(open_pits: Ran) -> None:
    for year, day in (("2016", "2016-12-09"), ("2017", "2018-03-09")):
        index = open_pits.table("imagery", "imagery", "beihai", year, "index.parquet")
        assert set(index["first_date"].astype(str)) == {day}
    features = json.loads((open_pits.lake / "inputs" / "archive" / "beihai.geojson").read_text())["features"]
    assert [len(feature["assets"]) for feature in features] == [13, 13]


def test_one_outline_makes_a_map_that_says_what_it_is_worth(open_pits: Ran) -> None:
    said = open_pits.said
    assert "no polygon of mining_polygons_combined_demo lies in region beihai" in said
    assert "310 km away" in said
    assert "labelled mines lie in 1 place, of which about 0 will be held out" in said
    assert "the model cannot be judged" in said
    assert said.index("Quality of the model: cannot be judged") < said.index("Mapped mining area")


def test_pictures_and_masks_become_polygons_with_a_verdict(tailings: Ran) -> None:
    said = tailings.said
    for name in ("img_23.tif", "mask_23.tif"):
        assert f"left out {name}" in said
    assert f"{PICTURES} images of sentinel-2-l1c, 1 file left out" in said
    assert "Nothing will fail" in said
    polygons = tailings.polygons(REGION, 2021)
    assert len(polygons) > 0
    assert set(polygons["country_iso3"]) == {"BRA"}
    held = re.search(r"in (\d+) places, of which about (\d+) will be held out", said)
    assert held is not None
    assert int(held[1]) > FEWEST_GROUPS <= int(held[2])
    metrics = tailings.table("segmentation", "model_evaluation", "metrics.parquet")
    test = metrics[metrics["split"] == "test"]
    assert {"model", "baseline"} <= set(test["method"])
    assert test["iou"].between(0, 1).any()
    quality = said[said.index("Quality of the model: ") :].split(";")[0]
    assert quality.removeprefix("Quality of the model: ") in ("usable", "weak", "not better than a threshold")


def test_no_ground_is_on_two_sides_of_the_split(tailings: Ran) -> None:
    chips = gpd.read_parquet(tailings.lake / "chips" / "training_chips" / "sentinel-2-l1c" / REGION / "index.parquet")
    assert set(chips["split"]) == {"train", "validation", "test"}
    assert chips.groupby("split_group")["split"].nunique().max() == 1
    taught = shapely.union_all(np.asarray(chips.loc[chips["split"] == "train"].geometry.array, dtype=object))
    assert not chips.loc[chips["split"] == "test"].geometry.intersects(taught.buffer(-1e-9)).any()
