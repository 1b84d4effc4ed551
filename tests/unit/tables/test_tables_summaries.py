"""Yearly sums: zero against missing, shared ground counted once, countries adding up."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from minemap_assets.errors import PermanentError
from minemap_assets.geo.vector import read_geoparquet, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.schemas import MINING_POLYGONS, conform
from minemap_assets.tables.build import (
    build_country_summary,
    build_imagery_clarity,
    build_polygons,
    build_region_summary,
    build_site_panel,
)
from minemap_assets.tables.panel import site_panel
from minemap_assets.tables.parts import read_part
from minemap_assets.tables.schemas import POLYGONS
from minemap_assets.tables.stacking import stack_files
from minemap_assets.tables.summaries import country_summary, imagery_clarity, region_summary
from region_parts import COUNTRIES, area, borders, part, site


def rows(frame: pd.DataFrame, key: str) -> dict[str, dict]:
    return {row[key]: row for row in frame.to_dict("records")}


def panel_of(parts) -> pd.DataFrame:
    return site_panel(2019, parts, borders(), WEAK)


def countries_of(parts) -> pd.DataFrame:
    return country_summary(2019, parts, panel_of(parts), COUNTRIES.drop(columns="geometry"), WEAK, borders)


WEAK = "weak"


def test_panel_tells_zero_from_missing() -> None:
    seen = part(
        "a",
        (0, 0, 5, 5),
        sites=[site("m1", 1, 1, 1.0, 0.0), site("m2", 2, 2, 0.0, reason="cloud"), site("m3", 3, 3, 0.5, 2.5)],
    )
    absent = part("b", (5, 0, 9, 5), sites=[site("m4", 6, 1)], made=False)
    panel = rows(panel_of([absent, seen]), "site_id")
    assert panel["m1"]["area_km2"] == panel["m1"]["clipped_km2"] == 0.0
    assert panel["m3"]["area_km2"] == 2.5
    assert pd.isna(panel["m2"]["area_km2"])
    assert pd.isna(panel["m2"]["clipped_km2"])
    assert panel["m2"]["status"] == "final"
    assert panel["m2"]["not_observed_reason"] == "cloud"
    assert pd.isna(panel["m1"]["not_observed_reason"])
    assert pd.isna(panel["m4"]["area_km2"])
    assert (panel["m4"]["status"], panel["m4"]["observed_share"]) == ("missing", 0.0)
    assert "have not been made" in panel["m4"]["not_observed_reason"]
    assert panel["m4"]["country_iso3"] == "XWA"


def test_countries_and_unassigned_are_the_total() -> None:
    boxes = [(9.9, 1, 10.3, 1.1), (2, 2, 2.1, 2.1), (40, 40, 40.1, 40.1)]
    frame = countries_of([part("a", (0, 0, 50, 50), boxes)])
    by = rows(frame, "iso3")
    assert by["XEA"]["polygons"] == 1
    assert by["XWA"]["polygons"] == 1
    assert by["XWA"]["area_km2"] == pytest.approx(area(shapely.box(9.9, 1, 10, 1.1)) + area(shapely.box(*boxes[1])))
    assert by[""]["name"] == "unassigned"
    assert by[""]["area_km2"] == pytest.approx(area(shapely.box(*boxes[2])))
    assert frame["area_km2"].sum() == pytest.approx(sum(area(shapely.box(*b)) for b in boxes), rel=1e-12)
    assert by["XEA"]["mean_polygon_km2"] == pytest.approx(area(shapely.box(*boxes[0])))


def test_a_country_that_was_not_observed_is_null() -> None:
    sites = [site("m1", 1, 1, 1.0, 0.0), site("m2", 2, 1, 0.0), site("m3", 11, 1, 0.0)]
    by = rows(countries_of([part("a", (0, 0, 20, 10), sites=sites)]), "iso3")
    assert (by["XWA"]["area_km2"], by["XWA"]["polygons"], by["XWA"]["covered_share"]) == (0.0, 0, 0.5)
    assert pd.isna(by["XEA"]["area_km2"])
    assert pd.isna(by["XEA"]["polygons"])
    assert (by["XEA"]["sites_expected"], by["XEA"]["sites_observed"], by["XEA"]["covered_share"]) == (1, 0, 0.0)
    assert by[""]["area_km2"] == 0.0
    assert pd.isna(by[""]["covered_share"])


def test_territories_name_their_state() -> None:
    by = rows(countries_of([part("a", (0, 0, 20, 10), sites=[site("m1", 11, 1, 1.0, 0.0)])]), "iso3")
    assert [by["XEA"][name] for name in ("name", "sovereign_iso3", "sovereign_name")] == ["East", "XWA", "West"]
    assert [by[""][name] for name in ("sovereign_iso3", "sovereign_name")] == ["", "unassigned"]


def test_status_is_final_only_where_all_is() -> None:
    final = part("a", (0, 0, 5, 10), [(1, 1, 1.1, 1.1)], [site("m1", 1, 1, 1.0, 1.0)])
    late = part("b", (5, 0, 9, 10), [(7, 7, 7.1, 7.1)], [site("m2", 7, 7, 1.0, 1.0)], status="provisional")
    assert rows(countries_of([final]), "iso3")["XWA"]["status"] == "final"
    assert rows(countries_of([final, late]), "iso3")["XWA"]["status"] == "provisional"
    absent = part("b", (5, 0, 9, 10), sites=[site("m2", 7, 7, 1.0, 1.0)], made=False)
    assert rows(countries_of([final, absent]), "iso3")["XWA"]["status"] == "provisional"
    assert rows(countries_of([absent]), "iso3")["XWA"]["status"] == "missing"


def test_region_summary() -> None:
    sites = [site("m1", 1, 1, 1.0, 1.0), site("m2", 2, 2, 0.5, 0.0), site("m3", 3, 3, 0.0)]
    parts = [
        part("b", (5, 0, 9, 5), sites=[site("m4", 6, 1)], made=False),
        part("a", (0, 0, 5, 5), [(1, 1, 1.1, 1.1)], sites),
        part("c", (5, 5, 9, 9), sites=[site("m5", 6, 6, 0.0)]),
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
        part("a", (0, 0, 20, 10), [(9.9, 1, 10.3, 1.1)], [site("m1", 1, 1, 1.0, 0.0)]),
        part("b", (0, 0, 1, 1), made=False),
    ]
    polygons = publish(lake, "polygons", lambda w: build_polygons(2019, parts, w, WEAK))
    assert polygons.names() == ("polygon_country_area.parquet", "polygons.parquet")
    assert polygons.manifest.summary["regions_missing"] == ["b"]
    assert pd.read_parquet(polygons.file("polygons.parquet"))["model_verdict"].tolist() == [WEAK]
    panel = publish(lake, "site_panel", lambda w: build_site_panel(2019, parts, borders(), w, WEAK))
    assert panel.manifest.summary["sites_observed"] == 1
    assert set(pd.read_parquet(panel.file("site_panel.parquet"))["model_verdict"]) == {WEAK}
    told = panel_of(parts)
    countries = publish(
        lake, "country_summary", lambda w: build_country_summary(2019, parts, told, COUNTRIES, w, WEAK, borders)
    )
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
    made = part("a", (0, 0, 20, 10), [(9.9, 1, 10.3, 1.1)], [site("m1", 1, 1, 0.5, 3.0)])

    def sites(writer) -> Outcome:
        frame = gpd.GeoDataFrame(made.sites, geometry=list(made.ground.geometry), crs="EPSG:4326")
        writer.write("sites.parquet", frame.to_parquet)
        writer.write("owned_ground.parquet", lambda path: write_geoparquet(made.ground, path))
        return Outcome()

    def mining(writer) -> Outcome:
        for file in made.mining.path.parent.iterdir():
            writer.write(file.name, lambda path, file=file: path.write_bytes(file.read_bytes()))
        return Outcome()

    places = publish(lake, "sites", sites)
    again = read_part(made.region, places, places, publish(lake, "x", mining))
    pd.testing.assert_frame_equal(countries_of([again]), countries_of([made]))
    assert again.cells == made.cells
    assert read_part(made.region, places, None, None).mining is None


def test_a_table_that_breaks_its_schema_is_refused() -> None:
    good = read_geoparquet(part("a", (0, 0, 20, 10), [(1, 1, 1.1, 1.1)]).mining.path)
    with pytest.raises(PermanentError, match="lacks the column year"):
        conform(good.drop(columns="year"), MINING_POLYGONS)
    with pytest.raises(PermanentError, match="empty area_km2"):
        conform(good.assign(area_km2=np.nan), MINING_POLYGONS)
    with pytest.raises(PermanentError, match="same polygon_id"):
        conform(pd.concat([good, good]), MINING_POLYGONS)


def test_stacked_files_hold_the_rows_of_all_and_break_no_schema(tmp_path: Path) -> None:
    """Also one without rows, whose bounds are nowhere."""
    one = part("a", (0, 0, 20, 10), [(9.9, 1, 10.3, 1.1), (1, 1, 2, 2)]).mining
    other, empty = part("b", (0, 0, 20, 10), [(3, 3, 4, 4)]).mining, part("c", (0, 0, 1, 1)).mining
    path, marks = tmp_path / "all.parquet", {"model_verdict": WEAK}
    stack_files([one.path, empty.path, other.path], POLYGONS, path, marks)
    whole = gpd.read_parquet(path)
    assert list(whole.columns) == list(POLYGONS.names)
    assert whole["polygon_id"].tolist() == ["a-0", "a-1", "b-0"]
    assert whole.crs == "EPSG:4326"
    alone = [read_geoparquet(files.path) for files in (one, other)]
    pd.testing.assert_frame_equal(
        pd.DataFrame(whole.drop(columns="model_verdict")), pd.DataFrame(pd.concat(alone, ignore_index=True))
    )
    assert gpd.read_parquet(path, bbox=(0, 0, 2.5, 2.5))["polygon_id"].tolist() == ["a-1"]
    assert json.loads(pq.read_schema(path).metadata[b"geo"])["columns"]["geometry"]["bbox"] == [1, 1, 10.3, 4]
    stack_files([empty.path], POLYGONS, path, marks)
    assert len(gpd.read_parquet(path)) == 0
    stack_files([], POLYGONS, path, marks)
    assert pq.read_schema(path).names[: len(POLYGONS.names)] == list(POLYGONS.names)
    with pytest.raises(PermanentError, match="two rows with the same polygon_id"):
        stack_files([one.path, one.path], POLYGONS, path, marks)
    with pytest.raises(PermanentError, match="lacks the column model_verdict"):
        stack_files([one.path], POLYGONS, path)
