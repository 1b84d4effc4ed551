"""The dataset of the finished small world: what people open is what the tables hold, and says what it is worth."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import geopandas as gpd
import geoparquet_validator
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pystac
import pystac.validation
import pytest
import rasterio
import shapely
from pmtiles.reader import MemorySource, Reader
from shapely.geometry.base import BaseGeometry

from dagster_project.exit_codes import STOPPED
from minemap_assets.graph.existing_inputs import existing_inputs
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.dataset.checksums import changed_files
from minemap_assets.publication.dataset.dataset_tables import plain_tables
from minemap_assets.publication.dataset.flat_values import SEPARATOR
from minemap_assets.publication.dataset.held_out import held_out_tables
from minemap_assets.publication.dataset_assets import DATASET_FILES
from minemap_assets.publication.releases.release_damage import Amount, release_damage
from rewritten import rewrite
from terminal import Terminal, fresh_terminal
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

VERDICT = "cannot be judged: no place with mines was held out"

AUTHORS = b'\n[dataset]\nauthors = [{ family = "Doe", given = "Jane" }]\n'


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        yield opened


def at(terminal: Terminal, chain: Chain) -> None:
    terminal.setenv(MINEMAP_HOME=chain.environment.home, MINEMAP_STATE=str(chain.environment.state))


@pytest.fixture(scope="module")
def made(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The finished project with its dataset; copy it to change it."""
    chain = finished.copied(tmp_path_factory.mktemp("dataset") / "project")
    assert "dataset_files" not in {m.asset for m in chain.manifests()}, "a run that names nothing does not make it"
    assert not chain.run("dataset_files").failures
    return chain


@pytest.fixture(scope="module")
def dataset(made: Chain) -> Path:
    """Its folder in the lake."""
    return made.open("publication", "dataset_files").tree("dataset")


def same_values(ours: "pd.Series[Any]", theirs: "pd.Series[Any]") -> bool:
    """Nulls at the same places, and the same values elsewhere; a list is its joined text."""

    def text(value: Any) -> str:
        return SEPARATOR.join(map(str, value)) if isinstance(value, list | np.ndarray) else str(value)

    left, right = (values.reset_index(drop=True) for values in (ours, theirs))
    if pd.api.types.is_numeric_dtype(left) and not pd.api.types.is_bool_dtype(left):
        return bool(np.allclose(left.astype("float64"), right.astype("float64"), rtol=0, atol=0, equal_nan=True))
    missing = left.isna().tolist() == right.isna().tolist()
    return missing and [text(v) for v in left.dropna()] == [text(v) for v in right.dropna()]


def test_geopackage_and_geoparquet_hold_the_same_rows_and_outlines(dataset: Path) -> None:
    files = sorted(path for path in dataset.glob("*.parquet"))
    assert {path.stem for path in files} == {"polygons", "site_history", "sites", "regions", "validation_points"}
    for path in files:
        plain, packed = gpd.read_parquet(path), pyogrio.read_dataframe(dataset / "minemap.gpkg", layer=path.stem)
        assert len(plain) == len(packed) > 0
        columns = [name for name in plain.columns if name not in ("geometry", "bbox")]
        assert columns == [name for name in packed.columns if name != "geometry"]
        assert all(same_values(plain[name], packed[name]) for name in columns), path.stem
        assert [_parts(one) for one in plain.geometry] == [_parts(one) for one in packed.geometry]
    rows = gpd.read_parquet(dataset / "polygons.parquet")
    for year in YEARS:
        of_year = pyogrio.read_dataframe(dataset / "minemap.gpkg", layer=f"polygons_{year}")
        assert sorted(of_year["polygon_id"]) == sorted(rows.loc[rows["year"] == year, "polygon_id"])


def _parts(geometry: BaseGeometry) -> list[bytes]:
    """The parts of a geometry: layers of a GeoPackage have outlines of several parts only."""
    return [part.wkb for part in shapely.get_parts(geometry)]


