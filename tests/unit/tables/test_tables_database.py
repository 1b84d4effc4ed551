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
from minemap_assets.tables.database import build_database, is_database
from minemap_assets.tables.queries import views
from minemap_assets.tables.schemas import COUNTRY_SUMMARY, POLYGONS, TABLES
from projects import is_current, make, project_at


def country_rows(year: int, area: float | None) -> pd.DataFrame:
    rows = [("XWA", "West", area), ("", "unassigned", 1.0)]
    return pd.DataFrame(
        {
            "iso3": [r[0] for r in rows],
            "name": [r[1] for r in rows],
            "continent": "",
            "sovereign_iso3": [r[0] for r in rows],
            "sovereign_name": [r[1] for r in rows],
            "year": year,
            "polygons": [3, 1],
            "area_km2": [r[2] for r in rows],
            "uncorrected_km2": [r[2] for r in rows],
            "clipped_km2": 0.0,
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


def test_series_made_elsewhere_stand_beside_ours(files, tmp_path: Path) -> None:
    rows = [("published", "XWA", "West", 2024, 3, 10.0), ("published", "XEA", "East", 2024, 1, 5.0)]
    frame = pd.DataFrame(rows, columns=["series", "iso3", "country_name", "year", "polygons", "area_km2"])
    path = tmp_path / "series.parquet"
    write_table(frame.assign(continent="", temporal_rule="intersect-1", status="final"), TABLES["series_summary"], path)
    build_database(files | {"series_summary": [path]}, tmp_path / "minemap.duckdb")
    told = "SELECT iso3, mapped_km2, series_km2, ratio, provisional FROM series_comparison"
    assert ask(tmp_path / "minemap.duckdb", told) == [("XEA", None, 5.0, None, False), ("XWA", 12.5, 10.0, 1.25, True)]


def test_what_happened_to_mines_is_summed_by_year(tmp_path: Path) -> None:
    rows = [
        ("m1", 2019, 1.0, 1.5, "present", None, None, None),
        ("m2", 2019, 0.0, 0.1, "present", None, None, None),
        ("m1", 2020, 3.0, 2.5, "expanded", 2.0, 1.5, 0.25),
        ("m2", 2020, 4.0, 3.5, "appeared", 4.0, 3.5, 0.0),
        ("m1", 2021, 0.0, 0.5, "no longer visible", -3.0, 0.0, 2.0),
        ("m2", 2021, None, None, "not observed", None, None, None),
    ]
    columns = ["mine_id", "year", "area_km2", "expected_km2", "event", "change_km2", "gained_km2", "lost_km2"]
    frame = pd.DataFrame(rows, columns=columns).assign(region="a", observed_share=1.0, change_posterior=0.9)
    frame["status"] = ["final" if year < 2021 else "provisional" for year in frame["year"]]
    path = tmp_path / "mine_years.parquet"
    write_table(frame, TABLES["mine_years"], path)
    build_database({"mine_years": [path]}, tmp_path / "minemap.duckdb")
    assert ask(tmp_path / "minemap.duckdb", "SELECT * FROM yearly_mine_change") == [
        (2019, 2, 2, 1.0, 1.6, 0, 0.0, 0.0, 0.0, 0, 0.0, None, None, False),
        (2020, 2, 2, 7.0, 6.0, 1, 4.0, 2.0, 0.0, 0, 0.0, 5.0, 0.25, False),
        (2021, 2, 1, 0.0, 0.5, 0, 0.0, 0.0, 0.0, 1, 3.0, 0.0, 2.0, True),
    ]


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
    for view in views():
        assert view.comment.endswith(".")
        assert ask(target, f"SELECT * FROM {view.name}") == []
        told = {column: comment for table, column, _, comment in described if table == view.name}
        if view.columns:
            assert told == dict(view.columns), view.name


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
            elsewhere = spec.asset in ("published_country_area", "series", "site_history")
            assert column.lineage or column.name in own or elsewhere, f"{spec.name}.{column.name}"


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


def test_a_database_of_other_tables_than_the_lake_says_is_made_again(files, tmp_path: Path) -> None:
    """Such as one that was replaced by somebody who began before, or whose maker was killed before he said so."""
    project = project_at(tmp_path / "lake", tmp_path / "state")
    assert make(project, DATABASE).now
    build_database(files, database_path(project), {"tables/polygons/2019": "of another lake"})
    assert not is_current(project, DATABASE)
    assert make(project, DATABASE).now
    assert ask(database_path(project), "SELECT count(*) FROM country_summary") == [(0,)]
    assert is_current(project, DATABASE)


WRITER = """
import sys
from pathlib import Path
from minemap_assets.tables.database import build_database
target, *names = (Path(word) for word in sys.argv[1:])
while True:
    for name in names:
        build_database({"country_summary": [name]}, target, {"made of": name.name})
"""


def test_readers_see_whole_databases_while_two_write_and_are_killed(tmp_path: Path) -> None:
    """Every look at the file shows all of one of two tables, which says so; the sums are those of the Parquet files."""
    target, sums = tmp_path / "state" / "minemap.duckdb", {}
    for name, rows in (("a.parquet", 300), ("b.parquet", 900)):
        frame = pd.concat([country_rows(2019, 1.0 + n).assign(year=n) for n in range(rows)])
        write_table(frame, COUNTRY_SUMMARY, tmp_path / name)
        sums[name] = (2 * rows, float(pd.read_parquet(tmp_path / name)["area_km2"].sum()))
    build_database({"country_summary": [tmp_path / "a.parquet"]}, target, {"made of": "a.parquet"})
    seen = set()
    words = [sys.executable, "-c", WRITER, str(target), *(str(tmp_path / name) for name in sums)]
    writers = [subprocess.Popen(words), subprocess.Popen(words)]
    try:
        while len(seen) < 2:
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                with duckdb.connect(str(target), read_only=True) as connection:
                    ((name,),) = connection.execute("SELECT value FROM minemap_info").fetchall()
                    told = connection.execute("SELECT count(*), sum(area_km2) FROM country_summary").fetchall()
                assert told == [pytest.approx(sums[name])]
                seen.add(name)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert is_database(target)
    build_database({"country_summary": [tmp_path / "b.parquet"]}, target)
    assert ask(target, "SELECT count(*), sum(area_km2) FROM country_summary") == [pytest.approx(sums["b.parquet"])]
    left = [path for path in (target.parent / ".staging").iterdir() if path.is_dir()]
    assert not left, "what the killed ones had begun is gone"


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
