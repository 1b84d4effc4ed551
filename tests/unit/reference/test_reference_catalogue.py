"""The catalogue: registering, registering again, replacing, refusing."""

import json
import os
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import LocalStore
from minemap_assets.reference.catalogue import (
    CATALOGUE_PATH,
    Catalogue,
    read_catalogue,
    read_entry,
    register,
    withdraw,
)

BOX = shapely.box(10, 0, 10.1, 0.1)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "lake")


@pytest.fixture
def polygons(tmp_path):
    path = tmp_path / "mines.gpkg"
    gpd.GeoDataFrame({"key": [1]}, geometry=[BOX], crs=4326).to_file(path)
    return path


def test_nothing_registered(store):
    assert read_catalogue(store) == Catalogue()


def test_register_keeps_the_bytes(store, polygons):
    done = register(store, polygons, name="own", kind="polygons", licence="CC BY 4.0", columns={"id": "key"})
    assert done.change == "added"
    assert store.fetch(done.entry.file).read_bytes() == polygons.read_bytes()
    assert done.entry.file.startswith("inputs/reference/own/")
    assert (done.entry.sha256, done.entry.features, done.entry.role) == (file_sha256(polygons), 1, "labels")
    assert read_catalogue(store).entries == (done.entry,)
    assert read_entry(done.entry, store)["key"].tolist() == [1]
    assert polygons.exists()


def test_same_again_is_a_no_op_and_a_changed_file_says_so(store, polygons):
    first = register(store, polygons, name="own", kind="polygons", licence="unknown")
    before = store.read_bytes(CATALOGUE_PATH)
    again = register(store, polygons, name="own", kind="polygons", licence="unknown")
    assert (again.change, again.entry) == ("unchanged", first.entry)
    assert store.read_bytes(CATALOGUE_PATH) == before
    described = register(store, polygons, name="own", kind="polygons", licence="CC0", role="outlines")
    assert described.change == "described"
    assert "role, licence" in described.sentence
    gpd.GeoDataFrame(geometry=[BOX, shapely.box(0, 0, 1, 1)], crs=4326).to_file(polygons)
    replaced = register(store, polygons, name="own", kind="polygons", licence="CC0")
    assert replaced.change == "replaced"
    assert "2 features" in replaced.sentence
    assert "before 1 features" in replaced.sentence
    assert read_catalogue(store).find("own") == replaced.entry
    assert store.size(first.entry.file) is None


def test_a_shapefile_is_kept_whole(store, tmp_path):
    folder = tmp_path / "shape"
    folder.mkdir()
    gpd.GeoDataFrame({"key": ["é"]}, geometry=[BOX], crs=4326).to_file(folder / "mines.shp", encoding="utf-8")
    (folder / "mines_of_others.dbf").write_bytes(b"not ours")
    done = register(store, folder / "mines.shp", name="own", kind="polygons", licence="CC0")
    kept = store.fetch(done.entry.file)
    with zipfile.ZipFile(kept) as archive:
        assert {"mines.shp", "mines.shx", "mines.dbf", "mines.prj"} <= set(archive.namelist())
        assert "mines_of_others.dbf" not in archive.namelist()
        assert archive.read("mines.shp") == (folder / "mines.shp").read_bytes()
    assert read_entry(done.entry, store)["key"].tolist() == ["é"]
    for part in folder.iterdir():
        os.utime(part, (0, 0))
    assert register(store, folder / "mines.shp", name="own", kind="polygons", licence="CC0").change == "unchanged"


def test_a_zip_with_a_folder_inside(store, tmp_path, polygons):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(polygons, "some folder/mines.gpkg")
        archive.writestr("readme.txt", "hello")
    done = register(store, path, name="own", kind="polygons", licence="CC0")
    assert read_entry(done.entry, store).geometry.iloc[0].equals(BOX)


def test_names(store, polygons):
    for name in ("Maus", "2022_maus", "a-b", "", "a/b"):
        with pytest.raises(BadInputError, match="cannot name a reference file"):
            register(store, polygons, name=name, kind="polygons", licence="CC0")
    for name in ("sites", "country_boundaries"):
        with pytest.raises(BadInputError, match="name of another asset"):
            register(store, polygons, name=name, kind="polygons", licence="CC0", reserved={"sites"})
    with pytest.raises(BadInputError, match="always registered as country_boundaries"):
        register(store, polygons, name="natural_earth", kind="boundaries", licence="CC0")


def test_what_is_refused(store, tmp_path, polygons):
    def refused(message, path=polygons, **more):
        arguments = {"name": "own", "kind": "polygons", "licence": "CC0", **more}
        with pytest.raises(BadInputError, match=message):
            register(store, path, **arguments)

    refused("has no licence", licence=" ")
    refused("does not exist", path=tmp_path / "none.gpkg")
    refused("has no column nr; it has key", columns={"id": "nr"})
    refused("have no column iso3; the ones that can be set are id, group", columns={"iso3": "key"})
    refused("holds no point", name="validation_points", kind="points")
    refused("has no role", name="country_boundaries", kind="boundaries", role="labels")
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(polygons.read_bytes()[:5000])
    refused("cannot be read as a vector file", path=cut)
    empty = tmp_path / "empty.gpkg"
    gpd.GeoDataFrame({"a": []}, geometry=[], crs=4326).to_file(empty)
    refused("holds no features", path=empty)
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    refused("no longitude and latitude columns", path=table)
    (tmp_path / "bad.zip").write_bytes(b"PK no")
    refused("not a whole zip", path=tmp_path / "bad.zip")
    assert read_catalogue(store) == Catalogue()
    assert not list(Path(store.root).glob("inputs/**/*"))


def test_a_file_that_changed_in_the_lake(store, polygons):
    entry = register(store, polygons, name="own", kind="polygons", licence="CC0").entry
    store.fetch(entry.file).write_bytes(b"else")
    with pytest.raises(BadInputError, match="is not the file that was registered"):
        read_entry(entry, store)
    register(store, polygons, name="own", kind="polygons", licence="CC0")
    assert len(read_entry(entry, store)) == 1
    store.delete(entry.file)
    with pytest.raises(BadInputError, match="is gone; register own again"):
        read_entry(entry, store)


def test_withdraw_and_damage(store, polygons):
    for name in ("b_set", "a_set"):
        register(store, polygons, name=name, kind="polygons", licence="CC0")
    assert [e.name for e in read_catalogue(store).entries] == ["a_set", "b_set"]
    assert [e.name for e in withdraw(store, "a_set").entries] == ["b_set"]
    with pytest.raises(BadInputError, match="registered are b_set"):
        withdraw(store, "a_set")
    store.write_bytes(CATALOGUE_PATH, json.dumps({"entries": [{"name": 1}]}).encode())
    with pytest.raises(BadInputError, match=r"catalogue\.json cannot be read"):
        read_catalogue(store)


def test_topojson_needs_a_crs(store):
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        pytest.skip("MINEMAP_TEST_DATA is not set")
    path = Path(folder) / "natural-earth" / "countries-50m.json"
    with pytest.raises(BadInputError, match="does not say which CRS"):
        register(store, path, name="country_boundaries", kind="boundaries", licence="public domain")
    done = register(store, path, name="country_boundaries", kind="boundaries", licence="public domain", crs="EPSG:4326")
    assert done.entry.features == 239
