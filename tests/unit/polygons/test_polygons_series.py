"""Polygons made elsewhere: the published rule polygon by polygon, countries that add up, and no more years in memory
than the rule needs.
"""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from shapely.geometry import Polygon, box

from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.countries import Borders, country_names
from minemap_assets.polygons.schemas import conform
from minemap_assets.polygons.series import SeriesFrame, SeriesRules, SeriesYear, postprocess
from minemap_assets.polygons.series_build import build_series
from minemap_assets.polygons.series_tables import SERIES_COUNTRY_AREA, SERIES_POLYGONS, SERIES_SUMMARY
from minemap_assets.polygons.temporal.window_rule import YearView
from minemap_assets.reference.catalogue import ReferenceEntry
from minemap_assets.reference.series_files import SeriesColumns, register_series

STEP = 0.01


def square(column: float, row: float = 0, width: float = 1) -> Polygon:
    return box(column * STEP, row * STEP, (column + width) * STEP, (row + width) * STEP)


def countries(*boxes: tuple[str, Polygon]) -> gpd.GeoDataFrame:
    codes = [code for code, _ in boxes]
    data = {"iso3": codes, "name": [f"Land {code}" for code in codes], "continent": "Continent"}
    return gpd.GeoDataFrame(data, geometry=[shape for _, shape in boxes], crs=WGS84)


WORLD = countries(("AAA", box(-1, -1, 0.1, 1)), ("BBB", box(0.1, -1, 1, 1)))


def processed(
    years: dict[int, list[Any]], rules: SeriesRules | None = None, boundaries: gpd.GeoDataFrame = WORLD
) -> dict[int, SeriesYear]:
    """Polygons of a year are called after the year and their place."""

    def reader(year: int) -> Callable[[], gpd.GeoDataFrame]:
        ids = [f"{year}-{n}" for n in range(len(years[year]))]
        return lambda: gpd.GeoDataFrame({"source_id": ids}, geometry=years[year], crs=WGS84)

    frame = SeriesFrame(
        "old", Borders(boundaries, 5.0), country_names(boundaries), rules or SeriesRules(), frozenset(years)
    )
    found: dict[int, SeriesYear] = {}
    postprocess(frame, {year: reader(year) for year in years}, lambda one: found.update({one.year: one}))
    return found


def ids(found: SeriesYear) -> list[list[str]]:
    return found.polygons["source_ids"].tolist()


def test_rule_then_merge_then_holes() -> None:
    ring = shapely.difference(square(0, 0, 6), square(2, 2, 2))
    island = square(2.5, 2.5, 0.5)
    years = {
        2018: [ring, square(30)],
        2019: [ring, square(6, 0, 2), island, square(50)],
        2020: [square(0, 0, 8)],
    }
    found = processed(years)
    assert ids(found[2018]) == [["2018-0"]], "nothing is there in 2019 where the second one was"
    assert ids(found[2019]) == [["2019-0", "2019-1", "2019-2"]], "touching ones are one, and what lies in a filled hole"
    assert found[2019].polygons["area_km2"][0] == pytest.approx(40 * 1.2308, rel=2e-3)
    assert (found[2019].sources, found[2019].dropped, found[2019].unjudged) == (4, 1, 0)
    kept = processed(years, SeriesRules(rule="none", holes="none"))
    assert sorted(ids(kept[2018])) == [["2018-0"], ["2018-1"]]
    assert set(kept[2018].polygons["temporal_rule"]) == {"none"}
    near = {2018: [square(0)], 2019: [square(1.05)]}
    assert not len(processed(near)[2018].polygons)
    assert len(processed(near, SeriesRules(buffer_m=100.0))[2018].polygons) == 1


def test_a_year_that_is_not_there_neither_confirms_nor_refutes() -> None:
    years = {2016: [square(0), square(20)], 2018: [square(0)], 2019: [square(0)]}
    found = processed(years)
    assert (len(found[2016].polygons), found[2016].unjudged) == (2, 2)
    assert [found[year].polygons["status"].iloc[0] for year in (2016, 2018, 2019)] == ["provisional"] * 2 + ["final"]
    wide = processed(years, SeriesRules(window=2))
    assert ids(wide[2016]) == [["2016-0"]]


def test_countries_and_unassigned_add_up() -> None:
    sea = Polygon([(0.5, 0.5), (0.5, 0.51), (0.51, 0.51)])
    far = box(60, 0, 60.01, 0.01)
    shape = [box(0.07, 0, 0.11, 0.04), sea, far]
    for found in processed({2018: shape, 2019: shape}).values():
        for spec, table in (
            (SERIES_POLYGONS, found.polygons),
            (SERIES_COUNTRY_AREA, found.country_area),
            (SERIES_SUMMARY, found.summary),
        ):
            conform(table, spec)
        total = found.polygons["area_km2"].sum()
        assert found.country_area["area_km2"].sum() == pytest.approx(total)
        rows = found.summary.set_index("iso3")
        assert rows["area_km2"].sum() == pytest.approx(total)
        assert rows["polygons"].to_dict() == {"": 1, "AAA": 1, "BBB": 1}
        crossing = found.country_area.groupby("polygon_id")["area_km2"].apply(list)
        assert [0.25, 0.75] in [pytest.approx(sorted(np.array(v) / sum(v)), abs=1e-6) for v in crossing if len(v) == 2]
    empty = processed({2018: [square(0)], 2019: [square(5)]})[2018].summary
    assert empty[["iso3", "area_km2"]].to_numpy().tolist() == [["", 0.0]], "zero is not missing"


