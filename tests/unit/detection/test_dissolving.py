"""From patches to outlines, and what a year adds: drawn by hand, and the published results on real detections."""

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minemap_assets.detection.dissolving import added, dissolve

MERCATOR_HA, TRUE_HA = "EPSG:3857", "EPSG:6933"


def golden(name: str) -> gpd.GeoDataFrame:
    """Real patches or outlines."""
    if "MINEMAP_TEST_DATA" not in os.environ:
        pytest.skip("MINEMAP_TEST_DATA names no folder of real data")
    return gpd.read_file(Path(os.environ["MINEMAP_TEST_DATA"]) / "earth-genome-detector" / "golden" / f"{name}.geojson")


def hectares(outlines: list[shapely.Geometry], crs: str) -> np.ndarray:
    """Areas of outlines in EPSG:4326."""
    return np.asarray(gpd.GeoSeries(outlines, crs="EPSG:4326").to_crs(crs).area) / 1e4


def square(x: float, y: float, side: float = 0.004) -> shapely.Polygon:
    """A patch."""
    return shapely.box(x, y, x + side, y + side)


def test_patches_that_touch_are_one_outline() -> None:
    found = dissolve([square(0.0, 0.0), square(0.002, 0.0), square(0.0061, 0.004), square(0.1, 0.0)])
    assert len(found) == 3
    assert found[0].equals_exact(shapely.box(0.0, 0.0, 0.006, 0.004), 1e-9) or found[0].area == pytest.approx(2.4e-5)


def test_patches_that_touch_at_a_corner_are_one_outline_of_two_parts() -> None:
    (found,) = dissolve([square(0.0, 0.0), square(0.004, 0.004)])
    assert found.geom_type == "MultiPolygon"
    assert found.area == pytest.approx(2 * 0.004**2)


def test_published_patches_give_the_published_outlines() -> None:
    patches = golden("patches_v3.7_amazon_1")
    found = dissolve(patches.geometry[patches["pred"] > 0.8])
    theirs = golden("dissolved_v3.7_amazon_1_over0.8_mitre").geometry
    assert len(found) == len(theirs) == 291
    apart = shapely.symmetric_difference(shapely.union_all(found), shapely.union_all(theirs.to_numpy()))
    assert hectares([apart], TRUE_HA).sum() < 0.01


def test_edges_that_moved_by_a_pixel_are_no_new_ground() -> None:
    before = [square(0.0, 0.0)]
    moved, grown = square(0.0001, 0.0), square(0.0, 0.0, 0.008)
    assert added([moved], before) == []
    assert sum(piece.area for piece in added([grown], before)) == pytest.approx(0.008**2 - 0.004**2)


def test_an_outline_far_from_all_earlier_ones_is_added_whole() -> None:
    (found,) = added([square(0.1, 0.0)], [square(0.0, 0.0)])
    assert found.equals(square(0.1, 0.0)) or found.area == pytest.approx(0.004**2)


def test_real_years_give_the_reproduced_growth() -> None:
    """Regression values of an independent run: 2,533 outlines of 371,613 ha, growth 2,376 of 143,292 ha."""
    before, after = golden("dissolved_v3.1_amazon_4_2019").geometry, golden("dissolved_v3.1_amazon_4_2023").geometry
    cumulative = dissolve([*before, *after])
    assert len(cumulative) == 2533
    assert hectares(cumulative, TRUE_HA).sum() == pytest.approx(371_613, abs=1.0)
    growth = added(cumulative, list(before))
    theirs = hectares(growth, TRUE_HA)[hectares(growth, MERCATOR_HA) > 11.0]
    assert len(theirs) == 2376
    assert theirs.sum() == pytest.approx(143_292, abs=1.0)
