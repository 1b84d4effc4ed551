"""Chips around points: on the pixels of scans, with the point in the middle."""

import numpy as np
import pyproj

from minemap_assets.detection.patch_grid import PIXEL, crs_of
from minemap_assets.detection.point_chips import CHIP, point_table
from minemap_assets.detection.sampling_points import SamplingPoints
from minemap_assets.geo.grid import from_columns

POINTS = SamplingPoints(
    np.array([-59.99, 5.999, 6.001, 179.999]),
    np.array([-3.2, 50.0, 50.0, -16.0]),
    np.array([True, False, False, True]),
    ("a", "b", "c", "d"),
)


def test_each_point_lies_in_the_middle_pixel_of_its_chip_in_its_own_zone() -> None:
    table = point_table(POINTS).set_index("site_id")
    zones = (21, 31, 32, 60)
    for name, longitude, latitude, zone in zip(POINTS.ids, POINTS.longitudes, POINTS.latitudes, zones, strict=True):
        row = table.loc[name]
        grid = from_columns(row["crs"], row["transform"], row["width"], row["height"])
        assert str(grid.crs) == crs_of(zone)
        assert grid.shape == (CHIP, CHIP)
        a = grid.affine
        assert a.c % PIXEL == 0
        assert a.f % PIXEL == 0
        x, y = pyproj.Transformer.from_crs(4326, crs_of(zone), always_xy=True).transform(longitude, latitude)
        assert abs((x - a.c) / PIXEL - CHIP / 2) <= 0.5
        assert abs((a.f - y) / PIXEL - CHIP / 2) <= 0.5
