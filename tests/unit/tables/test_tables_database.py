"""The DuckDB file: typed, described, readable, and swapped under readers that keep reading."""

import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import shapely

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.polygons.schemas import empty_table, write_table
from minemap_assets.tables.assets import DATABASE, database_path
from minemap_assets.tables.database import VIEWS, build_database, is_database
from minemap_assets.tables.schemas import COUNTRY_SUMMARY, POLYGONS, TABLES
from projects import is_current, make, project_at


def country_rows(year: int, area: float | None) -> pd.DataFrame:
    rows = [("XWA", "West", area), ("", "unassigned", 1.0)]
    return pd.DataFrame(
        {
            "iso3": [r[0] for r in rows],
            "name": [r[1] for r in rows],
            "continent": "",
            "year": year,
            "polygons": [3, 1],
            "area_km2": [r[2] for r in rows],
            "mean_polygon_km2": None,
            "sites_expected": 2,
            "sites_observed": 1,
            "covered_share": 0.5,
            "status": "final" if year < 2024 else "provisional",
            "model_verdict": "usable" if year > 2022 else "weak",
        }
    )


def polygon_rows(year: int) -> pd.DataFrame:
    row = dict.fromkeys(POLYGONS.names, "x")
    row |= {"polygon_id": f"p{year}", "year": year, "area_km2": 2.0, "mean_probability": 0.5, "clear_fraction": 0.5}
    row |= {"site_ids": ["m1", "m2"], "sources": [], "acquisitions": [], "geometry": shapely.box(1, 2, 3, 4)}
    return pd.DataFrame([row])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[Path]]:
    made: dict[str, list[Path]] = {"country_summary": [], "polygons": []}
    for year, area in ((2022, None), (2023, 10.0), (2024, 12.5)):
        path = tmp_path / f"country-{year}.parquet"
        write_table(country_rows(year, area), COUNTRY_SUMMARY, path)
        made["country_summary"].append(path)
        path = tmp_path / f"it's-{year}.parquet"
        write_table(polygon_rows(year) if year != 2023 else empty_table(POLYGONS), POLYGONS, path)
        made["polygons"].append(path)
    return made


def ask(path: Path, sql: str):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_contents(files, tmp_path: Path) -> None:
    target = tmp_path / "state" / "minemap.duckdb"
    counts = build_database(files, target, {"minemap": "0.1.0", "tables": {"polygons": "abc"}})
    assert counts == {**dict.fromkeys(TABLES, 0), "country_summary": 6, "polygons": 2}
    assert ask(target, "SELECT polygon_id, site_ids, year FROM polygons") == [
        ("p2022", ["m1", "m2"], 2022),
        ("p2024", ["m1", "m2"], 2024),
    ]
    assert ask(target, "SELECT ST_AsText(geometry) FROM polygons LIMIT 1")[0][0].startswith("POLYGON ((")
    wkb = ask(target, "SELECT ST_AsWKB(geometry) FROM polygons LIMIT 1")[0][0]
    assert shapely.from_wkb(bytes(wkb)).equals(shapely.box(1, 2, 3, 4))
    assert ask(target, "SELECT iso3, area_km2 FROM latest_country_summary") == [("XWA", 12.5), ("", 1.0)]
    assert ask(target, "SELECT year, area_km2, final FROM yearly_totals") == [
        (2022, 1.0, True),
        (2023, 11.0, True),
        (2024, 13.5, False),
    ]
    assert ask(target, "SELECT year, change_km2 FROM country_change WHERE iso3 = 'XWA'") == [
        (2022, None),
        (2023, None),
        (2024, 2.5),
    ]
    assert ask(target, "SELECT * FROM minemap_info") == [("minemap", "0.1.0"), ("tables", '{"polygons": "abc"}')]


def test_the_views_carry_the_verdict_on_the_model(files, tmp_path: Path) -> None:
    target = tmp_path / "minemap.duckdb"
    build_database(files, target)
    assert ask(target, "SELECT DISTINCT model_verdict FROM latest_country_summary") == [("usable",)]
    marks = [("weak",), ("usable",), ("usable",)]
    assert ask(target, "SELECT model_verdict FROM yearly_totals ORDER BY year") == marks
    assert ask(target, "SELECT model_verdict FROM country_change WHERE iso3 = 'XWA' ORDER BY year") == marks


@pytest.mark.parametrize("kept", [0, 2])
def test_tables_of_an_earlier_minemap_have_no_verdict(files, tmp_path: Path, kept: int) -> None:
    for path in files["country_summary"][kept:]:
        pd.read_parquet(path).drop(columns="model_verdict").to_parquet(path)
    target = tmp_path / "minemap.duckdb"
    build_database(files, target)
    marks = ask(target, "SELECT model_verdict FROM yearly_totals ORDER BY year")
    assert marks == [("weak",), ("usable",), (None,)] if kept else [(None,)] * 3


