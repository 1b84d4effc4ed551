"""Series breaks: what changes between mapped years, and what is known of the step that it makes."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.imagery.build import INDEX_COLUMNS, write_index
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.schemas import TableSpec, write_table
from minemap_assets.polygons.series_tables import SERIES_COUNTRY_AREA, SERIES_POLYGONS, SERIES_SUMMARY
from minemap_assets.segmentation.evaluation.intervals import Interval
from minemap_assets.validation.series_breaks import (
    FILE,
    ImageryYear,
    Measure,
    break_frame,
    build_series_breaks,
    imagery_breaks,
    product_steps,
)
from minemap_assets.validation.series_overlap import (
    OURS,
    Change,
    areas_inside,
    change_between,
    series_breaks_of,
    series_changes,
)

NICFI, S2 = "planet-nicfi", "sentinel-2-l2a"
SEASON = "06-01 to 11-30"


def year(product: str, sources: str, season: str = SEASON) -> ImageryYear:
    """A year whose sites a, b, c ... have these sources, by their first letter."""
    names = {"p": "planet-basemaps", "s": "stac", "a": "archive"}
    return ImageryYear(product, season, {chr(97 + n): names[one] for n, one in enumerate(sources)})


def test_each_kind_of_change_is_a_row_and_an_unchanged_year_is_none() -> None:
    step = Measure(0.95, Interval(0.9, 1.02), "the reference year")
    years = {
        2016: year(NICFI, "pppp"),
        2017: year(NICFI, "pppp"),
        2018: year(NICFI, "ppaa"),
        2020: year(S2, "ssss"),
        2021: year(S2, "ssss", "07-01 to 09-30"),
    }
    rows = list(imagery_breaks("north", years, {(NICFI, S2): step}))
    assert [(row.year, row.previous_year, row.change) for row in rows] == [
        (2018, 2017, "source"),
        (2020, 2018, "product"),
        (2021, 2020, "season"),
    ]
    source, product, season = rows
    assert (source.before, source.after) == ("planet-basemaps", "archive (2), planet-basemaps (2)")
    assert (source.sites, source.changed_share, source.measured) == (4, 0.5, False)
    assert (product.before, product.after, product.measure) == (NICFI, S2, step)
    assert "-5.0 % (95 % interval -10.0 to +2.0 %)" in product.sentence
    assert (season.before, season.after, season.measured) == (SEASON, "07-01 to 09-30", False)
    assert season.sentence.endswith("and no overlap says by how much areas jump for that.")
    table = break_frame(rows)
    assert list(table["measurement"]) == ["unmeasured", "measured", "unmeasured"]
    assert table["step"].tolist()[1] == 0.95
    assert table["step"].isna().tolist() == [True, False, True]
    assert break_frame([]).dtypes.equals(table.dtypes)


def test_a_site_that_only_one_year_shows_changes_nothing() -> None:
    years = {2019: year(NICFI, "ppa"), 2020: year(NICFI, "pp")}
    assert list(imagery_breaks("north", years, {})) == []


def summary(**changes: Any) -> pd.DataFrame:
    row = {
        "product": NICFI,
        "other_product": S2,
        "ground": "all",
        "stratum": "all",
        "group": "",
        "sites": 40,
        "places": 20,
        "area_ratio": 0.8,
        "area_ratio_low": 0.7,
        "area_ratio_high": 0.9,
        "sentence": "told",
    }
    regions = [
        row | {"stratum": "region", "group": "north", "area_ratio": 0.5, "places": 5, "sentence": None},
        row | {"stratum": "region", "group": "small", "area_ratio": 0.1, "places": 2, "sentence": None},
    ]
    return pd.DataFrame([row | changes, *regions])


def test_a_step_is_that_of_the_region_where_it_has_places_enough_and_turns_round() -> None:
    there, back = (product_steps(summary(), "north")[pair] for pair in ((NICFI, S2), (S2, NICFI)))
    assert (there.ratio, back.ratio) == (0.5, 2.0)
    assert back.interval == Interval(1 / 0.9, 1 / 0.7)
    assert "5 places of north" in there.where
    assert product_steps(summary(), "small")[NICFI, S2].ratio == 0.8
    assert product_steps(summary(area_ratio_low=math.nan, area_ratio_high=math.nan), "small")[NICFI, S2].ratio == 0.8


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.local(tmp_path / "lake", tmp_path / "state")


def imagery(lake: Lake, region: str, of_year: int, product: str, sources: Mapping[str, str]) -> Partition:
    blank: dict[str, Any] = dict.fromkeys(INDEX_COLUMNS)
    blank |= {"year": of_year, "bytes": 0, "bytes_read": 0, "redistributable": True, "offset": 0.0}
    blank |= {
        "clear_fraction": 1.0,
        "clear_count_mean": 1.0,
        "largest_gap_ha": 0.0,
        "geometry": shapely.box(0, 0, 1, 1),
    }
    blank |= {"season_start": f"{of_year}-06-01", "season_end": f"{of_year}-11-30", "acquisitions": ["x"]}

    def build(writer: PartitionWriter) -> Outcome:
        rows = [blank | {"site_id": site, "source": source, "product": product} for site, source in sources.items()]
        writer.write("index.parquet", lambda path: write_index(rows, path))
        return Outcome({"product": product, "bands": ["red"]})

    ref = PartitionRef("imagery", "imagery", (region, str(of_year)))
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def test_the_table_is_made_from_what_was_fetched_and_measured(lake: Lake) -> None:
    years = {
        ("north", 2023): imagery(lake, "north", 2023, NICFI, {"a": "planet-basemaps", "b": "planet-basemaps"}),
        ("north", 2024): imagery(lake, "north", 2024, S2, {"a": "stac", "b": "stac"}),
        ("south", 2023): imagery(lake, "south", 2023, S2, {"c": "stac"}),
        ("south", 2024): imagery(lake, "south", 2024, S2, {"c": "earth-engine"}),
    }
    ref = PartitionRef("validation", "series_break")
    build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda w: build_series_breaks(years, summary(), (), w),
    )
    partition = lake.open(ref)
    frame = pd.read_parquet(partition.file(FILE)).set_index(["region", "year"])
    assert list(frame["change"]) == ["product", "source"]
    assert frame.loc[("north", 2024), "step"] == 0.5
    assert frame.loc[("south", 2024), "measurement"] == "unmeasured"
    said = partition.manifest.summary
    assert (said["rows"], said["changes"], said["unmeasured"]) == (2, {"product": 1, "source": 1}, 1)


@pytest.mark.parametrize(
    ("series", "ours", "expected"),
    [
        (range(2016, 2021), range(2019, 2025), Change(2021, 2020, to_ours=True)),
        (range(2016, 2019), range(2020, 2022), Change(2020, 2018, to_ours=True)),
        (range(2016, 2025), range(2019, 2022), Change(2019, 2018, to_ours=True)),
        (range(2022, 2025), range(2019, 2024), Change(2022, 2021, to_ours=False)),
        (range(2019, 2025), range(2019, 2022), Change(2022, 2021, to_ours=False)),
        (range(2019, 2022), range(2019, 2022), None),
        (range(0), range(2019, 2022), None),
    ],
)
def test_where_one_series_takes_over_from_another(series: range, ours: range, expected: Change | None) -> None:
    assert change_between(series, ours) == expected


def test_a_change_of_series_is_measured_by_country_where_both_have_years() -> None:
    series = {year: {"AAA": 10.0, "BBB": 4.0} for year in range(2016, 2021)}
    ours = {year: {"AAA": 11.0 + (year % 2), "CCC": 1.0} for year in range(2018, 2023)}
    rows = {row.country_iso3: row for row in series_breaks_of("paper", series, ours)}
    assert set(rows) == {"AAA", "BBB", "CCC"}
    measured = rows["AAA"]
    assert (measured.year, measured.previous_year, measured.before, measured.after) == (2021, 2020, "paper", OURS)
    assert measured.measure is not None
    assert measured.measure.ratio == pytest.approx((11 + 12 + 11) / 30)
    assert measured.measure.interval.low < measured.measure.ratio < measured.measure.interval.high
    assert measured.measure.where == "3 years from 2018 to 2020, inside our regions"
    assert not rows["BBB"].measured
    assert not rows["CCC"].measured
    apart = list(series_breaks_of("paper", {2010: {"AAA": 1.0}}, {2020: {"AAA": 2.0}}))
    assert [row.measured for row in apart] == [False]


def test_only_what_lies_inside_our_regions_is_compared() -> None:
    shapes = [shapely.box(0.0, 0.0, 0.1, 0.1), shapely.box(0.15, 0.0, 0.25, 0.1), shapely.box(5, 5, 5.1, 5.1)]
    polygons = gpd.GeoDataFrame({"polygon_id": ["in", "half", "out"]}, geometry=shapes, crs=WGS84)
    sizes = areas_km2(polygons.geometry)
    split = pd.DataFrame(
        {
            "polygon_id": ["in", "half", "half", "out"],
            "iso3": ["AAA", "AAA", "BBB", "AAA"],
            "area_km2": [sizes[0], sizes[1] * 0.25, sizes[1] * 0.75, sizes[2]],
        }
    )
    found = areas_inside(polygons, split, [shapely.box(-1, -1, 0.2, 1)])
    assert found == pytest.approx({"AAA": sizes[0] + sizes[1] / 8, "BBB": sizes[1] * 3 / 8})
    assert areas_inside(polygons, split, []) == {}


def made(lake: Lake, room: str, asset: str, *keys: str, **tables: tuple[TableSpec | None, pd.DataFrame]) -> Partition:
    """A partition of tables by file name."""

    def build(writer: PartitionWriter) -> Outcome:
        for name, (spec, frame) in tables.items():
            path = writer.path(f"{name}.parquet")
            if spec is None:
                frame.to_parquet(path)
            else:
                write_table(frame, spec, path)
            writer.add(f"{name}.parquet")
        return Outcome()

    ref = PartitionRef(room, asset, keys)
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def test_a_registered_series_is_compared_with_our_country_table(lake: Lake) -> None:
    """A series of 2018 to 2020, our maps of 2019 to 2021 with a tenth more; of one country we saw nothing in 2020."""
    rule = {"series": "paper", "country_name": "A", "continent": "X", "temporal_rule": "intersect-1", "status": "final"}
    polygons, areas, summaries = [], [], []
    for of_year in (2018, 2019, 2020):
        for place, code in enumerate(("AAA", "BBB", "ZZZ")):
            shape = shapely.box(place, 0, place + 0.1, 0.1)
            (size,) = areas_km2(gpd.GeoSeries([shape], crs=WGS84))
            row = {"polygon_id": f"{code}{of_year}", "year": of_year, "area_km2": size, "iso3": code}
            polygons.append(row | rule | {"country_iso3": code, "source_ids": ["1"], "geometry": shape})
            areas.append(row)
            summaries.append(row | rule | {"polygons": 1})
    series = made(
        lake,
        "polygons",
        "series_paper",
        polygons=(SERIES_POLYGONS, pd.DataFrame(polygons)),
        polygon_country_area=(SERIES_COUNTRY_AREA, pd.DataFrame(areas)),
        series_summary=(SERIES_SUMMARY, pd.DataFrame(summaries)),
    )
    size = areas[0]["area_km2"]
    ours = {}
    for of_year in (2019, 2020, 2021):
        seen = {"AAA": 1.1 * size, "BBB": math.nan if of_year == 2020 else 1.1 * size, "": 0.0}
        frame = pd.DataFrame({"iso3": list(seen), "area_km2": list(seen.values())})
        ours[of_year] = made(lake, "tables", "country_summary", str(of_year), country_summary=(None, frame))
    rows = series_changes({"paper": series}, ours, [shapely.box(-1, -1, 1.5, 1)])
    assert [(row.country_iso3, row.year, row.previous_year, row.after) for row in rows] == [
        ("AAA", 2021, 2020, OURS),
        ("BBB", 2021, 2020, OURS),
    ], "what lies outside our regions is not compared"
    measures = [row.measure for row in rows if row.measure is not None]
    assert [measure.ratio for measure in measures] == pytest.approx([1.1, 1.1])
    assert [measure.where for measure in measures] == [
        "2 years from 2019 to 2020, inside our regions",
        "2019, inside our regions",
    ]
    assert break_frame(rows)["step_low"].isna().all(), "two years are too few for an interval"
