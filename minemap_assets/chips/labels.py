"""Labels: ground-truth polygons as pixels."""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84

BACKGROUND = 0
MINE = 1
IGNORE = 255
"""Label of a pixel that was not observed: it counts neither in training nor in scores."""

LABEL_LAYER = "labels"
_STEP_DEGREES = 0.005
"""Sides are cut to this length before projection, so that they keep to the straight lines of degrees."""


class LabelSource:
    """The polygons of the ground-truth layer `labels`, found by place."""

    def __init__(self, ground_truth: gpd.GeoDataFrame) -> None:
        if "layer" not in ground_truth.columns:
            raise BadInputError("the ground truth has no column 'layer'; make the asset ground_truth again")
        chosen = ground_truth[ground_truth["layer"] == LABEL_LAYER]
        self._shapes = np.asarray(chosen.geometry.array, dtype=object)
        self._tree = shapely.STRtree(self._shapes)

    def rasterize(self, grid: GeoBox) -> npt.NDArray[np.uint8]:
        """Labels (row, column) of a grid: 1 where the pixel's centre lies in a polygon, 0 elsewhere."""
        window = grid.extent.to_crs(WGS84).geom
        near = np.sort(self._tree.query(window.buffer(0.001)))
        return burn(self._shapes[near], grid)


def burn(shapes: npt.NDArray[np.object_], grid: GeoBox) -> npt.NDArray[np.uint8]:
    """Rasterize polygons (EPSG:4326) by the pixel-centre rule: uint8 (row, column), 0 or 1."""
    if len(shapes) == 0:
        return np.zeros(grid.shape, dtype=np.uint8)
    from rasterio.features import rasterize

    fine = gpd.GeoSeries(shapely.segmentize(shapes, _STEP_DEGREES), crs=WGS84)
    projected = [g for g in fine.to_crs(str(grid.crs)) if not g.is_empty]
    if not projected:
        return np.zeros(grid.shape, dtype=np.uint8)
    burnt: npt.NDArray[np.uint8] = rasterize(
        projected, out_shape=grid.shape, transform=grid.affine, fill=BACKGROUND, default_value=MINE, dtype="uint8"
    )
    return burnt