def test_every_table_and_column_says_what_it_is(tmp_path: Path) -> None:
    target = tmp_path / "minemap.duckdb"
    assert set(build_database({}, target).values()) == {0}
    described = ask(target, "SELECT table_name, column_name, data_type, comment FROM duckdb_columns()")
    ours = {(t, c): (kind, comment) for t, c, kind, comment in described if t in TABLES}
    assert set(ours) == {(name, column) for name, spec in TABLES.items() for column in spec.names}
    assert all(comment for _, comment in ours.values())
    assert ours["polygons", "site_ids"][0] == "VARCHAR[]"
    assert ours["polygons", "geometry"][0] == "GEOMETRY"
    for view in VIEWS:
        assert ask(target, f"SELECT * FROM {view.name}") == []


def test_readers_are_never_locked_out(files, tmp_path: Path) -> None:
    target = tmp_path / "minemap.duckdb"
    build_database(files, target)
    with duckdb.connect(str(target), read_only=True) as reader:
        before = reader.execute("SELECT count(*) FROM country_summary").fetchone()
        build_database({"country_summary": files["country_summary"][:1]}, target)
        assert reader.execute("SELECT count(*) FROM country_summary").fetchone() == before == (6,)
    assert ask(target, "SELECT count(*) FROM country_summary") == [(2,)]
    assert sorted(p.name for p in tmp_path.iterdir() if "duckdb" in p.name) == ["minemap.duckdb"]


def test_a_failed_build_leaves_the_old_file(files, tmp_path: Path) -> None:
    target = tmp_path / "minemap.duckdb"
    build_database(files, target)
    wrong = tmp_path / "wrong.parquet"
    pd.DataFrame({"iso3": ["XWA"]}).to_parquet(wrong)
    with pytest.raises(PermanentError, match="database could not be built"):
        build_database({"country_summary": [wrong]}, target)
    with pytest.raises(BadInputError, match="unknown table 'nonsense'"):
        build_database({"nonsense": []}, target)
    assert ask(target, "SELECT count(*) FROM country_summary") == [(6,)]
    assert sorted(p.name for p in tmp_path.iterdir() if "duckdb" in p.name) == ["minemap.duckdb"]


def test_lineage_names_upstream_columns() -> None:
    """Every column that is neither the partition's own key nor what people decided says where it comes from."""
    own = {"year", "region", "model_verdict"}
    for spec in TABLES.values():
        for column in spec.columns:
            assert column.lineage or column.name in own, f"{spec.name}.{column.name}"


@pytest.fixture
def built(files, tmp_path: Path) -> Path:
    target = tmp_path / "state" / "minemap.duckdb"
    build_database(files, target)
    return target


DAMAGE = {
    "gone": lambda _: None,
    "nothing": lambda _: b"",
    "text": lambda _: b"hello\n" * 1000,
    "random": lambda _: random.Random(0).randbytes(100_000),
    "magic and no more": lambda data: data[:12],
    "magic and random": lambda data: data[:12] + random.Random(0).randbytes(100_000),
    "half of it": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_no_database_is_told_from_one_and_made_again(files, built: Path, damage: str) -> None:
    assert is_database(built)
    garbage = DAMAGE[damage](built.read_bytes())
    built.unlink()
    if garbage is not None:
        built.write_bytes(garbage)
    assert not is_database(built)
    build_database(files, built)
    assert is_database(built)
    assert ask(built, "SELECT count(*) FROM country_summary") == [(6,)]


def test_a_database_of_somebody_else_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "minemap.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE a (b INTEGER)")
    assert not is_database(path)


def test_a_folder_in_its_place_is_moved_aside(files, tmp_path: Path) -> None:
    target = tmp_path / "state" / "minemap.duckdb"
    (target / "kept").mkdir(parents=True)
    assert not is_database(target)
    build_database(files, target)
    assert is_database(target)
    assert (tmp_path / "state" / "minemap.duckdb.aside-1" / "kept").is_dir()


def test_a_database_that_somebody_writes_in_is_left_alone(built: Path) -> None:
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(built)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "open\n"
        assert is_database(built)
        writer.stdin.close()


def test_looking_is_cheap(built: Path) -> None:
    is_database(built)
    start = time.perf_counter()
    for _ in range(1000):
        assert is_database(built)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_next_run_makes_it_again(tmp_path: Path, damage: str) -> None:
    project = project_at(tmp_path / "lake", tmp_path / "state")
    assert make(project, DATABASE).now
    path = database_path(project)
    assert is_current(project, DATABASE)
    garbage = DAMAGE[damage](path.read_bytes())
    path.unlink()
    if garbage is not None:
        path.write_bytes(garbage)
    assert not is_current(project, DATABASE)
    assert make(project, DATABASE).now
    assert is_current(project, DATABASE)
    assert not make(project, DATABASE).now
