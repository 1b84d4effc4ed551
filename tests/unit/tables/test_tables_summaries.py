"""Yearly sums: zero against missing, shared ground counted once, countries adding up."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.errors import PermanentError
from minemap_assets.geo.vector import areas_km2
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import (
    MINING_POLYGONS,
    POLYGON_COUNTRY_AREA,
    SITE_AREA,
    conform,
    empty_table,
    write_table,
)
from minemap_assets.project.regions import Region
from minemap_assets.tables.build import (
    build_country_summary,
    build_imagery_clarity,
    build_polygons,
    build_region_summary,
    build_site_panel,
)
from minemap_assets.tables.parts import MiningTables, RegionPart, read_part
from minemap_assets.tables.summaries import country_summary, imagery_clarity, region_summary, site_panel

COUNTRIES = gpd.GeoDataFrame(
    {"iso3": ["XEA", "XWA"], "name": ["East", "West"], "continent": ["Testia", "Testia"]},
    geometry=[shapely.box(10, 0, 20, 10), shapely.box(0, 0, 10, 10)],
    crs="EPSG:4326",
)


def area(geometry) -> float:
    return float(areas_km2(gpd.GeoSeries([geometry], crs="EPSG:4326"))[0])


def polygon_row(polygon_id, slug, year, iso3, area_km2, status, geometry) -> dict[str, object]:
    return {
        "polygon_id": polygon_id,
        "site_ids": [],
        "region": slug,
        "year": year,
        "country_iso3": iso3,
        "country_name": "",
        "continent": "",
        "area_km2": area_km2,
        "mean_probability": 0.9,
        "operating_point": "match_area",
        "temporal_rule": "intersect-2",
        "status": status,
        "product": "planet-nicfi",
        "sources": ["archive"],
        "acquisitions": [],
        "clear_fraction": None,
        "model_version": "v",
        "geometry": geometry,
    }


def part(slug, bounds, polygons=(), sites=(), *, year=2019, made=True, status="final") -> RegionPart:
    """A region with polygons (boxes) and sites (id, longitude, latitude, observed share, area)."""
    region = Region(slug, slug, shapely.box(*bounds))
    frame = gpd.GeoDataFrame(
        {"site_id": [s[0] for s in sites], "longitude": [s[1] for s in sites], "latitude": [s[2] for s in sites]},
        geometry=[shapely.Point(s[1], s[2]).buffer(0.01) for s in sites],
        crs="EPSG:4326",
    )
    if not made:
        return RegionPart(region, frame, None)
    shapes = np.array([shapely.box(*b) for b in polygons], dtype=object)
    split = Borders(COUNTRIES).split(shapes)
    ids = [f"{slug}-{n}" for n in range(len(shapes))]
    sizes = np.array([area(s) for s in shapes])
    biggest = split.sort_values("share").drop_duplicates("polygon", keep="last").set_index("polygon")["iso3"]
    rows = [polygon_row(ids[n], slug, year, biggest[n], sizes[n], status, shapes[n]) for n in range(len(shapes))]
    areas = pd.DataFrame(
        {
            "polygon_id": [ids[p] for p in split["polygon"]],
            "iso3": split["iso3"],
            "area_km2": split["share"] * sizes[split["polygon"].to_numpy(int)],
        }
    )
    panel = pd.DataFrame(
        {
            "site_id": [s[0] for s in sites],
            "region": slug,
            "year": year,
            "observed_share": [s[3] for s in sites],
            "area_km2": [s[4] for s in sites],
            "status": status,
            "product": "planet-nicfi",
        }
    )
    tables = MiningTables(
        conform(pd.DataFrame(rows), MINING_POLYGONS) if rows else empty_table(MINING_POLYGONS),
        conform(areas, POLYGON_COUNTRY_AREA),
        conform(panel, SITE_AREA),
    )
    return RegionPart(region, frame, tables)


def rows(frame: pd.DataFrame, key: str) -> dict[str, dict]:
    return {row[key]: row for row in frame.to_dict("records")}


NOTHING = float("nan")
WEAK = "weak"


def test_panel_tells_zero_from_missing() -> None:
    seen = part("a", (0, 0, 5, 5), sites=[("m1", 1, 1, 1.0, 0.0), ("m2", 2, 2, 0.0, NOTHING), ("m3", 3, 3, 0.5, 2.5)])
    absent = part("b", (5, 0, 9, 5), sites=[("m4", 6, 1, 1.0, 9.0)], made=False)
    panel = rows(site_panel(2019, [absent, seen], Borders(COUNTRIES), WEAK), "site_id")
    assert panel["m1"]["area_km2"] == 0.0
    assert panel["m3"]["area_km2"] == 2.5
    assert pd.isna(panel["m2"]["area_km2"])
    assert panel["m2"]["status"] == "final"
    assert pd.isna(panel["m4"]["area_km2"])
    assert (panel["m4"]["status"], panel["m4"]["observed_share"]) == ("missing", 0.0)
    assert panel["m4"]["country_iso3"] == "XWA"


def test_a_site_of_two_regions_is_told_once() -> None:
    both = [("m1", 4, 1, 1.0, 1.0)]
    first, second = part("a", (0, 0, 5, 5), sites=both), part("b", (3, 0, 9, 5), sites=[("m1", 4, 1, 1.0, 2.0)])
    panel = site_panel(2019, [second, first], Borders(COUNTRIES), WEAK)
    assert panel[["site_id", "region", "area_km2"]].to_numpy().tolist() == [["m1", "a", 1.0]]
    panel = site_panel(2019, [part("a", (0, 0, 5, 5), sites=both, made=False), second], Borders(COUNTRIES), WEAK)
    assert panel[["site_id", "region", "area_km2"]].to_numpy().tolist() == [["m1", "b", 2.0]]


def test_countries_and_unassigned_are_the_total() -> None:
    boxes = [(9.9, 1, 10.3, 1.1), (2, 2, 2.1, 2.1), (40, 40, 40.1, 40.1)]
    frame = country_summary(2019, [part("a", (0, 0, 50, 50), boxes)], COUNTRIES, WEAK)
    by = rows(frame, "iso3")
    assert by["XEA"]["polygons"] == 1
    assert by["XWA"]["polygons"] == 1
    assert by["XWA"]["area_km2"] == pytest.approx(area(shapely.box(9.9, 1, 10, 1.1)) + area(shapely.box(*boxes[1])))
    assert by[""]["name"] == "unassigned"
    assert by[""]["area_km2"] == pytest.approx(area(shapely.box(*boxes[2])))
    assert frame["area_km2"].sum() == pytest.approx(sum(area(shapely.box(*b)) for b in boxes), rel=1e-12)
    assert by["XEA"]["mean_polygon_km2"] == pytest.approx(area(shapely.box(*boxes[0])))


def test_a_country_that_was_not_observed_is_null() -> None:
    sites = [("m1", 1, 1, 1.0, 0.0), ("m2", 2, 1, 0.0, NOTHING), ("m3", 11, 1, 0.0, NOTHING)]
    by = rows(country_summary(2019, [part("a", (0, 0, 20, 10), sites=sites)], COUNTRIES, WEAK), "iso3")
    assert (by["XWA"]["area_km2"], by["XWA"]["polygons"], by["XWA"]["covered_share"]) == (0.0, 0, 0.5)
    assert pd.isna(by["XEA"]["area_km2"])
    assert pd.isna(by["XEA"]["polygons"])
    assert (by["XEA"]["sites_expected"], by["XEA"]["sites_observed"], by["XEA"]["covered_share"]) == (1, 0, 0.0)
    assert by[""]["area_km2"] == 0.0
    assert pd.isna(by[""]["covered_share"])


def test_overlapping_regions_count_ground_once() -> None:
    """The later region loses what the earlier one holds; a polygon over the line is cut there."""
    first = part("a", (0, 0, 5, 10), [(4, 1, 4.5, 1.5), (4.8, 3, 5, 3.5)])
    second = part("b", (3, 0, 9, 10), [(4, 1, 4.5, 1.5), (4.8, 3, 5.4, 3.5), (7, 7, 7.1, 7.1)])
    truth = sum(area(shapely.box(*b)) for b in [(4, 1, 4.5, 1.5), (4.8, 3, 5.4, 3.5), (7, 7, 7.1, 7.1)])
    frame = country_summary(2019, [second, first], COUNTRIES, WEAK)
    assert frame["area_km2"].sum() == pytest.approx(truth, rel=1e-9)
    assert rows(frame, "iso3")["XWA"]["polygons"] == 4
    alone = country_summary(2019, [second, RegionPart(first.region, first.sites, None)], COUNTRIES, WEAK)
    assert alone["area_km2"].sum() == pytest.approx(truth, rel=1e-9)
    assert rows(alone, "iso3")["XWA"]["polygons"] == 3


def test_a_cut_at_a_border_is_measured_anew() -> None:
    first = part("a", (0, 0, 9.95, 10), [])
    second = part("b", (5, 0, 15, 10), [(9.8, 1, 10.05, 1.1)])
    by = rows(country_summary(2019, [first, second], COUNTRIES, WEAK), "iso3")
    assert by["XWA"]["area_km2"] == pytest.approx(area(shapely.box(9.95, 1, 10, 1.1)))
    assert by["XEA"]["area_km2"] == pytest.approx(area(shapely.box(10, 1, 10.05, 1.1)))


def test_status_is_final_only_where_all_is() -> None:
    final = part("a", (0, 0, 5, 10), [(1, 1, 1.1, 1.1)], [("m1", 1, 1, 1.0, 1.0)])
    late = part("b", (5, 0, 9, 10), [(7, 7, 7.1, 7.1)], [("m2", 7, 7, 1.0, 1.0)], status="provisional")
    assert rows(country_summary(2019, [final], COUNTRIES, WEAK), "iso3")["XWA"]["status"] == "final"
    assert rows(country_summary(2019, [final, late], COUNTRIES, WEAK), "iso3")["XWA"]["status"] == "provisional"
    absent = part("b", (5, 0, 9, 10), sites=[("m2", 7, 7, 1.0, 1.0)], made=False)
    assert rows(country_summary(2019, [final, absent], COUNTRIES, WEAK), "iso3")["XWA"]["status"] == "provisional"
    assert rows(country_summary(2019, [absent], COUNTRIES, WEAK), "iso3")["XWA"]["status"] == "missing"


def test_region_summary() -> None:
    sites = [("m1", 1, 1, 1.0, 1.0), ("m2", 2, 2, 0.5, 0.0), ("m3", 3, 3, 0.0, NOTHING)]
    parts = [
        part("b", (5, 0, 9, 5), sites=[("m4", 6, 1, 1.0, 9.0)], made=False),
        part("a", (0, 0, 5, 5), [(1, 1, 1.1, 1.1)], sites),
        part("c", (5, 5, 9, 9), sites=[("m5", 6, 6, 0.0, NOTHING)]),
    ]
    frame = region_summary(2019, parts, WEAK)
    assert set(frame["model_verdict"]) == {WEAK}
    assert frame["region"].tolist() == ["a", "b", "c"]
    by = rows(frame, "region")
    assert (by["a"]["sites_expected"], by["a"]["sites_observed"], by["a"]["polygons"]) == (3, 2, 1)
    assert by["a"]["covered_share"] == pytest.approx(0.5)
    assert by["a"]["product"] == "planet-nicfi"
    assert (by["b"]["status"], by["b"]["covered_share"]) == ("missing", 0.0)
    assert pd.isna(by["b"]["area_km2"])
    assert pd.isna(by["c"]["area_km2"])
    assert by["c"]["status"] == "final"


def test_clarity() -> None:
    table = imagery_clarity(2019, {"a": images(["p", "p", "p", "q"], [0.2, 0.4, 0.9, 1.0])})
    assert list(table["region"]) == ["a", "a", "(all)", "(all)"]
    by = rows(table[table["region"] == "a"], "product")
    assert (by["p"]["observations"], by["p"]["p50"]) == (3, 0.4)
    assert by["p"]["mean"] == pytest.approx(0.5)
    assert by["p"]["sd"] == pytest.approx(np.std([0.2, 0.4, 0.9], ddof=1))
    assert (by["p"]["clear_count_mean"], by["p"]["largest_gap_ha"], by["p"]["largest_gap_days"]) == (3.0, 2.0, 20)
    assert pd.isna(by["q"]["sd"])
    assert pd.isna(by["q"]["largest_gap_days"])
    assert len(imagery_clarity(2019, {})) == 0


def test_clarity_of_all_regions_counts_a_site_once() -> None:
    one, other = images(["p", "p"], [0.2, 0.4]), images(["p", "p", "p"], [0.2, 0.4, 0.9])
    table = imagery_clarity(2019, {"a": one, "b": other, "c": one.iloc[:0]}).set_index("region")
    assert list(table.index) == ["a", "b", "(all)"]
    assert table.loc["(all)", "observations"] == 3
    assert table.loc["(all)", "mean"] == pytest.approx(0.5)


def images(products: list[str], clear: list[float]) -> pd.DataFrame:
    """An imagery index: site m0 has 2 observations a pixel, m1 has 3 ...; of the fourth the days are not known."""
    number = np.arange(len(clear))
    days = pd.array([None if n == 3 else 10 * n for n in number], dtype="Int64")
    return pd.DataFrame(
        {
            "site_id": [f"m{n}" for n in number],
            "product": products,
            "clear_fraction": clear,
            "clear_count_mean": 2.0 + number,
            "largest_gap_ha": 1.0 * number,
            "largest_gap_days": days,
        }
    )


def publish(lake: Lake, asset: str, build) -> Partition:
    ref = PartitionRef("tables", asset, ("2019",))
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def test_builds_through_the_lake(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    parts = [
        part("a", (0, 0, 20, 10), [(9.9, 1, 10.3, 1.1)], [("m1", 1, 1, 1.0, 0.0)]),
        part("b", (0, 0, 1, 1), made=False),
    ]
    polygons = publish(lake, "polygons", lambda w: build_polygons(2019, parts, w, WEAK))
    assert polygons.names() == ("polygon_country_area.parquet", "polygons.parquet")
    assert polygons.manifest.summary["regions_missing"] == ["b"]
    assert pd.read_parquet(polygons.file("polygons.parquet"))["model_verdict"].tolist() == [WEAK]
    panel = publish(lake, "site_panel", lambda w: build_site_panel(2019, parts, COUNTRIES, w, WEAK))
    assert panel.manifest.summary["sites_observed"] == 1
    assert set(pd.read_parquet(panel.file("site_panel.parquet"))["model_verdict"]) == {WEAK}
    countries = publish(lake, "country_summary", lambda w: build_country_summary(2019, parts, COUNTRIES, w, WEAK))
    total = polygons.manifest.summary["area_km2"]
    assert countries.manifest.summary["area_km2"] == pytest.approx(total, abs=2e-6)
    assert countries.manifest.summary["largest"][0]["country"] == "East"
    assert set(pd.read_parquet(countries.file("country_summary.parquet"))["model_verdict"]) == {WEAK}
    regions = publish(lake, "region_summary", lambda w: build_region_summary(2019, parts, w, WEAK))
    assert regions.manifest.summary["rows"] == 2
    index = images(["p"], [0.5])
    clarity = publish(lake, "imagery_clarity", lambda w: build_imagery_clarity(2019, {"a": index}, w))
    told = {"product": "p", "mean": 0.5, "clear_count_mean": 2.0, "largest_gap_ha": 0.0, "largest_gap_days": 0}
    assert clarity.manifest.summary["clarity"] == [told]


def test_parts_are_read_as_they_were_written(tmp_path: Path) -> None:
    lake = Lake.local(tmp_path / "home", tmp_path / "state")
    made = part("a", (0, 0, 20, 10), [(9.9, 1, 10.3, 1.1)], [("m1", 1, 1, 0.0, NOTHING)])

    def build(writer):
        tables = made.mining
        for spec, frame in (
            (MINING_POLYGONS, tables.polygons),
            (POLYGON_COUNTRY_AREA, tables.country_areas),
            (SITE_AREA, tables.site_area),
        ):
            write_table(frame, spec, writer.path(spec.file))
            writer.add(spec.file)
        from minemap_assets.lake.manifests import Outcome

        return Outcome()

    again = read_part(made.region, made.sites, publish(lake, "x", build))
    pd.testing.assert_frame_equal(
        country_summary(2019, [again], COUNTRIES, WEAK), country_summary(2019, [made], COUNTRIES, WEAK)
    )
    assert read_part(made.region, made.sites, None).mining is None


def test_a_table_that_breaks_its_schema_is_refused() -> None:
    good = part("a", (0, 0, 20, 10), [(1, 1, 1.1, 1.1)]).mining.polygons
    with pytest.raises(PermanentError, match="lacks the column year"):
        conform(good.drop(columns="year"), MINING_POLYGONS)
    with pytest.raises(PermanentError, match="empty area_km2"):
        conform(good.assign(area_km2=np.nan), MINING_POLYGONS)
    with pytest.raises(PermanentError, match="same polygon_id"):
        conform(pd.concat([good, good]), MINING_POLYGONS)
