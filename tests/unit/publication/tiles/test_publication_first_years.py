"""The first year of an outline is that of the mine that it shares most ground with."""

import geopandas as gpd
from shapely.geometry import box

from minemap_assets.publication.tiles.first_years import with_first_year


def frame(shapes: list[object], **columns: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def test_the_mine_with_most_of_the_ground_says_when_it_began() -> None:
    polygons = frame([box(0, 0, 10, 10), box(20, 0, 30, 10), box(40, 0, 50, 10)], polygon_id=["a", "b", "c"])
    mines = frame(
        [box(0, 0, 4, 10), box(4, 0, 10, 10), box(20, 0, 30, 10), box(30, 0, 31, 10)],
        first_year=[2016, 2018, 2020, 2021],
    )
    found = with_first_year(polygons, mines)["first_year"]
    assert found.tolist()[:2] == [2018, 2020]
    assert found.isna().tolist() == [False, False, True]


def test_without_any_mine_nothing_is_known() -> None:
    found = with_first_year(frame([box(0, 0, 1, 1)], polygon_id=["a"]), frame([], first_year=[]))
    assert found["first_year"].isna().all()
