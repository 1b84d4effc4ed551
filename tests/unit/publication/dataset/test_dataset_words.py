"""Files that hold words and tables, from rows drawn by hand: nulls stay nulls, and the verdict stands in each."""

import csv
import json
import zipfile
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import yaml
from shapely.geometry import MultiPolygon, box

from minemap_assets.graph.column_words import ColumnWords
from minemap_assets.publication.config import Author, DatasetConfig
from minemap_assets.publication.dataset.checksums import changed_files, write_checksums
from minemap_assets.publication.dataset.citation import write_citation
from minemap_assets.publication.dataset.csv_files import METADATA, write_csv_table
from minemap_assets.publication.dataset.dataset_tables import Table, described
from minemap_assets.publication.dataset.facts import Facts, HeldOutScore
from minemap_assets.publication.dataset.geopackage import layers_of, write_geopackage
from minemap_assets.publication.dataset.parquet_files import write_spatial_table
from minemap_assets.publication.dataset.qgis_styles import style_of
from minemap_assets.publication.dataset.workbook import FIRST_SHEET, write_workbook
from minemap_assets.publication.standing import Release, Standing

STANDING = Standing("abc", "weak", "on 5 places: IoU 0.41", "jane", "2026-01-01T00:00:00+00:00", Release.FREE)
SCORE = HeldOutScore("planet-nicfi", 5, 0.41, 0.30, 0.52, 0.6, 0.5)
STAMP = date(2019, 12, 31)


def facts(config: DatasetConfig | None = None) -> Facts:
    return Facts(config or DatasetConfig(), STANDING, (SCORE,), (2018, 2019), (), ())


def rows() -> Table:
    frame = pd.DataFrame(
        {
            "site_id": pd.Series(["a", "b", "=1+1"], dtype="str"),
            "area_km2": [0.0, None, 0.1],
            "peak_year": pd.Series([2019, None, 2018], dtype="Int32"),
            "seen": pd.Series([True, None, False], dtype="boolean"),
            "site_ids": pd.Series([["a", "b"], [], ["c"]], dtype=object),
        }
    )
    return described("areas", "Areas.", frame, {"site_id": "Site", "peak_year": "Year of the largest area"})


def test_a_null_is_an_empty_cell_and_a_zero_is_a_zero(tmp_path: Path) -> None:
    path = tmp_path / "areas.csv"
    write_csv_table(rows(), facts().metadata(), path)
    with path.open(encoding="utf-8", newline="") as file:
        header, first, second, third = list(csv.reader(file))
    assert header == ["site_id", "area_km2", "peak_year", "seen", "site_ids"]
    assert first == ["a", "0.0", "2019", "true", "a; b"]
    assert second == ["b", "", "", "", ""], "the module csv reads nulls and empty texts alike"
    assert third == ["=1+1", "0.1", "2018", "false", "c"]
    told = json.loads(path.with_name(f"areas.csv{METADATA}").read_text(encoding="utf-8"))
    columns = {one["name"]: one for one in told["tableSchema"]["columns"]}
    assert columns["peak_year"]["datatype"] == "integer"
    assert columns["area_km2"]["schema:unitText"] == "km²"
    assert columns["site_ids"]["separator"] == "; "
    assert "verdict_on_the_model: weak: on 5 places: IoU 0.41" in told["rdfs:comment"]


def test_a_null_and_an_empty_text_are_told_apart(tmp_path: Path) -> None:
    texts = ["", None, 'two "words", and', "line\nbreak", "NA", " "]
    lists = [[], None, ["a", "b"], [""], ["a"], []]
    frame = pd.DataFrame({"iso3": pd.Series(texts, dtype="str"), "codes": pd.Series(lists, dtype=object)})
    path = tmp_path / "told.csv"
    write_csv_table(described("told", "Told.", frame, {}), facts().metadata(), path)
    assert path.read_text(encoding="utf-8").splitlines()[:3] == ["iso3,codes", '"",""', ","]
    read = duckdb.sql(f"select * from read_csv('{path}', allow_quoted_nulls = false)").fetchall()
    assert [row[0] for row in read] == texts
    assert [row[1] for row in read] == ["", None, "a; b", "", "a", ""]
    told = json.loads(path.with_name(f"told.csv{METADATA}").read_text(encoding="utf-8"))
    assert "allow_quoted_nulls = false" in told["rdfs:comment"][0]


def test_a_workbook_begins_with_the_verdict_and_takes_no_text_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    assert write_workbook([rows()], facts().metadata(), STAMP, path) == ()
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == [FIRST_SHEET, "areas", "columns"]
    first = next(book[FIRST_SHEET].iter_rows(values_only=True))
    assert first == ("verdict on the model", "weak: on 5 places: IoU 0.41")
    _, a, b, c = list(book["areas"].iter_rows(values_only=True))
    assert a == ("a", 0, 2019, True, "a; b")
    assert b == ("b", None, None, None, None)
    assert c[0] == "=1+1"
    assert book["areas"]["A4"].data_type == "s"
    assert "IoU 0.41 (95 % interval 0.30 to 0.52)" in book.properties.description


def test_a_table_too_long_for_a_sheet_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minemap_assets.publication.dataset.workbook.MOST_ROWS", 2)
    assert write_workbook([rows()], facts().metadata(), STAMP, tmp_path / "b.xlsx") == ("areas",)
    book = openpyxl.load_workbook(tmp_path / "b.xlsx")
    assert "areas" not in book.sheetnames
    assert ("left out: areas", "It has more rows than a sheet takes; it is in the CSV file.") in list(
        book[FIRST_SHEET].iter_rows(values_only=True)
    )


