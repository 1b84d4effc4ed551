"""A part of the dataset of the finished small world: every file tells of the same years and regions."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pystac
import pytest
from pmtiles.reader import MemorySource, Reader

from minemap_assets.publication.dataset.checksums import changed_files
from terminal import Terminal, fresh_terminal
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return finished.copied(tmp_path_factory.mktemp("part") / "project")


@pytest.fixture
def terminal(
    made: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        opened.setenv(MINEMAP_HOME=made.environment.home, MINEMAP_STATE=str(made.environment.state))
        yield opened


def test_a_part_is_cut_alike_in_every_file(made: Chain, tmp_path: Path, terminal: Terminal) -> None:
    out, region, year = tmp_path / "part", "alder-basin", YEARS[1]
    part = terminal("export", "--to", str(out), "--years", str(year), "--regions", region, "--with-masks", "--json")
    assert part.code == 0, part.err
    title = json.loads(part.out)["title"]
    assert f"{year}, {region} (part of a larger dataset)" in title
    assert changed_files(out) == []
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "checksums.sha256"], cwd=out, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout

    whole = made.frame("tables", "polygons", str(year), file="polygons.parquet")
    ids = sorted(whole.loc[whole["region"] == region, "polygon_id"])
    assert 0 < len(ids) < len(whole)
    packed = [pyogrio.read_dataframe(out / "minemap.gpkg", layer=one) for one in ("polygons", f"polygons_{year}")]
    for found in (gpd.read_parquet(out / "polygons.parquet"), *packed):
        assert sorted(found["polygon_id"]) == ids
    layers = {str(name) for name, _ in pyogrio.list_layers(out / "minemap.gpkg")}
    assert {name for name in layers if name.startswith("polygons_")} == {f"polygons_{year}"}
    _tables_of_part(made, out, region, ids)
    regions = [gpd.read_parquet(out / f"{name}.parquet")["region"] for name in ("regions", "sites", "site_history")]
    assert {slug for one in regions for slug in one} == {region}
    _points_of_part(made, out, region, year)
    _items_of_part(out, title, year)
    tiles = Reader(MemorySource((out / "minemap.pmtiles").read_bytes())).header()
    assert tiles["max_lon_e7"] / 1e7 <= made.project.region(region).geometry.bounds[2]
    _told_to_be_a_part(out, title)


def _tables_of_part(made: Chain, out: Path, region: str, ids: list[str]) -> None:
    book = openpyxl.load_workbook(out / "minemap.xlsx")
    for name in ("site_panel", "region_summary", "imagery_clarity", "country_summary", "polygon_country_area"):
        table = _table(made, name, YEARS[1])
        kept = table[_of_part(table, region, ids)]
        written = pd.read_csv(out / "tables" / f"{name}.csv", keep_default_na=False, na_values="")
        assert list(written.columns) == list(table.columns)
        numbers = kept.select_dtypes("number").astype("float64")
        assert np.array_equal(written[list(numbers)].astype("float64"), numbers, equal_nan=True), name
        assert book[name].max_row == len(kept) + 1 > 1


def _items_of_part(out: Path, title: str, year: int) -> None:
    assert {one.name for one in (out / "stac").iterdir()} == {"collection.json", str(year)}
    collection = pystac.Collection.from_file(str(out / "stac/collection.json"))
    items = list(collection.get_items(recursive=True))
    kinds = sorted(item.id.split("-")[0] for item in items)
    assert kinds == ["imagery"] * 2 + ["masks"] * 2 + ["polygons"]
    assert collection.title == title
    assert all(Path(str(a.get_absolute_href())).is_file() for item in items for a in item.assets.values())
    assert len(list((out / "masks").rglob("*.tif"))) == 2


def _table(made: Chain, name: str, year: int) -> pd.DataFrame:
    asset = "polygons" if name == "polygon_country_area" else name
    return pd.read_parquet(made.open("tables", asset, str(year)).file(f"{name}.parquet"))


def _of_part(table: pd.DataFrame, region: str, ids: list[str]) -> "pd.Series[bool]":
    if "region" in table:
        return table["region"] == region
    # the other region has mapped ground in the second country
    return table["polygon_id"].isin(ids) if "polygon_id" in table else table["iso3"] == "XAA"


def _points_of_part(made: Chain, out: Path, region: str, year: int) -> None:
    points = gpd.read_parquet(out / "validation_points.parquet")
    assert set(points["year"]) == {year}
    assert points.geometry.intersects(made.project.region(region).geometry).all()
    every = made.frame("reference", "validation_points", file="points.parquet")
    inside = every.geometry.intersects(made.project.region(region).geometry) & (every["year"] == year)
    assert len(points) == inside.sum() < len(every)


def _told_to_be_a_part(out: Path, title: str) -> None:
    told = "This is a part of a larger dataset: the year"
    for name in ("README.md", "CITATION.cff", "tables/site_panel.csv-metadata.json", "stac/collection.json"):
        text = (out / name).read_text(encoding="utf-8")
        assert told in text, name
        assert title in text, name
    assert told in (pq.read_schema(out / "polygons.parquet").metadata or {})[b"description"].decode()
    places = pd.read_csv(out / "data_dictionary.csv")["files"]
    assert not places.str.contains("reference_validation").any()


def test_a_year_or_region_of_which_nothing_was_mapped_is_one_sentence(tmp_path: Path, terminal: Terminal) -> None:
    out = str(tmp_path / "out")
    for words, told in (
        (("--years", f"{YEARS[0]},{YEARS[-1] + 1}"), f"{YEARS[-1] + 1} was not mapped yet; mapped are"),
        (("--years", "1990"), "--years: "),
        (("--regions", "alder-basn"), "unknown region 'alder-basn' (did you mean 'alder-basin'?)"),
    ):
        answer = terminal("export", "--to", out, *words)
        assert (answer.code, told in answer.sentence) == (2, True), answer.err
    assert not Path(out).exists()
