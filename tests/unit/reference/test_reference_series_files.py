"""Series: files with a year column or one a year, in any CRS, and one sentence for each that cannot be worked with."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from minemap_assets.errors import BadInputError
from minemap_assets.lake.store import LocalStore
from minemap_assets.reference.catalogue import entry_damage, read_catalogue
from minemap_assets.reference.registration import Registration, register, withdraw
from minemap_assets.reference.series_files import SeriesColumns, register_series, series_years

BOX = box(10, 0, 10.1, 0.1)
FAR = box(20, 0, 20.1, 0.1)
BOW = Polygon([(10, 0), (11, 1), (11, 0), (10, 1)])


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lake")


def written(path: Path, shapes: list[Any], crs: Any = 4326, **columns: Any) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    return path


def registered(store: LocalStore, *files: Path, rules: Any = None, **columns: Any) -> Registration:
    return register_series(store, files, name="old", licence="CC0", columns=SeriesColumns(**columns), rules=rules or {})


@pytest.mark.parametrize("name", ["paper.gpkg", "paper.parquet", "paper.geojson", "paper.shp"])
def test_a_year_column_is_read_one_year_at_a_time(store: LocalStore, tmp_path: Path, name: str) -> None:
    file = written(tmp_path / name, [BOX, FAR, BOX], uid=["a", "b", "c"], Year=[2018, 2019, 2019])
    done = registered(store, file)
    assert (done.change, done.entry.features, done.entry.series.years) == ("added", 3, (2018, 2019))
    years = series_years(read_catalogue(store).entries[0], store)
    assert {year: sorted(read()["source_id"]) for year, read in years.items()} == {2018: ["a"], 2019: ["b", "c"]}
    assert registered(store, file).change == "unchanged"


def test_a_file_a_year_in_another_crs_and_years_as_text(store: LocalStore, tmp_path: Path) -> None:
    local = gpd.GeoSeries([BOX], crs=4326).to_crs(32632)[0]
    first = written(tmp_path / "mines_2018.gpkg", [local], crs=32632)
    second = written(tmp_path / "mines-2019-v2.gpkg", [FAR, BOX])
    done = registered(store, first, second)
    assert len(done.entry.series.files) == 2
    years = series_years(done.entry, store)
    assert shapely.equals_exact(years[2018]().geometry[0], BOX, tolerance=1e-6, normalize=True)
    assert years[2019]()["source_id"].tolist() == ["row-1", "row-2"]
    text = written(tmp_path / "text.gpkg", [BOX, FAR, BOX], when=["2018", " 2018", "2020"])
    named = registered(store, text, year_column="when")
    assert named.change == "replaced"
    assert any("no polygon is of 2019: taken for not mapped" in note for note in named.notes)
    assert len(series_years(named.entry, store)[2018]()) == 2
    one = registered(store, second, year=2021)
    assert one.entry.series.years == (2021,)


def test_geometries_are_repaired_and_what_has_no_area_is_said(store: LocalStore, tmp_path: Path) -> None:
    line = shapely.LineString([(0, 0), (1, 1)])
    many = MultiPolygon([BOX, FAR])
    file = written(tmp_path / "all.gpkg", [BOW, line, many, None], year=[2019] * 4, id=[1, 2, 3, 4])
    done = registered(store, file)
    assert done.notes == ("all.gpkg: features without an area, left out: 2 of 4",)
    frame = series_years(done.entry, store)[2019]()
    assert frame["source_id"].tolist() == ["1", "3"]
    assert frame.geometry.is_valid.all()
    assert shapely.area(frame.geometry.array).sum() == pytest.approx(0.5 + 0.02)


def test_what_cannot_be_a_series_is_one_sentence(store: LocalStore, tmp_path: Path) -> None:
    bare = tmp_path / "bare.parquet"
    gpd.GeoDataFrame({"year": [2019]}, geometry=[BOX]).to_parquet(bare)
    empty = tmp_path / "empty_2019.geojson"
    empty.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    good = written(tmp_path / "good.gpkg", [BOX], year=[2019])
    flat = written(tmp_path / "flat.gpkg", [BOX, shapely.Point(0, 0)], year=[2018, 2019])
    cases: list[tuple[str, list[Path], dict[str, Any]]] = [
        ("does not say which CRS its coordinates are in; say it with --crs", [bare], {}),
        ("empty_2019.geojson holds no features; give a file with at least one", [empty], {}),
        ("flat.gpkg: none of the 1 features of 2019 has an area", [flat], {}),
        ("none.gpkg does not say of which year its polygons are", [written(tmp_path / "none.gpkg", [BOX])], {}),
        ("good.gpkg has no column when; it has year", [good], {"year_column": "when"}),
        ("good.gpkg has no column key; it has year", [good], {"id_column": "key"}),
        ("of 1901, a year of which there can be none", [good], {"year": 1901}),
        ("of 2999, a year of which", [written(tmp_path / "late.gpkg", [BOX], year=[2999])], {}),
        ("has 2019.5 in the column year, which is no year", [written(tmp_path / "h.gpkg", [BOX], year=[2019.5])], {}),
        ("has 'soon' in the column year", [written(tmp_path / "s.gpkg", [BOX], year=["soon"])], {}),
        ("1 of 2 features without a year", [written(tmp_path / "n.gpkg", [BOX, FAR], year=[2019, None])], {}),
        ("old is given the same file twice", [good, good], {}),
        ("has the year in no column, and", [good, written(tmp_path / "y_2018.gpkg", [BOX])], {}),
    ]
    for said, files, columns in cases:
        with pytest.raises(BadInputError, match=said) as error:
            registered(store, *files, **columns)
        assert "\n" not in str(error.value)
    assert not read_catalogue(store).entries
    with pytest.raises(BadInputError, match="old has no licence"):
        register_series(store, [good], name="old", licence=" ", columns=SeriesColumns(), rules={})


def test_the_catalogue_knows_all_its_files(store: LocalStore, tmp_path: Path) -> None:
    files = [written(tmp_path / f"m_{year}.gpkg", [BOX]) for year in (2018, 2019)]
    entry = registered(store, *files, rules={"rule": "none"}).entry
    assert entry.series.rule == "none"
    assert len(entry.files) == 2
    assert entry_damage(entry, store) is None
    (tmp_path / "lake" / entry.series.files[1].file).write_bytes(b"other")
    with pytest.raises(BadInputError, match="is not the file that was registered"):
        series_years(entry, store)
    other = written(tmp_path / "set.gpkg", [BOX])
    register(store, other, name="own", kind="polygons", licence="CC0")
    plain = json.loads(store.read_bytes("inputs/reference/catalogue.json"))["entries"]
    assert ["series" in one for one in plain] == [True, False], "what is no series is written as it always was"
    with pytest.raises(BadInputError, match="own is registered as polygons, not series"):
        register_series(store, [other], name="own", licence="CC0", columns=SeriesColumns(year=2019), rules={})
    assert [one.name for one in withdraw(store, "old").entries] == ["own"]
