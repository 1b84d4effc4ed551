"""A part of the dataset, from tables drawn by hand: which rows are in it, and which cannot be cut."""

from typing import Any, cast

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import Point, box

from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.publication.dataset.dataset_part import WHOLE, Part, cut, listed, runs_of
from minemap_assets.publication.dataset.dataset_tables import Table, described


class Drawn:
    """A project of two regions side by side."""

    def region(self, slug: str) -> Region:
        west = {"west": 0, "east": 1}[slug]
        return Region(slug, slug.title(), box(west, 0, west + 1, 1))


PROJECT = cast(Project, Drawn())


def table(name: str, **columns: list[Any]) -> Table:
    return described(name, "Rows.", pd.DataFrame(columns), {})


def points(name: str) -> Table:
    frame = gpd.GeoDataFrame({"year": [2018, 2019, 2018]}, geometry=[Point(0.5, 0.5)] * 2 + [Point(1.5, 0.5)], crs=4326)
    return described(name, "Points.", frame, {})


TABLES = (
    described(
        "polygons",
        "Polygons.",
        gpd.GeoDataFrame(
            {"polygon_id": ["w18", "w19", "e18"], "region": ["west", "west", "east"], "year": [2018, 2019, 2018]},
            geometry=[box(0, 0, 1, 1)] * 3,
            crs=4326,
        ),
        {},
    ),
    points("validation_points"),
    table("polygon_country_area", polygon_id=["w18", "w18", "w19", "e18"], iso3=["AAA", "BBB", "AAA", "BBB"]),
    table("site_panel", region=["west", "west", "east"], year=[2018, 2019, 2018], country_iso3=["AAA", "AAA", "CCC"]),
    table("country_summary", iso3=["", "AAA", "BBB", "CCC"], year=[2018] * 4),
    table("imagery_clarity", region=["west", "east", "(all)"], year=[2018] * 3),
    table("reference_validation", map=["mapped"] * 2, year=[2018, None]),
    table("model_evaluation", iou=[0.5]),
    table("continuity_summary", stratum=["all", "region", "region", "country"], group=["", "west", "east", "west"]),
    table("series_break", region=["west", "", ""], country_iso3=[None, "AAA", "BBB"], year=[2018] * 3),
)


def rows(part: Part) -> dict[str, pd.DataFrame]:
    return {one.name: one.frame for one in cut(TABLES, part, PROJECT)}


def test_every_table_is_cut_to_the_regions() -> None:
    kept = rows(Part(regions=("west",)))
    assert list(kept["polygons"]["polygon_id"]) == ["w18", "w19"]
    assert list(kept["polygon_country_area"]["polygon_id"]) == ["w18", "w18", "w19"]
    assert set(kept["site_panel"]["region"]) == set(kept["imagery_clarity"]["region"]) == {"west"}
    assert len(kept["validation_points"]) == 2
    assert list(kept["continuity_summary"]["group"]) == ["west"]
    assert list(kept["model_evaluation"]["iou"]) == [0.5]


def test_a_country_counts_only_where_it_lies_in_the_part_as_a_whole() -> None:
    west, east = rows(Part(regions=("west",))), rows(Part(regions=("east",)))
    assert list(west["country_summary"]["iso3"]) == ["AAA"], "some of BBB is mapped in the east"
    assert list(east["country_summary"]["iso3"]) == ["CCC"]
    assert list(west["series_break"]["country_iso3"].fillna("none")) == ["none", "AAA"]
    assert "series_break" not in east


def test_rows_of_all_regions_together_are_no_part() -> None:
    assert "reference_validation" not in rows(Part(regions=("west",)))
    assert list(rows(Part(years=(2018,)))["reference_validation"]["year"]) == [2018]


def test_years_are_cut_where_a_row_has_one() -> None:
    kept = rows(Part(years=(2019,)))
    assert list(kept["polygons"]["polygon_id"]) == list(kept["polygon_country_area"]["polygon_id"]) == ["w19"]
    assert len(kept["validation_points"]) == 1
    assert "country_summary" not in kept
    assert kept["polygons"].crs.to_epsg() == 4326


def test_a_whole_is_as_it_was() -> None:
    assert cut(TABLES, WHOLE, PROJECT) == TABLES
    assert WHOLE.sentences(PROJECT) == ()


def test_a_part_is_told_in_words() -> None:
    first, countries, dates = Part((2018, 2020), ("east", "west")).sentences(PROJECT)
    assert first == "This is a part of a larger dataset: the years 2018 and 2020 of the regions East and West."
    assert "countries only" in countries
    assert "site_history dates every mine" in dates
    assert Part(years=(2018,)).sentences(PROJECT)[0].endswith("the year 2018 of all regions.")


@pytest.mark.parametrize(
    ("years", "told"),
    [([2017], "2017"), ([2019, 2017, 2018], "2017 to 2019"), ([2015, 2017, 2018, 2021], "2015, 2017 to 2018 and 2021")],
)
def test_years_are_told_as_runs(years: list[int], told: str) -> None:
    assert runs_of(years) == told
    assert listed([]) == ""
