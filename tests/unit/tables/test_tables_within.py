"""Areas within features: exact, each ground once, and no zero where nobody looked."""

import geopandas as gpd
import pytest
import shapely

from minemap_assets.tables.within import AreaWithin, area_within
from region_parts import Box, area, part, site

MINE = (4.0, 1.0, 4.02, 1.01)
OWNED = {"owned": (3.99, 0.99, 4.03, 1.03)}
HALF = (4.01, 0.9, 5.0, 1.1)


def asked(parts, *features: Box) -> list[AreaWithin]:
    shapes = [shapely.box(*box) for box in features]
    names = [str(number) for number in range(len(shapes))]
    return area_within(2019, parts, gpd.GeoDataFrame({"name": names}, geometry=shapes, crs="EPSG:4326"))


def km2(box: Box) -> float:
    return area(shapely.box(*box))


def test_features_share_a_mine_exactly_and_add_up() -> None:
    one = part("a", (0, 0, 5, 5), [MINE], [site("m1", 4.01, 1.01, 0.75, km2(MINE), **OWNED)])
    west, east, all_ = asked([one], (3.0, 0.9, 4.01, 1.1), HALF, (0, 0, 5, 5))
    assert east.area_km2 == pytest.approx(km2((4.01, 1.0, 4.02, 1.01)), rel=1e-9)
    assert west.area_km2 + east.area_km2 == pytest.approx(all_.area_km2, rel=1e-9)
    assert all_.area_km2 == pytest.approx(km2(MINE), rel=1e-9)
    assert (all_.polygons, all_.sites_expected, all_.sites_observed, all_.covered_share) == (1, 1, 1, 0.75)
    assert all_.feature_km2 == pytest.approx(km2((0, 0, 5, 5)), rel=1e-9)
    assert (all_.status, all_.reason, all_.feature) == ("final", "", 3)


def test_nothing_mapped_is_not_nothing_there() -> None:
    sites = [site("seen", 1, 1, 1.0, 0.0), site("hidden", 2, 1), site("far", 3, 1), site("far2", 3.1, 1)]
    sites[1]["observed_share"] = sites[2]["observed_share"] = sites[3]["observed_share"] = 0.0
    parts = [part("a", (0, 0, 5, 5), sites=sites), part("b", (5, 0, 9, 5), sites=[site("m", 6, 1)], made=False)]
    boxes = [(x - 0.02, 0.9, x + 0.02, 1.1) for x in (1, 2, 4, 6)]
    seen, hidden, empty, absent, several = asked(parts, *boxes, (2.9, 0.9, 3.2, 1.1))
    assert (seen.area_km2, seen.reason) == (0.0, "")
    assert (hidden.area_km2, hidden.reason) == (None, "its only site was not observed")
    assert (empty.area_km2, empty.covered_share, empty.status) == (None, None, "missing")
    assert empty.reason == "no known site has ground there"
    assert (absent.area_km2, absent.sites_expected, absent.status) == (None, 1, "missing")
    assert several.reason == "none of its 2 sites was observed"


def test_ground_of_several_regions_counts_once() -> None:
    told = [site("m1", 4.01, 1.01, 1.0, km2(MINE), **OWNED)]
    parts = [part("a", (0, 0, 5, 5), [MINE], told), part("b", (3, 0, 9, 5), [MINE], told)]
    (row,) = asked(parts, HALF)
    assert row.area_km2 == pytest.approx(km2((4.01, 1.0, 4.02, 1.01)), rel=1e-9)
    assert (row.polygons, row.sites_expected) == (1, 1)
    blind = [part("a", (0, 0, 5, 5), made=False, sites=told), parts[1]]
    (row,) = asked(blind, HALF)
    assert (row.sites_observed, row.status) == (1, "final")
    assert row.area_km2 == pytest.approx(km2((4.01, 1.0, 4.02, 1.01)), rel=1e-9)
