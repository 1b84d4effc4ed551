"""Cells: the ground that each site owns, as polygons and as pixels of a grid."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import footprint
from minemap_assets.geo.vector import WGS84
from minemap_assets.sites.windows import ownership, site_grid

_TOUCH = 1e-3
"""Metres by which an owned cell is widened, so that a pixel centre on the line between two sites is never lost."""

_BEND = 0.1
"""Metres by which the sides of a window may bend on their way through degrees; pixel centres lie 2.5 m inside."""


@dataclass(frozen=True, eq=False)
class SiteCell:
    """A site's grid, and the ground it owns (polygon in EPSG:4326)."""

    site_id: str
    grid: GeoBox
    cell: BaseGeometry

    @property
    def crs(self) -> str:
        """The grid's CRS."""
        return str(self.grid.crs)

    def owned(self, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """True for each pixel (row, column) of a grid over the same window whose centre the site owns."""
        shape = (int(grid.shape[0]), int(grid.shape[1]))
        if self.cell.is_empty:
            return np.zeros(shape, dtype=bool)
        cell = gpd.GeoSeries([self.cell], crs=WGS84).to_crs(self.crs).iloc[0]
        if shapely.covers(cell.buffer(_BEND, join_style="mitre"), footprint(grid)):
            return np.ones(shape, dtype=bool)
        from rasterio.features import geometry_mask

        cell = cell.buffer(_TOUCH, join_style="mitre")
        return np.asarray(geometry_mask([cell], shape, grid.affine, invert=True), dtype=bool)


def site_cells(sites: gpd.GeoDataFrame) -> dict[str, SiteCell]:
    """Grid and owned ground of every site, sorted by id."""
    cells = ownership(sites)
    rows = sites.sort_values("site_id").itertuples()
    return {row.site_id: SiteCell(row.site_id, site_grid(row), cells[row.site_id]) for row in rows}
