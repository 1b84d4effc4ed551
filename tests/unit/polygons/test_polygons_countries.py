"""Countries: largest share, exact split, coasts, and nothing counted twice."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.geo.vector import areas_km2
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.polygons.countries import Borders, country_names, largest_share
from minemap_assets.reference.boundaries import country_table


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


@pytest.mark.parametrize(
    ("name", "others"),
    [("countries-10m.json", []), ("countries-50m.json", [(23438, "ZAF", "NAM")])],
    ids=["10m", "50m"],
)
def test_the_papers_labels(name: str, others: list[tuple[int, str, str]]) -> None:
    """All 100 with the large file; with the small one a mine on the Orange River lies on the other bank."""
    data = os.environ.get("MINEMAP_TEST_DATA")
    if not data:
        pytest.skip("set MINEMAP_TEST_DATA to the folder with natural-earth and p0017-paper-demo-polygons to run this")
    source = read_vector(Path(data) / "natural-earth" / name, crs="EPSG:4326", known_layers=("countries",))
    mines = gpd.read_file(Path(data) / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg")
    frame = Borders(country_table(source)).split(np.asarray(mines.geometry, dtype=object))
    codes = largest_share(frame, len(mines))
    labels = zip(mines["id"], mines["ISO3_CODE"], codes, strict=True)
    # without the coast tolerance one of them, on Fiji, lies outside every country
    assert [row for row in labels if row[1] != row[2]] == others
    areas = areas_km2(mines.geometry)
    parts = frame["share"].to_numpy() * areas[frame["polygon"].to_numpy()]
    assert parts.sum() == pytest.approx(areas.sum(), rel=1e-12)


def plainly(zones: list[tuple[str, shapely.Geometry]], polygons: np.ndarray) -> pd.DataFrame:
    """Shares by looking at every country, the first in the alphabet first, without a tolerance."""
    parts, rest = [], polygons
    for code, zone in sorted(zones):
        parts.append((code, shapely.intersection(rest, zone)))
        rest = shapely.difference(rest, zone)
    areas = pd.DataFrame({c: areas_km2(gpd.GeoSeries(p, crs="EPSG:4326")) for c, p in [*parts, ("", rest)]})
    shares = areas.div(areas.sum(axis=1), axis=0).rename_axis("polygon").reset_index()
    long = shares.melt(id_vars="polygon", var_name="iso3", value_name="share")
    return long[long["share"] > 1e-9].sort_values(["polygon", "iso3"], ignore_index=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_groups_and_tiles_change_nothing(seed: int) -> None:
    """Many polygons in clusters over wriggly and overlapping countries, against looking at each alone."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    zones = []
    for n in range(6):
        ring = rng.uniform(0.5, 6) * (1 + 0.3 * rng.random((60, 1))) * np.column_stack([np.cos(turn), np.sin(turn)])
        zones.append((f"X{chr(65 + n)}A", shapely.Polygon(ring + rng.uniform(-8, 8, 2))))
    places = np.repeat(rng.uniform(-12, 12, (6, 2)), 12, axis=0) + rng.normal(0, 0.3, (72, 2))
    sizes = rng.uniform(0.002, 0.05, 72) * np.where(np.arange(72) % 24, 1.0, 60.0)
    polygons = np.array([shapely.Point(p).buffer(r, quad_segs=3) for p, r in zip(places, sizes, strict=True)])
    frame = Borders(boundaries(*zones), tolerance_km=0.0).split(polygons)
    pd.testing.assert_frame_equal(frame, plainly(zones, polygons), check_dtype=False, rtol=1e-6)


def test_the_nearest_country_is_the_one_with_the_shortest_way() -> None:
    """Points around four islands in two UTM zones, against distances to every one of them."""
    rng = np.random.default_rng(0)
    zones = [
        (f"X{n}A", shapely.Point(x, 60.0).buffer(0.1)) for n, x in zip("DCBA", (5.7, 5.95, 6.15, 6.4), strict=True)
    ]
    points = shapely.points(rng.uniform([5.4, 59.8], [6.7, 60.2], (300, 2)))
    frame = boundaries(*zones)
    expected = []
    for point in points:
        zone = f"EPSG:{32631 if point.x < 6 else 32632}"
        here, *there = gpd.GeoSeries([point, *frame.sort_values("iso3").geometry], crs="EPSG:4326").to_crs(zone)
        far = [one.distance(here) for one in there]
        expected.append(sorted(frame["iso3"])[int(np.argmin(far))] if min(far) <= 5000.0 else "")
    assert Borders(frame).of_points(points) == expected
    assert {"", "XAA", "XBA", "XCA", "XDA"} == set(expected)


def test_the_state_of_a_territory_is_named() -> None:
    frame = boundaries(WEST).assign(sovereign_iso3="XEA", sovereign_name="Land of XEA")
    names = country_names(frame)
    assert (names["XWA"].sovereign_iso3, names["XWA"].sovereign_name) == ("XEA", "Land of XEA")
    assert (names[""].sovereign_iso3, names[""].sovereign_name) == ("", "unassigned")