def test_only_the_years_of_the_window_are_held() -> None:
    read: list[int] = []
    held: list[int] = []

    def reader(year: int) -> Callable[[], gpd.GeoDataFrame]:
        def load() -> gpd.GeoDataFrame:
            read.append(year)
            return gpd.GeoDataFrame({"source_id": ["a"]}, geometry=[square(0)], crs=WGS84)

        return load

    years = range(2000, 2010)
    frame = SeriesFrame("old", Borders(WORLD, 5.0), country_names(WORLD), SeriesRules(), frozenset(years))
    before = sum(isinstance(one, YearView) for one in gc.get_objects())
    postprocess(
        frame,
        {year: reader(year) for year in years},
        lambda _: held.append(sum(isinstance(one, YearView) for one in gc.get_objects()) - before),
    )
    assert read == list(years), "each year is read once, in order"
    assert max(held) == 3


@pytest.fixture
def build(tmp_path: Path) -> Callable[[ReferenceEntry, gpd.GeoDataFrame], Partition]:
    """Make the partition of a registered series in the lake at `tmp_path / "lake"`."""
    lake = Lake.at(str(tmp_path / "lake"), tmp_path / "state")

    def made(entry: ReferenceEntry, boundaries: gpd.GeoDataFrame) -> Partition:
        ref = PartitionRef("polygons", f"series_{entry.name}", ())
        build_partition(
            lake,
            ref,
            code_version="1",
            config={},
            inputs={},
            build=lambda writer: build_series(entry, lake.store, boundaries, 5.0, writer),
        )
        return lake.open(ref)

    made.store = lake.store  # type: ignore[attr-defined]
    return made


def test_the_published_rule_polygon_by_polygon(build: Any, test_data: Path) -> None:
    """What the paper's script keeps of these polygons, from the registered file to the tables."""
    golden = test_data / "paper-postprocessing-golden"
    entry = register_series(
        build.store, [golden / "predictions.gpkg"], name="paper", licence="x", columns=SeriesColumns(), rules={}
    ).entry
    boundaries = gpd.read_file(test_data / "natural-earth" / "ne_50m" / "ne_50m_admin_0_countries.shp")
    frame = boundaries.rename(columns={"ADM0_A3": "iso3", "NAME": "name", "CONTINENT": "continent"})
    made = build(entry, frame[["iso3", "name", "continent", "geometry"]].to_crs(WGS84))
    published = pd.read_csv(golden / "published_rule_output.csv")
    polygons = read_geoparquet(made.file("polygons.parquet"))
    kept = polygons.explode("source_ids")[["year", "source_ids"]]
    assert not kept.duplicated().any()
    assert set(map(tuple, kept.to_numpy())) == set(map(tuple, published[["year", "uid"]].to_numpy()))
    # its areas are in Goode's projection and 0.5 % larger; here they are equal-area, and none counts twice
    theirs = published.groupby("year")["area_m2_igh"].sum() / 1e6
    assert (polygons.groupby("year")["area_km2"].sum() / theirs).between(0.99, 1.0).all()
    summary = pd.read_parquet(made.file("series_summary.parquet"))
    assert summary["area_km2"].sum() == pytest.approx(polygons["area_km2"].sum())
    facts = made.manifest.summary["years"]
    assert {int(year): one["dropped_by_the_temporal_rule"] for year, one in facts.items()} == {
        2016: 18, 2017: 12, 2018: 11, 2019: 11, 2020: 15, 2021: 16, 2022: 10, 2023: 10, 2024: 21,
    }  # fmt: skip


def test_tables_are_whole_files_sorted_by_year(build: Any, tmp_path: Path) -> None:
    source = tmp_path / "old.gpkg"
    shapes = [square(0), square(0), square(9, 0, 2), square(9, 0, 2), square(70)]
    gpd.GeoDataFrame({"year": [2018, 2019, 2019, 2020, 2021]}, geometry=shapes, crs=WGS84).to_file(source)
    entry = register_series(
        build.store, [source], name="old", licence="CC0", columns=SeriesColumns(), rules={"window": 1}
    ).entry
    made = build(entry, WORLD)
    path = made.file("polygons.parquet")
    polygons = gpd.read_parquet(path)
    assert polygons["year"].tolist() == [2018, 2019, 2019, 2020]
    assert polygons.total_bounds.tolist() == pytest.approx([0, 0, 11 * STEP, 2 * STEP])
    bounds = pq.read_schema(path).metadata[b"geo"]
    assert b'"bbox": [0.0, 0.0, 0.11' in bounds
    assert pq.ParquetFile(path).num_row_groups == 3
    only = gpd.read_parquet(path, bbox=(0.09, 0, 0.12, 0.01))
    assert set(only["year"]) == {2019, 2020}
    summary = pd.read_parquet(made.file("series_summary.parquet"))
    assert sorted(set(summary["year"])) == [2018, 2019, 2020, 2021]
    assert made.manifest.summary["rows"] == 4
    areas = pd.read_parquet(made.file("polygon_country_area.parquet"))
    assert areas.groupby("polygon_id")["area_km2"].sum().to_numpy() == pytest.approx(
        polygons.set_index("polygon_id")["area_km2"].sort_index().to_numpy()
    )