def test_the_files_hold_what_the_tables_hold_and_nulls_stay_nulls(made: Chain, dataset: Path) -> None:
    book = openpyxl.load_workbook(dataset / "minemap.xlsx")
    for name in ("site_panel", "country_summary", "region_summary", "imagery_clarity"):
        table = pd.concat([made.table(name, year) for year in YEARS], ignore_index=True)
        written = pd.read_csv(dataset / "tables" / f"{name}.csv")
        header, *cells = list(book[name].iter_rows(values_only=True))
        sheet = pd.DataFrame(cells, columns=list(header))
        assert list(written.columns) == list(table.columns) == list(sheet.columns)
        for column in table.select_dtypes("number"):
            assert np.array_equal(written[column], table[column].astype("float64"), equal_nan=True), column
            assert np.allclose(sheet[column].astype("float64"), table[column].astype("float64"), equal_nan=True), column
    panel = dataset / "tables/site_panel.csv"
    (total,) = duckdb.sql(f"select sum(area_km2) from '{panel}'").fetchall()[0:1]
    assert total[0] == pytest.approx(sum(made.table("site_panel", year)["area_km2"].sum() for year in YEARS))
    (rows,) = duckdb.sql(f"select count(*) from '{dataset / 'polygons.parquet'}'").fetchall()
    assert rows[0] == sum(len(made.frame("tables", "polygons", str(y), file="polygons.parquet")) for y in YEARS)


def test_csv_read_back_as_the_dictionary_says_is_the_table(made: Chain, dataset: Path) -> None:
    project = made.project
    context = existing_inputs(project, Graph(made.registry.rooms, project), DATASET_FILES.ref())
    told = (dataset / "data_dictionary.md").read_text(encoding="utf-8")
    assert "read_csv(FILE, allow_quoted_nulls = false)" in told
    empty_texts = 0
    for table in plain_tables(context):
        path = dataset / "tables" / f"{table.name}.csv"
        read = duckdb.sql(f"select * from read_csv('{path}', allow_quoted_nulls = false)").df()
        assert list(read.columns) == list(table.frame.columns)
        for name in read.columns:
            assert same_values(table.frame[name], read[name]), (table.name, name)
            empty_texts += int((table.frame[name] == "").sum())
    assert empty_texts, "some table has an empty text, which is no null"


def test_every_file_says_what_the_model_is_worth(dataset: Path) -> None:
    for path in dataset.rglob("*"):
        if path.is_dir() or path.name in ("checksums.sha256", "data_dictionary.csv"):
            continue
        match path.suffix:
            case ".parquet":
                told = (pq.read_schema(path).metadata or {})[b"verdict_on_the_model"].decode()
            case ".gpkg":
                told = str(pyogrio.read_info(path, layer="polygons_2019")["layer_metadata"])
                told = told if VERDICT in told else str(pyogrio.read_info(path, layer="sites")["dataset_metadata"])
            case ".xlsx":
                told = openpyxl.load_workbook(path).properties.description
            case ".pmtiles":
                told = Reader(MemorySource(path.read_bytes())).metadata()["verdict"]
            case ".csv":
                told = path.with_name(f"{path.name}-metadata.json").read_text(encoding="utf-8")
            case _:
                told = path.read_text(encoding="utf-8")
        assert VERDICT in told or VERDICT.replace(": no", ".** No") in told, path
    first = (dataset / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("**Verdict on the model: cannot be judged.**")


def test_the_dictionary_tells_of_every_column_of_every_file(dataset: Path) -> None:
    told = pd.read_csv(dataset / "data_dictionary.csv", keep_default_na=False)
    assert (told["meaning"] != "").all()
    assert (told["type"] != "").all()
    known = {(row.table, row.column) for row in told.itertuples()}
    for path in dataset.glob("*.parquet"):
        assert {(path.stem, name) for name in pq.read_schema(path).names if name != "bbox"} <= known, path
    for path in (dataset / "tables").glob("*.csv"):
        assert {(path.stem, name) for name in pd.read_csv(path, nrows=0).columns} <= known, path


def test_validators_of_geoparquet_and_stac_find_nothing(dataset: Path) -> None:
    for path in sorted(dataset.glob("*.parquet")):
        report = geoparquet_validator.check(str(path))
        assert geoparquet_validator.failed(report) == [], path
        assert [one["status"] for one in report["outcomes"]].count("pass") > 10
    collection = pystac.Collection.from_file(str(dataset / "stac/collection.json"))
    listed = {Path(str(asset.get_absolute_href())).resolve() for asset in collection.assets.values()}
    data, folders = {".gpkg", ".parquet", ".pmtiles", ".xlsx", ".csv"}, (dataset, dataset / "tables")
    held = {path.resolve() for folder in folders for path in folder.glob("*") if path.suffix in data}
    assert listed == held
    items = list(collection.get_items(recursive=True))
    kinds = [item.id.split("-")[0] for item in items]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"polygons": 3, "imagery": 12, "masks": 12}
    for path in sorted((dataset / "stac").rglob("*.json")):
        # schemas of extensions are not packaged with pystac; what they ask for is looked at below
        pystac.validation.validate_dict(json.loads(path.read_text(encoding="utf-8")), extensions=[])
    for item in items:
        assert item.properties["minemap:verdict_on_the_model"].startswith(VERDICT)
        for asset in item.assets.values():
            assert Path(str(asset.get_absolute_href())).is_file()
        if "minemap:pixels" in item.properties:
            assert not item.assets
            assert "minemap export --with-" in item.properties["minemap:pixels"]


