"""Outlines: the polygons of a binary mask, on pixel edges.

Edges follow pixel sides, so a polygon's area is its pixel count times the pixel's area, exactly; contours through pixel
centres lose 5 to 30 % of small mines (a defect of the published code).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon


@dataclass(frozen=True, eq=False)
class Outlines:
    """Polygons (N) in the grid's CRS with their pixel counts and mean values, in the order of their first pixel."""

    polygons: npt.NDArray[np.object_]
    pixels: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]


def outline(mask: npt.NDArray[np.bool_], grid: GeoBox, values: npt.NDArray[np.float32] | None = None) -> Outlines:
    """Outline the 4-connected parts of a (row, column) mask; `means` are of `values` (0 where none are given).

    4-connected parts are valid polygons always; pixels that only meet at a corner are separate ones.
    """
    if not mask.any():
        # rasterio spends 3 ms on finding nothing, and most masks are empty
        return Outlines(np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64), np.zeros(0))
    from rasterio.features import shapes
    from scipy.ndimage import label

    labels, count = label(mask)
    polygons = np.empty(count, dtype=object)
    for shape, value in shapes(labels.astype(np.int32), mask=mask, connectivity=4, transform=grid.affine):
        rings = shape["coordinates"]
        polygons[int(value) - 1] = Polygon(rings[0], rings[1:])
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    sums = np.zeros(count) if values is None else np.bincount(labels.ravel(), values.ravel(), count + 1)[1:]
    return Outlines(polygons, pixels.astype(np.int64), sums / pixels)
