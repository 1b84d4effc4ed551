"""The catalogue: registering, registering again, replacing, refusing."""

import json
import os
import re
import zipfile
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from meddling import MeddledStore
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.manifests import file_sha256
from minemap_assets.lake.store import LocalStore
from minemap_assets.reference.catalogue import (
    CATALOGUE_PATH,
    Catalogue,
    parse_catalogue,
    read_catalogue,
    read_entry,
)
from minemap_assets.reference.registration import register, withdraw

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


def test_borders_that_come_in_the_place_of_others_name_what_they_change(store, tmp_path):
    path = tmp_path / "land.gpkg"

    def registered(**lands: float) -> tuple[str, ...]:
        shapes = [shapely.box(10 * n, 0, 10 * n + side, 1) for n, side in enumerate(lands.values())]
        path.unlink(missing_ok=True)
        gpd.GeoDataFrame({"iso_a3": list(lands), "name": list(lands)}, geometry=shapes, crs=4326).to_file(path)
        return register(store, path, name="country_boundaries", kind="boundaries", licence="CC0").notes

    assert registered(FRA=1.0, DEU=1.0, PER=1.0) == ()
    lacking, new, moved = registered(FRA=1.01, DEU=2.0, BRA=1.0)
    assert lacking.endswith("this one lacks: PER")
    assert new.endswith("lacked: BRA")
    assert moved.endswith("by more than 5%: DEU +100%")
    assert registered(FRA=1.01, DEU=2.0, BRA=1.0) == ()


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
    assert store.size(first.entry.file) == first.entry.bytes, "a version of the catalogue names it"


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
    for name in ("Maus", "2022_maus", "a-b", "-a", "", "a/b"):
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


def squares(path, count):
    """A file of so many polygons."""
    gpd.GeoDataFrame(geometry=[shapely.box(x, 0, x + 0.5, 1) for x in range(count)], crs=4326).to_file(path)
    return path


def test_what_somebody_else_registers_meanwhile_stays(tmp_path, polygons):
    store = MeddledStore(tmp_path / "lake")

    def theirs(name, path=polygons):
        return lambda other: register(other, path, name=name, kind="polygons", licence="CC0")

    store.before_next_write(CATALOGUE_PATH, theirs("theirs"))
    assert register(store, polygons, name="own", kind="polygons", licence="CC0").change == "added"
    store.before_next_write(CATALOGUE_PATH, theirs("more"))
    assert [e.name for e in withdraw(store, "theirs").entries] == ["more", "own"]
    store.before_next_write(CATALOGUE_PATH, theirs("last", squares(tmp_path / "three.gpkg", 3)))
    said = register(store, squares(tmp_path / "two.gpkg", 2), name="last", kind="polygons", licence="CC0")
    assert said.change == "replaced"
    assert "before 3 features" in said.sentence
    assert [e.name for e in read_catalogue(store).entries] == ["last", "more", "own"]


def test_one_who_dies_between_the_file_and_the_catalogue_loses_nothing(tmp_path, polygons):
    store = MeddledStore(tmp_path / "lake")
    kept = register(store, polygons, name="own", kind="polygons", licence="CC0").entry

    def die(_):
        raise KeyboardInterrupt

    store.before_next_write(CATALOGUE_PATH, die)
    with pytest.raises(KeyboardInterrupt):
        register(store, squares(tmp_path / "two.gpkg", 2), name="own", kind="polygons", licence="CC0")
    assert read_catalogue(store).entries == (kept,)
    assert len(read_entry(kept, store)) == 1
    done = register(store, squares(tmp_path / "two.gpkg", 2), name="own", kind="polygons", licence="CC0")
    assert done.change == "replaced"
    assert len(read_entry(done.entry, store)) == 2


def test_every_version_of_the_catalogue_can_be_brought_back_with_its_files(store, tmp_path, monkeypatch):
    for count in (1, 2, 3):
        register(store, squares(tmp_path / "own.gpkg", count), name="own", kind="polygons", licence="CC0")
    for number in (1, 2, 3):
        Inputs(store).restore(CATALOGUE_PATH, number)
        assert len(read_entry(read_catalogue(store).find("own"), store)) == number
    before = {v.number for v in Inputs(store).versions(CATALOGUE_PATH)}
    monkeypatch.setattr("minemap_assets.lake.inputs.KEPT_VERSIONS", 2)
    monkeypatch.setattr("minemap_assets.lake.inputs.KEPT_TIME", timedelta(seconds=-1))
    withdraw(store, "own")
    assert len(before) > 3
    left = [p for p in store.list("inputs/reference/own") if p.endswith(".gpkg")]
    (entry,) = parse_catalogue(
        Inputs(store).bytes_of(CATALOGUE_PATH, Inputs(store).versions(CATALOGUE_PATH)[0]), ""
    ).entries
    assert left == [entry.file], "the file that a version still names"
    assert len(read_entry(entry, store)) == 3


def test_a_catalogue_that_is_gone_is_not_an_empty_one(store, polygons):
    register(store, polygons, name="own", kind="polygons", licence="CC0")
    store.delete(CATALOGUE_PATH)
    for act in (
        lambda: read_catalogue(store),
        lambda: withdraw(store, "own"),
        lambda: register(store, polygons, name="other", kind="polygons", licence="CC0"),
    ):
        with pytest.raises(BadInputError, match=r"catalogue\.json is gone; its last good version is of"):
            act()
    assert store.size(CATALOGUE_PATH) is None


@pytest.mark.parametrize(
    "place", ["../../etc/passwd", "/etc/passwd", "inputs/reference/../../x", "inputs/minemap.toml"]
)
def test_the_catalogue_names_nothing_outside_of_its_folder(store, polygons, place):
    entry = register(store, polygons, name="own", kind="polygons", licence="CC0").entry
    data = Catalogue(entries=(entry.model_copy(update={"file": place}),)).model_dump_json().encode()
    store.write_bytes(CATALOGUE_PATH, data)
    with pytest.raises(
        BadInputError, match=rf"catalogue\.json says that own lies at '{re.escape(place)}', which is not"
    ):
        read_catalogue(store)


@pytest.mark.parametrize("name", ["-own", "../own", "Own", ""])
def test_names_in_the_catalogue(store, polygons, name):
    entry = register(store, polygons, name="own", kind="polygons", licence="CC0").entry
    for entries in ((entry.model_copy(update={"name": name}),), (entry, entry)):
        store.write_bytes(CATALOGUE_PATH, Catalogue(entries=entries).model_dump_json().encode())
        with pytest.raises(BadInputError, match=r"catalogue\.json holds (an entry named|the name own twice)"):
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
