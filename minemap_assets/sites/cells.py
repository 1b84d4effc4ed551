"""Cells: the ground that each site owns, as polygons and as pixels of a grid."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import footprint
from minemap_assets.geo.vector import WGS84, polygons_only
from minemap_assets.sites.windows import ownership, site_grid

_SHIFT = (1.0e-3, 0.618e-3)
"""Metres by which all cells are moved before pixels are counted: a pixel centre on the line between two sites then
belongs to one of them, and not, by the rounding of degrees, to both or to none.
"""

_TOUCH = 1.0e-3
"""Metres by which outlines overlap where they are cut between two lattices, so that they are seen to hang together."""

_BEND = 0.1
"""Metres by which the sides of a window may bend on their way through degrees; pixel centres lie 2.5 m inside."""


@dataclass(frozen=True, eq=False)
class SiteCell:
    """A site's grid, and the ground it owns: `cell` in EPSG:4326 and `ground` in the grid's CRS.

    `whole` is True where that is the whole window. A `foreign` cell meets windows on another lattice (of another zone),
    where pixels cannot part the ground exactly: outlines are then cut along the cell.
    """

    site_id: str
    grid: GeoBox
    cell: BaseGeometry
    ground: BaseGeometry
    whole: bool
    foreign: bool

    @property
    def crs(self) -> str:
        """The grid's CRS."""
        return str(self.grid.crs)

    def owned(self, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """True for each pixel (row, column) of a grid over the same window whose centre the site owns."""
        return self._pixels(grid, touched=False)

    def met(self, grid: GeoBox) -> npt.NDArray[np.bool_]:
        """True for each pixel to outline: the owned ones, and for a foreign cell all that it meets, to be `cut`."""
        return self._pixels(grid, touched=self.foreign)

    def cut(self, polygons: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
        """Outlines of `met` pixels (grid's CRS) without what a foreign cell does not own; empty ones are None."""
        if not self.foreign or self.whole:
            return polygons
        parts = shapely.intersection(polygons, shapely.buffer(self.ground, _TOUCH, join_style="mitre"))
        return np.array([polygons_only(part) for part in parts], dtype=object)

    def _pixels(self, grid: GeoBox, *, touched: bool) -> npt.NDArray[np.bool_]:
        shape = (int(grid.shape[0]), int(grid.shape[1]))
        if self.cell.is_empty:
            return np.zeros(shape, dtype=bool)
        if self.whole:
            return np.ones(shape, dtype=bool)
        from rasterio.features import geometry_mask

        moved = shapely.transform(self.ground, lambda points: points + np.array(_SHIFT))
        return np.asarray(geometry_mask([moved], shape, grid.affine, invert=True, all_touched=touched), dtype=bool)


def site_cells(sites: gpd.GeoDataFrame, owned: gpd.GeoDataFrame | None = None) -> dict[str, SiteCell]:
    """Grid and owned ground of every site, sorted by id.

    `owned` is the table of `owned_ground` [site_id, geometry]; without it the ground is computed here.
    """
    rows = sites.sort_values("site_id", ignore_index=True)
    ids = [str(site) for site in rows["site_id"]]
    ground = ownership(rows) if owned is None else dict(zip(owned["site_id"], owned.geometry, strict=True))
    grids = [site_grid(row) for row in rows.itertuples(index=False)]
    cells = np.array([ground[site] for site in ids], dtype=object)
    zones = np.array([str(grid.crs) for grid in grids], dtype=object)
    local = _projected(cells, zones)
    windows = np.array([footprint(grid) for grid in grids], dtype=object)
    whole = shapely.covers(shapely.buffer(local, _BEND, join_style="mitre"), windows)
    foreign = _meets_other_zone(np.asarray(rows.geometry, dtype=object), zones)
    found = zip(ids, grids, cells, local, whole.tolist(), foreign.tolist(), strict=True)
    return {site: SiteCell(site, *facts) for site, *facts in found}


def _projected(cells: npt.NDArray[np.object_], zones: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    local = np.empty(len(cells), dtype=object)
    for zone in sorted(set(zones)):
        chosen = np.flatnonzero(zones == zone)
        local[chosen] = np.asarray(gpd.GeoSeries(cells[chosen], crs=WGS84).to_crs(zone), dtype=object)
    return local


def _meets_other_zone(windows: npt.NDArray[np.object_], zones: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    foreign = np.zeros(len(windows), dtype=bool)
    if len(set(zones)) > 1:
        left, right = shapely.STRtree(windows).query(windows, predicate="intersects")
        foreign[left[zones[left] != zones[right]]] = True
    return foreign