def mines() -> Table:
    frame = gpd.GeoDataFrame(
        {
            "polygon_id": pd.Series(["p", "q"], dtype="str"),
            "year": pd.Series([2018, 2019], dtype="int32"),
            "status": pd.Series(["final", "provisional"], dtype="str"),
            "site_ids": pd.Series([["a"], ["a", "b"]], dtype=object),
            "clear_fraction": [None, 0.5],
        },
        geometry=[box(0, 0, 1, 1), MultiPolygon([box(2, 2, 3, 3), box(4, 4, 5, 5)])],
        crs="EPSG:4326",
    )
    return described("polygons", "Polygons.", frame, {})


def test_a_geopackage_is_the_same_bytes_and_has_a_layer_for_each_year(tmp_path: Path) -> None:
    told = facts().metadata()
    for name in ("one", "two"):
        write_geopackage(list(layers_of([mines()], told)), told, STAMP, tmp_path / f"{name}.gpkg")
    assert (tmp_path / "one.gpkg").read_bytes() == (tmp_path / "two.gpkg").read_bytes()
    layers = dict(gpd.list_layers(tmp_path / "one.gpkg").values)
    assert set(layers) == {"polygons", "polygons_2018", "polygons_2019", "layer_styles"}
    one_year = gpd.read_file(tmp_path / "one.gpkg", layer="polygons_2019")
    assert list(one_year["site_ids"]) == ["a; b"]
    every = gpd.read_file(tmp_path / "one.gpkg", layer="polygons")
    assert every["clear_fraction"].isna().tolist() == [True, False]
    assert every.crs.to_epsg() == 4326


def test_a_column_without_any_value_keeps_its_type_in_geoparquet(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "site_ids": pd.Series([["a"], []], dtype=object),
            "merged_ids": pd.Series([[], []], dtype=object),
            "stratum": [None, None],
        },
        geometry=[box(0, 0, 1, 1)] * 2,
        crs="EPSG:4326",
    )
    columns = (
        *(ColumnWords(name, "list of text", "", "Ids") for name in ("site_ids", "merged_ids")),
        ColumnWords("stratum", "text", "", "Stratum"),
        ColumnWords("geometry", "geometry", "degrees", "Outline"),
    )
    write_spatial_table(Table("mines", "Mines.", frame, columns), facts().metadata(), tmp_path / "mines.parquet")
    read = duckdb.sql(f"select typeof(merged_ids), typeof(stratum), merged_ids from '{tmp_path / 'mines.parquet'}'")
    assert read.fetchall() == [("VARCHAR[]", "VARCHAR", [])] * 2
    assert gpd.read_parquet(tmp_path / "mines.parquet")["stratum"].isna().all()


def test_a_style_tells_years_by_hue_and_what_may_change_by_opacity() -> None:
    told = facts().metadata()
    style = style_of("polygons", mines().frame, told)
    assert style is not None
    root = ElementTree.fromstring(style)
    assert [one.get("value") for one in root.iter("category")] == ["2018", "2019"]
    colours = [one.get("value") for one in root.iter("Option") if one.get("name") == "color"]
    assert colours == ["68,1,84,255", "253,231,37,255"]
    expressions = {one.get("value") for one in root.iter("Option") if one.get("name") == "expression"}
    assert expressions == {"if(\"status\" = 'final', 100, 40)"}
    notes = root.find("userNotes")
    assert notes is not None
    assert str(notes.get("value")).startswith("verdict_on_the_model: weak")
    assert style_of("sites", mines().frame, told) is None


def test_nobody_is_made_up_as_an_author(tmp_path: Path) -> None:
    path = tmp_path / "CITATION.cff"
    write_citation(facts(), path)
    text = path.read_text(encoding="utf-8")
    assert "# The authors are not known: name them with `authors` in [dataset]" in text
    assert yaml.safe_load(text)["authors"] == [{"name": "authors not stated"}]
    people = (Author(family="Doe", given="Jane", orcid="0000-0002-1825-0097"), Author(name='Institute: of "Mines"'))
    config = DatasetConfig(authors=people, doi="10.5281/zenodo.1", version="3", released=date(2026, 1, 2))
    write_citation(facts(config), path)
    cited = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert cited["authors"] == [
        {"family-names": "Doe", "given-names": "Jane", "orcid": "https://orcid.org/0000-0002-1825-0097"},
        {"name": 'Institute: of "Mines"'},
    ]
    assert (cited["doi"], cited["version"], cited["date-released"]) == ("10.5281/zenodo.1", "3", date(2026, 1, 2))
    assert cited["license"] == "ODbL-1.0"
    assert "Verdict on the model: weak" in cited["abstract"]


def test_checksums_name_what_was_changed_and_what_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "inside" / "b.txt").write_text("b")
    assert changed_files(tmp_path) == ["a.txt", "inside/b.txt"]
    write_checksums(tmp_path)
    assert changed_files(tmp_path) == []
    (tmp_path / "a.txt").write_text("other")
    (tmp_path / "c.txt").symlink_to(tmp_path / "nowhere")
    assert changed_files(tmp_path) == ["a.txt", "c.txt"]


def test_a_workbook_holds_no_time_of_its_making(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_workbook([rows()], facts().metadata(), STAMP, tmp_path / f"{name}.xlsx")
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.xlsx") as held:
        assert "2019-12-31T00:00:00Z" in held.read("docProps/core.xml").decode()
