"""Change: split by its cause, only between what was observed in both years, by country and by cell of the grid."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import shapely

from documents import blocks
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.schemas import write_table
from minemap_assets.reference.published_areas import PUBLISHED_COVERAGE, published_areas
from minemap_assets.tables.build import build_country_summary, build_region_summary, build_site_panel
from minemap_assets.tables.change import BANDS, build_change_grid, change_grid
from minemap_assets.tables.database import build_database
from minemap_assets.tables.equal_area_grid import CELL_METRES, cells_of, cut, outlines
from minemap_assets.tables.published import build_published
from minemap_assets.tables.queries import views
from minemap_assets.tables.schemas import SITE_GRID, SITE_PANEL, TABLES
from region_parts import COUNTRIES, Box, area, borders, part, site

PLACES = {"grows": (1.0, 1.0), "new": (1.0, 3.0), "gone": (3.0, 1.0), "hidden": (3.0, 3.0), "back": (11.0, 1.0)}
SIDES = {
    2017: {"grows": 2, "gone": 3, "hidden": 4, "back": 2},
    2018: {"grows": 3, "gone": 3, "hidden": None, "back": 0},
    2019: {"grows": 4, "gone": 0, "hidden": 4, "new": 5, "back": 3},
}
"""Sides of square mines in units of 0.001 degrees by year; None was not observed."""


def mine(name: str, side: int) -> Box:
    x, y = PLACES[name]
    return (x, y, x + side / 1000, y + side / 1000)


def km2(name: str, year: int) -> float:
    side = SIDES[year].get(name, 0)
    return area(shapely.box(*mine(name, side))) if side else 0.0


def of_year(year: int):
    sides = SIDES[year]
    found = {name: sides.get(name, 0) for name in PLACES}
    sites = [
        site(name, *PLACES[name], 0.0 if side is None else 1.0, None if side is None else km2(name, year))
        for name, side in found.items()
    ]
    polygons = [mine(name, side) for name, side in found.items() if side]
    return part("a", (0, 0, 20, 10), polygons, sites, year=year, status="provisional" if year == 2019 else "final")


def of_one_year(year: int, publish) -> None:
    parts, keys = [of_year(year)], (str(year),)
    panel = publish("site_panel", keys, lambda w: build_site_panel(year, parts, borders(), w, "weak"))
    rows = pd.read_parquet(panel.file(SITE_PANEL.file))
    publish("country_summary", keys, lambda w: build_country_summary(year, parts, rows, COUNTRIES, w, "weak", borders))
    publish("region_summary", keys, lambda w: build_region_summary(year, parts, w, "weak"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Partition]]:
    """The tables of three years."""
    folder = tmp_path_factory.mktemp("change")
    lake = Lake.local(folder / "home", folder / "state")
    made: dict[str, list[Partition]] = {}

    def publish(name: str, keys: tuple[str, ...], build) -> Partition:
        ref = PartitionRef("tables", name, keys)
        build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
        made.setdefault(name, []).append(lake.open(ref))
        return lake.open(ref)

    for year in SIDES:
        of_one_year(year, publish)
    panels, grids = ([p.file(spec.file) for p in made["site_panel"]] for spec in (SITE_PANEL, SITE_GRID))
    publish("change_grid", (), lambda w: build_change_grid(panels, grids, w))
    publish("published_country_area", (), build_published)
    return made


@pytest.fixture(scope="module")
def ask(tables, tmp_path_factory: pytest.TempPathFactory):
    files: dict[str, list[Path]] = {}
    for partitions in tables.values():
        for partition in partitions:
            for name in partition.names():
                if name.endswith(".parquet"):
                    files.setdefault(name.removesuffix(".parquet"), []).append(partition.file(name))
    path = tmp_path_factory.mktemp("database") / "minemap.duckdb"
    build_database(files, path)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield lambda sql: connection.sql(sql).fetchall()


def test_what_became_of_each_mine(ask) -> None:
    told = dict(ask("SELECT site_id, what FROM site_change WHERE year = 2019"))
    assert told == {
        "grows": "expanded", "new": "new", "gone": "gone", "hidden": "not compared", "back": "expanded",
    }  # fmt: skip
    assert dict(ask("SELECT site_id, what FROM site_change WHERE year = 2018"))["new"] == "nothing"
    assert ask("SELECT count(*) FROM site_change WHERE year = 2017") == [(0,)]


def test_the_parts_of_a_change_add_up_and_hold_only_what_was_compared(ask) -> None:
    row = ask(
        "SELECT new_mines, new_mines_km2, expansion_km2, loss_km2, compared_change_km2, sites_expected, "
        "sites_compared, change_km2, provisional FROM country_change WHERE iso3 = 'XWA' AND year = 2019"
    )[0]
    growth = km2("grows", 2019) - km2("grows", 2018)
    change = km2("new", 2019) + growth - km2("gone", 2018)
    assert row[:5] == pytest.approx((1, km2("new", 2019), growth, km2("gone", 2018), change))
    assert row[5:7] == (4, 3)
    assert row[7] == pytest.approx(change + km2("hidden", 2019)), "the totals also hold what was seen in one year only"
    assert row[8] is True
    assert ask("SELECT new_mines, expansion_km2 FROM country_change WHERE iso3 = 'XEA' AND year = 2019") == [
        (0, pytest.approx(km2("back", 2019)))
    ], "what was there before is no new mine"
    assert ask("SELECT provisional FROM country_change WHERE iso3 = 'XWA' AND year = 2018") == [(False,)]
    whole = ask("SELECT new_mines, compared_change_km2, sites_compared FROM yearly_change WHERE year = 2019")
    assert whole == [(1, pytest.approx(change + km2("back", 2019)), 4)]


def test_the_grid_holds_the_same_change_and_null_where_nothing_is_compared(tables, ask) -> None:
    grid = read_geoparquet(tables["change_grid"][0].file("change_grid.parquet"))
    assert set(grid["year"]) == {2018, 2019}
    by_year = grid.groupby("year")[["change_km2", "new_mines_km2", "expansion_km2", "loss_km2"]].sum()
    for year in (2018, 2019):
        told = ask(
            f"SELECT compared_change_km2, new_mines_km2, expansion_km2, loss_km2 FROM yearly_change WHERE year = {year}"
        )[0]
        assert by_year.loc[year].tolist() == pytest.approx(list(told), abs=1e-9)
    row, column = (int(n[0]) for n in cells_of(np.array([3.001]), np.array([3.001])))
    hidden = grid[(grid["cell_row"] == row) & (grid["cell_column"] == column) & (grid["year"] == 2019)].iloc[0]
    assert pd.isna(hidden["change_km2"])
    assert pd.isna(hidden["provisional"])
    assert (hidden["sites_expected"], hidden["sites_compared"]) == (1, 0)
    assert hidden["geometry"].covers(shapely.Point(3.001, 3.001))
    assert area(hidden["geometry"]) == pytest.approx(100.0, rel=1e-6)


def test_rasters_show_the_table(tables) -> None:
    partition = tables["change_grid"][0]
    grid = read_geoparquet(partition.file("change_grid.parquet"))
    for year in (2018, 2019):
        raster = read_raster(partition.file(f"change_{year}.tif"))
        assert (str(raster.grid.crs), raster.bands) == ("EPSG:6933", BANDS)
        rows = grid[grid["year"] == year]
        assert int(np.isfinite(raster.pixels[0]).sum()) == int(rows["change_km2"].notna().sum())
        for cell in rows.itertuples():
            x, y = (cell.cell_column + 0.5) * CELL_METRES, (cell.cell_row + 0.5) * CELL_METRES
            column, row = (int(n) for n in ~raster.grid.affine * (x, y))
            shown = [float(v) for v in raster.pixels[:, row, column]]
            assert shown == pytest.approx([getattr(cell, name) for name in BANDS], nan_ok=True, rel=1e-6)


def test_the_same_tables_give_the_same_bytes_and_none_gives_an_empty_grid(tables, tmp_path: Path) -> None:
    panels, grids = ([p.file(spec.file) for p in tables["site_panel"]] for spec in (SITE_PANEL, SITE_GRID))
    once = tmp_path / "once.parquet"
    write_table(change_grid(panels, grids), TABLES["change_grid"], once)
    assert once.read_bytes() == tables["change_grid"][0].file("change_grid.parquet").read_bytes()
    assert len(change_grid([], [])) == 0
    assert len(change_grid(panels[:1], grids[:1])) == 0


def test_cuts_along_the_grid_keep_the_area_also_at_180_degrees() -> None:
    wide = shapely.MultiPolygon([shapely.box(179.5, 60, 180, 60.5), shapely.box(-180, 60, -179.5, 60.5)])
    shapes = np.array([shapely.box(1, 1, 1.3, 1.2), wide, shapely.box(0.01, 0.01, 0.02, 0.02)], dtype=object)
    pieces = cut(shapes)
    shares = np.bincount(pieces.shape, weights=pieces.share)
    assert shares == pytest.approx([1.0, 1.0, 1.0])
    assert len(pieces.share) < 400, "the pieces on both sides of 180 degrees, and not the world between them"
    cells = outlines(pieces.row, pieces.column)
    for n, shape in enumerate(shapes):
        mine_ = pieces.shape == n
        sizes = [area(shape.intersection(cell)) for cell in cells[mine_]]
        assert pieces.share[mine_] * sum(sizes) == pytest.approx(sizes, rel=1e-5, abs=1e-9)


def test_published_areas_stand_beside_ours_only_where_they_cover_them(tmp_path: Path) -> None:
    panel = pd.DataFrame(
        [
            ("m1", "GHA", 5.0, 100.0), ("m2", "GHA", 40.0, 7.0), ("m3", "USA", 20.0, 1.0), ("m4", "TGO", 8.0, 2.0),
            ("m5", "GUF", 4.0, 9.0), ("m6", "RUS", 60.0, 1.0), ("m7", "", 1.0, 1.0), ("m8", "DEU", 50.0, 1.0),
        ],
        columns=["site_id", "country_iso3", "latitude", "area_km2"],
    )  # fmt: skip
    common = {"region": "a", "longitude": 0.0, "observed_share": 1.0, "status": "final", "product": "p"}
    more = {"uncorrected_km2": 1.0, "clipped_km2": 0.0, "not_observed_reason": None, "model_verdict": "weak"}
    files: dict[str, list[Path]] = {"site_panel": []}
    for year in (2019, 2025):
        path = tmp_path / f"{year}.parquet"
        write_table(panel.assign(year=year, **common, **more), SITE_PANEL, path)
        files["site_panel"].append(path)
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    ref = PartitionRef("tables", "published_country_area", ())
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build_published)
    for name in ("published_country_area", "published_coverage"):
        files[name] = [lake.open(ref).file(f"{name}.parquet")]
    build_database(files, tmp_path / "x.duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as connection:
        rows = connection.sql("FROM published_comparison").fetchdf().set_index(["iso3", "year"])
        excluded = connection.sql("SELECT count(*) FROM published_coverage WHERE coverage = 'excluded'").fetchall()
    assert excluded == [(len(PUBLISHED_COVERAGE.excluded),)]
    published = published_areas().set_index(["iso3", "year"])["area_km2"]
    ghana = rows.loc["GHA", 2019]
    assert (ghana["coverage"], ghana["mapped_km2"], ghana["published_km2"]) == (
        "compared", 100.0, published["GHA", 2019],
    )  # fmt: skip
    assert ghana["ratio"] == pytest.approx(100.0 / published["GHA", 2019])
    assert rows.loc["FRA", 2019]["mapped_km2"] == 9.0
    told = rows["coverage"].to_dict()
    assert told["GHA", 2025] == "year not published"
    assert {code: told[code, 2019] for code in ("USA", "TGO", "RUS", "", "DEU")} == {
        "USA": "excluded", "RUS": "excluded", "TGO": "not listed", "": "no country", "DEU": "beyond its latitudes",
    }  # fmt: skip
    assert rows.loc[rows["coverage"] != "compared", ["ratio", "difference_km2"]].isna().all().all()


def test_every_query_of_the_page_runs_and_every_view_is_on_it(ask) -> None:
    page = "docs/how-to/queries.md"
    asked = [query.strip() for text in blocks(page, "sql") for query in text.split(";") if query.strip()]
    assert len(asked) >= 8
    for query in asked:
        ask(query)
    named = set(re.findall(r"\bFROM (\w+)", " ".join(asked)))
    assert {view.name for view in views()} <= named
    assert named <= {*TABLES, *(view.name for view in views())}
