"""Smoothed outlines keep every ring's area, stay within half a pixel, and lie nearer to the shapes that masks show."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from odc.geo.geobox import GeoBox

from mask_world import mine, table
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.smoothing import BOUNDARY_ERROR, smoothed

PIXEL = 5.0


def outlined(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    grid = GeoBox(mask.shape, Affine(PIXEL, 0.0, 600_000.0, 0.0, -PIXEL, 9_000_000.0), "EPSG:32630")
    return outline(mask, grid).polygons


def furthest(geometry: shapely.Geometry, other: shapely.Geometry) -> float:
    """Pixels from the point of one geometry's boundary that lies furthest from the other's boundary."""
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(geometry.boundary, PIXEL / 8)))
    return float(shapely.distance(points, other.boundary).max()) / PIXEL


def ring_areas(polygon: shapely.Polygon) -> npt.NDArray[np.float64]:
    return np.asarray(shapely.area(shapely.polygons(shapely.get_rings(polygon))), dtype=np.float64)


def assert_kept(before: npt.NDArray[np.object_], after: npt.NDArray[np.object_]) -> None:
    assert shapely.is_valid(after).all()
    for old, new in zip(before, after, strict=True):
        assert ring_areas(new) == pytest.approx(ring_areas(old), rel=1e-9)
        assert furthest(new, old) <= BOUNDARY_ERROR


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (9, 9)))
def test_any_mask_keeps_its_areas_and_its_place(mask: npt.NDArray[np.bool_]) -> None:
    before = outlined(mask)
    after = smoothed(before, PIXEL)
    assert_kept(before, after)
    left, right = shapely.STRtree(after).query(after, predicate="intersects")
    assert np.array_equal(left, right)


def ellipse(width: float, height: float, turn: float, offset: float) -> tuple[npt.NDArray[np.bool_], shapely.Polygon]:
    """The mask of an ellipse of so many pixels, and the ellipse itself where `outlined` puts it."""
    side = int(width) + 6
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    middle = side / 2 + offset
    u = (x - middle) * np.cos(turn) + (y - middle) * np.sin(turn)
    v = (y - middle) * np.cos(turn) - (x - middle) * np.sin(turn)
    angle = np.linspace(0.0, 2 * np.pi, 2_000, endpoint=False)
    a, b = np.cos(angle) * width / 2, np.sin(angle) * height / 2
    ring = np.column_stack([middle + a * np.cos(turn) - b * np.sin(turn), middle + a * np.sin(turn) + b * np.cos(turn)])
    ground = np.array([600_000.0, 9_000_000.0]) + ring * np.array([PIXEL, -PIXEL])
    return (2 * u / width) ** 2 + (2 * v / height) ** 2 <= 1.0, shapely.Polygon(ground)


def test_discs_and_ellipses_are_nearer_to_the_truth_than_pixel_edges() -> None:
    random = np.random.default_rng(3)
    bias, errors, edges, points = [], [], [], []
    for size in (4, 6, 10, 20, 50, 100, 200):
        for flat in (1.0, 0.6):
            mask, truth = ellipse(size, flat * size, *random.uniform([0.0, -0.5], [np.pi, 0.5]))
            before = outlined(mask)
            after = smoothed(before, PIXEL)
            assert_kept(before, after)
            bias.append(after[0].area / truth.area - 1.0)
            errors.append(furthest(after[0], truth))
            edges.append(furthest(before[0], truth))
            points.append(len(after[0].exterior.coords) / len(before[0].exterior.coords))
    assert abs(np.mean(bias[4:])) < 0.005
    assert max(errors) < 0.55
    assert np.mean(errors) < 0.5
    assert np.mean(edges) > 0.6
    assert max(points[8:]) < 0.6


def test_holes_keep_their_areas_and_multipolygons_their_parts() -> None:
    mask, _ = ellipse(40, 30, 0.4, 0.2)
    hole, _ = ellipse(12, 8, 1.0, 0.1)
    start = (len(mask) - len(hole)) // 2
    mask[start : start + len(hole), start : start + len(hole)] &= ~hole
    ring = outlined(mask)[0]
    both = np.array(
        [ring, shapely.MultiPolygon([ring, shapely.transform(ring, lambda xy: xy + 1_000.0)])], dtype=object
    )
    after = smoothed(both, PIXEL)
    assert [g.geom_type for g in after] == ["Polygon", "MultiPolygon"]
    assert_kept(shapely.get_parts(both), shapely.get_parts(after))
    assert len(after[0].interiors) == 1
    assert len(smoothed(np.zeros(0, dtype=object), PIXEL)) == 0


def test_outlines_of_any_other_kind_keep_their_areas_and_their_place_too() -> None:
    random = np.random.default_rng(8)
    turn = np.linspace(0.0, 2 * np.pi, 14, endpoint=False)
    radius = PIXEL * random.uniform(0.1, 6.0, (200, 14))
    stars = shapely.polygons(radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1))
    after = smoothed(stars, PIXEL)
    assert_kept(stars, after)


def test_real_masks_lose_points_and_no_area() -> None:
    data = os.environ.get("MINEMAP_TEST_DATA")
    if not data:
        pytest.skip("set MINEMAP_TEST_DATA to the folder with tailings-seg-s2-brazil to run this")
    import rasterio

    before = []
    for path in sorted((Path(data) / "tailings-seg-s2-brazil" / "mask_tiff").glob("*.tif"))[:12]:
        with rasterio.open(path) as source:
            before.extend(outlined(source.read(1) > 0))
    polygons = np.array(before, dtype=object)
    after = smoothed(polygons, PIXEL)
    assert_kept(polygons, after)
    assert shapely.get_num_coordinates(after).sum() < 0.75 * shapely.get_num_coordinates(polygons).sum()


def test_tables_add_up_as_they_do_along_pixels(world) -> None:
    row, column = np.indices((64, 64))
    slope = np.where((row + column // 2 > 30) & (row < 50) & (column > 8), 254, 0).astype(np.uint8)
    for year in (2018, 2019):
        world.masks(year, {"a": slope, "b": slope})
    found = {}
    for kind in ("pixels", "smoothed"):
        made = mine(world, config=PolygonsConfig(rule="intersect", outlines=kind))
        names = ("mining_polygons", "site_area", "polygon_country_area")
        found[kind] = [table(made, name) for name in names]
    before, after = found["pixels"][0], found["smoothed"][0]
    assert len(before) == len(after)
    assert after.geometry.is_valid.all()
    for frame in found["smoothed"]:
        assert frame["area_km2"].sum() == pytest.approx(before["area_km2"].sum(), rel=1e-6)
    points = [shapely.get_num_coordinates(np.asarray(frame.geometry)).sum() for frame in (before, after)]
    assert points[1] < 0.7 * points[0]
