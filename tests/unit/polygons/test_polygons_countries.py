"""Countries: largest share, exact split, coasts, and nothing counted twice."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.geo.vector import areas_km2
from minemap_assets.polygons.countries import Borders, country_names, largest_share


def boundaries(*rows) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "iso3": [r[0] for r in rows],
            "name": [f"Land of {r[0]}" for r in rows],
            "continent": ["Testia" for _ in rows],
        },
        geometry=[r[1] for r in rows],
        crs="EPSG:4326",
    )


WEST, EAST = ("XWA", shapely.box(0, 0, 10, 10)), ("XEA", shapely.box(10, 0, 20, 10))


def split(polygon, *rows, tolerance_km: float = 5.0) -> dict[str, float]:
    frame = Borders(boundaries(*rows), tolerance_km).split(np.array([polygon], dtype=object))
    return dict(zip(frame["iso3"], frame["share"], strict=True))


def test_largest_share_wins_and_the_split_is_exact() -> None:
    polygon = shapely.box(9.7, 4, 10.1, 4.1)
    shares = split(polygon, WEST, EAST)
    assert shares == pytest.approx({"XWA": 0.75, "XEA": 0.25})
    frame = Borders(boundaries(WEST, EAST)).split(np.array([polygon], dtype=object))
    assert largest_share(frame, 1) == ["XWA"]


def test_order_of_boundaries_does_not_matter() -> None:
    polygon = shapely.box(9.7, 4, 10.1, 4.1)
    assert split(polygon, EAST, WEST) == split(polygon, WEST, EAST)


def test_off_the_coast() -> None:
    """0.02 degrees are 2.2 km: land's; 1 degree is open sea."""
    assert split(shapely.box(20.02, 5, 20.03, 5.01), WEST, EAST) == {"XEA": 1.0}
    assert split(shapely.box(21, 5, 21.01, 5.01), WEST, EAST) == {"": 1.0}
    assert split(shapely.box(20.02, 5, 20.03, 5.01), WEST, EAST, tolerance_km=1.0) == {"": 1.0}


def test_across_the_coast_the_rest_goes_to_the_land() -> None:
    assert split(shapely.box(19.99, 5, 20.01, 5.01), WEST, EAST) == {"XEA": pytest.approx(1.0)}


def test_unassigned_only_without_any_country() -> None:
    frame = Borders(boundaries(WEST, EAST), 0.0).split(
        np.array([shapely.box(19.9, 5, 21, 5.1), shapely.box(30, 5, 31, 5.1)], dtype=object)
    )
    assert largest_share(frame, 2) == ["XEA", ""]
    assert frame.groupby("polygon")["share"].sum().tolist() == pytest.approx([1.0, 1.0])


def test_overlapping_claims_count_once() -> None:
    other = ("XDI", shapely.box(9, 0, 11, 10))
    shares = split(shapely.box(8, 4, 12, 5), WEST, EAST, other)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares == pytest.approx({"XDI": 0.5, "XEA": 0.25, "XWA": 0.25})


def test_points_and_names() -> None:
    borders = Borders(boundaries(WEST, EAST))
    points = np.array([shapely.Point(5, 5), shapely.Point(20.01, 5), shapely.Point(40, 5)], dtype=object)
    assert borders.of_points(points) == ["XWA", "XEA", ""]
    names = country_names(boundaries(WEST, EAST))
    assert (names["XWA"].name, names[""].name, names[""].continent) == ("Land of XWA", "unassigned", "")


def test_no_boundaries_and_no_polygons() -> None:
    assert split(shapely.box(0, 0, 1, 1)) == {"": 1.0}
    assert len(Borders(boundaries(WEST)).split(np.zeros(0, dtype=object))) == 0


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-1, 21), st.floats(-1, 11), st.floats(0.01, 3), st.floats(0.01, 3)), max_size=8),
    st.floats(0, 20),
)
def test_shares_add_up(boxes, border: float) -> None:
    polygons = np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes], dtype=object)
    two = boundaries(("XWA", shapely.box(0, 0, border + 0.5, 10)), ("XEA", shapely.box(border, 0, 20, 10)))
    frame = Borders(two).split(polygons)
    assert frame.groupby("polygon")["share"].sum().tolist() == pytest.approx([1.0] * len(boxes))
    assert (frame["share"] > 0).all()
    assert not frame.duplicated(["polygon", "iso3"]).any()


def test_real_borders() -> None:
    data = os.environ.get("MINEMAP_TEST_DATA")
    if not data:
        pytest.skip("set MINEMAP_TEST_DATA to the folder with natural-earth and p0017-paper-demo-polygons to run this")
    countries = gpd.read_file(Path(data) / "natural-earth" / "countries-10m.json", layer="countries")
    countries = countries.set_crs("EPSG:4326", allow_override=True)
    code = next(c for c in countries.columns if c.lower() in ("isoa3", "iso_a3", "iso3"))
    countries["iso3"] = countries[code].fillna("")
    countries["geometry"] = shapely.make_valid(np.asarray(countries.geometry, dtype=object))
    mines = gpd.read_file(Path(data) / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg")
    frame = Borders(countries).split(np.asarray(mines.geometry, dtype=object))
    codes = largest_share(frame, len(mines))
    agree = [ours == theirs for ours, theirs in zip(codes, mines["ISO3_CODE"], strict=True)]
    # without the coast tolerance one of them, on Fiji, lies outside every country
    assert sum(agree) == len(mines)
    areas = areas_km2(mines.geometry)
    parts = frame["share"].to_numpy() * areas[frame["polygon"].to_numpy()]
    assert parts.sum() == pytest.approx(areas.sum(), rel=1e-12)