def test_the_same_results_give_the_same_files(made: Chain, tmp_path: Path) -> None:
    chain = made.copied(tmp_path / "again")
    before = chain.open("publication", "dataset_files").manifest
    ref = PartitionRef("publication", "dataset_files")
    assert not chain.run("dataset_files", forced=frozenset({ref})).failures
    after = chain.open("publication", "dataset_files").manifest
    assert before.content == after.content


def test_rasters_are_described_as_they_are_and_an_earlier_export_is_replaced(
    made: Chain, tmp_path: Path, terminal: Terminal
) -> None:
    at(terminal, made)
    out = tmp_path / "out"
    first = terminal("export", "--to", str(out))
    assert (first.code, VERDICT in first.out) == (0, True), first.err
    assert "no input's terms stand against it" in first.out
    assert not (out / "imagery").exists()
    (out / "notes.txt").write_text("mine")
    assert "holds what no export wrote" in terminal("export", "--to", str(out)).sentence
    (out / "notes.txt").unlink()

    more = terminal("export", "--to", str(out), "--with-imagery", "--with-masks", "--formats", "parquet")
    assert more.code == 0, more.err
    assert changed_files(out) == []
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "checksums.sha256"], cwd=out, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert not list(out.glob("*.gpkg"))
    assert not (out / "tables").exists()
    assert "minemap.gpkg" not in (out / "README.md").read_text(encoding="utf-8")
    items = list(pystac.Collection.from_file(str(out / "stac/collection.json")).get_items(recursive=True))
    rasters = [item for item in items if "pixels" in item.assets]
    assert len(rasters) == 24
    for item in rasters:
        pystac.validation.validate_dict(item.to_dict(), extensions=[])
        asset, told = item.assets["pixels"], item.properties
        with rasterio.open(str(asset.get_absolute_href())) as raster:
            assert list(raster.shape) == told["proj:shape"]
            assert list(raster.transform)[:6] == told["proj:transform"]
            assert list(raster.bounds) == told["proj:bbox"]
            assert str(raster.crs) == told["proj:code"]
            bands = asset.extra_fields["bands"]
            assert [band["name"] for band in bands] == list(raster.descriptions)
            assert {band["data_type"] for band in bands} == set(raster.dtypes)
            assert raster.tags()["verdict_on_the_model"].startswith(VERDICT)
    assert not list(tmp_path.glob(".out-*")), "nothing is left beside"


def test_restricted_pixels_stay_out_without_the_override(made: Chain, tmp_path: Path, terminal: Terminal) -> None:
    chain = made.copied(tmp_path / "project")
    terms = {"redistributable": False, "terms": "only for us"}
    rewrite(chain, PartitionRef("imagery", "imagery", ("alder-basin", "2018")), lambda index: index.assign(**terms))
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + AUTHORS)
    at(terminal, chain)
    out = tmp_path / "out"
    refused = terminal("export", "--to", str(out), "--with-imagery")
    assert refused.code == 2
    assert "2 composites may not be passed on" in refused.sentence
    assert not out.exists()

    plain = terminal("export", "--to", str(out))
    assert "the pixels of planet-nicfi from simulated may not be passed on (only for us)" in plain.out
    assert 'family-names: "Doe"' in (out / "CITATION.cff").read_text(encoding="utf-8")
    held = json.loads(next((out / "stac/2018").glob("imagery-alder-basin-*.json")).read_text(encoding="utf-8"))
    assert "do not allow passing them on (only for us)" in held["properties"]["minemap:pixels"]

    forced = terminal("export", "--to", str(out), "--with-imagery", "--include-restricted", "--json")
    assert forced.code == 0, forced.err
    assert json.loads(forced.out)["conflicts"]
    rasters = sorted((out / "imagery/alder-basin/2018").glob("*.tif"))
    assert len(rasters) == 2
    for path in rasters:
        beside = path.with_name(f"{path.name}.aux.xml").read_text(encoding="utf-8")
        assert "no: this copy is for whoever has the right to it" in beside
    held = json.loads(next((out / "stac/2018").glob("imagery-alder-basin-*.json")).read_text(encoding="utf-8"))
    assert "do not allow passing them on" in held["properties"]["minemap:pixels"]
    assert "must not be published" in (out / "ATTRIBUTION.md").read_text(encoding="utf-8")


