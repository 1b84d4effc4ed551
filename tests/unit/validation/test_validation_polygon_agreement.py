"""Outlines against outlines: squares of known overlap, and published annotations before and after their correction."""

import math
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.vector import WGS84
from minemap_assets.validation.polygon_agreement import PolygonAgreement, agreement


def metric(*boxes: tuple[float, float, float, float]) -> shapely.Geometry:
    """Boxes in metres around a place, in degrees."""
    moved = [shapely.box(w + 500_000, s + 600_000, e + 500_000, n + 600_000) for w, s, e, n in boxes]
    return shapely.union_all(list(to_wgs84(moved, "EPSG:32630")))


def test_squares_of_known_overlap() -> None:
    square, shifted = metric((0, 0, 1000, 1000)), metric((100, 0, 1100, 1000))
    found = agreement(square, shifted)
    assert found.iou == pytest.approx(900 / 1100, abs=1e-4)
    # of each outline two sides of 900 m are shared, and 10 m more around each of four corners
    assert found.boundary_f1 == pytest.approx((2 * 900 + 4 * 10) / 4000, abs=1e-3)
    assert (agreement(square, square).iou, agreement(square, square).boundary_f1) == (1.0, pytest.approx(1.0))
    apart = agreement(square, metric((5000, 0, 6000, 1000)))
    assert (apart.iou, apart.boundary_f1) == (0.0, 0.0)
    wide = agreement(square, shifted, tolerance_m=101.0)
    assert wide.boundary_f1 == pytest.approx(1.0, abs=1e-3)


def test_the_edge_of_a_window_is_no_outline_and_places_add_up() -> None:
    window = metric((-500, -500, 500, 1500))
    cut = agreement(metric((0, 0, 1000, 1000)), metric((0, 0, 2000, 1000)), window)
    assert (cut.iou, cut.boundary_f1) == (pytest.approx(1.0, abs=1e-4), pytest.approx(1.0))
    assert cut.length_km == pytest.approx(2.0, abs=0.01)  # three sides, of which two end at the window
    both = cut + agreement(metric((0, 0, 1000, 1000)), metric((5000, 0, 6000, 1000)))
    assert both.iou == pytest.approx(0.5 / 2.5, abs=1e-3)
    assert math.isnan(PolygonAgreement().iou)
    assert math.isnan(PolygonAgreement().boundary_f1)


def test_original_against_corrected_annotations(test_data: Path) -> None:
    """All 116 tiles have IoU 0.9637 and boundary F1 0.9230; every fourth is compared here."""
    file = test_data / "mine-segmentation-test-annotations" / "mining_tiles_test_annotations.gpkg"
    tiles, original, corrected = (
        gpd.read_file(file, layer=layer).to_crs(WGS84).set_index("tile_id").sort_index().geometry.iloc[::4]
        for layer in ("tiles", "polygons_original", "polygons_annotated")
    )
    found = [agreement(*three) for three in zip(original, corrected, tiles, strict=True)]
    pooled = sum(found, PolygonAgreement())
    assert len(found) == 29
    assert pooled.iou == pytest.approx(0.9579, abs=2e-4)
    assert pooled.boundary_f1 == pytest.approx(0.9176, abs=5e-4)