def test_figures_that_wait_are_not_exported_and_bad_input_is_one_sentence(
    made: Chain, tmp_path: Path, terminal: Terminal
) -> None:
    chain = made.copied(tmp_path / "project")
    at(terminal, chain)
    assert "--formats: 'shp' is not written" in terminal("export", "--formats", "shp").sentence
    assert "lies in the lake" in terminal("export", "--to", f"{chain.environment.home}/out").sentence
    (tmp_path / "file").write_text("")
    assert "is a file" in terminal("export", "--to", str(tmp_path / "file")).sentence
    narrow = b'\n[release]\ngate = "on"\ncountry_change = 0.0001\ncountry_change_km2 = 0.0\n'
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + narrow)
    waits = terminal("export", "--to", str(tmp_path / "out"))
    assert waits.code == STOPPED
    assert "figures wait for a person, so nothing was exported" in waits.err
    assert not (tmp_path / "out").exists()
    terminal.setenv(MINEMAP_HOME=str(tmp_path / "empty/lake"), MINEMAP_STATE=str(tmp_path / "empty/state"))
    assert "holds no tables of any year yet; `minemap run` makes them" in terminal("export").sentence


def test_the_test_set_is_the_ground_that_no_model_was_trained_on(made: Chain, tmp_path: Path) -> None:
    chain = made.copied(tmp_path / "project")
    held = chain.frame("sites", "sites", "alder-basin", file="sites.parquet")["site_id"].iloc[0]

    def held_out(index: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return index.assign(split=index["split"].where(index["site_id"] != held, "test"))

    for product in ("planet-nicfi", "sentinel-2-l2a"):
        rewrite(chain, PartitionRef("chips", "training_chips", (product, "alder-basin")), held_out)
    project = chain.project
    context = existing_inputs(project, Graph(chain.registry.rooms, project), DATASET_FILES.ref())
    sites, outlines = held_out_tables(context)
    assert list(sites.frame["site_id"]) == [held]
    assert list(sites.frame["products"]) == [["planet-nicfi", "sentinel-2-l2a"]]
    assert list(sites.frame["split"]) == ["test"]
    assert set(outlines.frame["site_id"]) == {held}
    assert outlines.own_terms == "simulated_precise: CC0-1.0 (simulated)"
    window = sites.frame.geometry.iloc[0]
    assert outlines.frame.geometry.intersects(window).all()


def test_a_lake_in_an_object_store_gives_the_same_files(
    finished: Chain, made: Chain, dataset: Path, bucket: str, tmp_path: Path, terminal: Terminal
) -> None:
    chain = Chain(tmp_path, home=f"{bucket}/project")
    store, here = chain.project.lake.store, finished.folder / "lake"
    for path in sorted(path for path in here.rglob("*") if path.is_file() and ".staging" not in path.parts):
        store.write_bytes(path.relative_to(here).as_posix(), path.read_bytes())
    at(terminal, chain)
    out = tmp_path / "out"
    exported = terminal("export", "--to", str(out))
    assert exported.code == 0, exported.err
    assert (out / "checksums.sha256").read_bytes() == (dataset / "checksums.sha256").read_bytes()
    assert changed_files(out) == []
    masks = terminal("export", "--to", str(out), "--with-masks")
    assert masks.code == 0, masks.err
    assert len(list((out / "masks").rglob("*.tif"))) == 12
    assert terminal("map", "--to", str(tmp_path / "map")).code == 0
    _releases_in_an_object_store(chain, terminal)
    at(terminal, made.copied(tmp_path / "local"))
    assert terminal("map", "--to", str(tmp_path / "local-map")).code == 0
    there, local = (folder_bytes(tmp_path / name) for name in ("map", "local-map"))
    assert len(there) > 40
    assert there == local


def _releases_in_an_object_store(chain: Chain, terminal: Terminal) -> None:
    for name in ("2026.1", "2026.2"):
        frozen = terminal("release", "freeze", "--reason", "the yearly update", "--name", name)
        assert frozen.code == 0, frozen.err
    listed = json.loads(terminal("release", "list", "--json").out)
    assert [(one["number"], one["name"]) for one in listed] == [(1, "2026.1"), (2, "2026.2")]
    assert "No ground changed." in terminal("release", "compare", "2026.1", "2026.2").out
    store = chain.project.lake.store
    path = f"releases/1/tables/polygons/{YEARS[0]}/polygons.parquet"
    assert store.size(path) == next(one["bytes"] for one in listed[0]["files"] if path.endswith(one["path"]))
    store.write_bytes(path, b"other bytes")
    assert [damaged for damaged, _ in release_damage(store, Amount())] == [path]
    assert "is not as it was frozen; restore it from a backup" in terminal("release", "compare", "1").sentence


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
