"""The small picture of a polygons partition: each site's window with the outlines in it."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.geo.grid import footprint
from minemap_assets.geo.pictures import Picture, contact_sheet, evenly
from minemap_assets.geo.raster import png_bytes
from minemap_assets.geo.vector import WGS84
from minemap_assets.sites.cells import SiteCell
from minemap_assets.sites.windows import window_outlines

Outlines = npt.NDArray[np.object_]
"""Polygons in EPSG:4326."""

PREVIEW = "preview.png"
SITES = 12
SIDE = 128
GROUND = (238, 240, 234)
MINE = (217, 119, 6)
EDGE = (120, 53, 15)


def polygon_sheet(polygons: Outlines, cells: Mapping[str, SiteCell]) -> bytes:
    """PNG of some sites' windows with the polygons that meet them."""
    chosen = evenly(sorted(cells), SITES)
    near = within(polygons, [cells[site].grid for site in chosen])
    return png_bytes(contact_sheet([_thumbnail(near[n], cells[site]) for n, site in enumerate(chosen)], SIDE))


def _thumbnail(shapes: Outlines, cell: SiteCell) -> Picture:
    from rasterio.features import rasterize

    picture = np.full((SIDE, SIDE, 3), GROUND, dtype=np.uint8)
    if not len(shapes):
        return picture
    left, bottom, right, top = cell.grid.boundingbox.bbox
    transform = Affine((right - left) / SIDE, 0.0, left, 0.0, -(top - bottom) / SIDE, top)
    for geometries, colour, touched in ((shapes, MINE, False), (shapely.boundary(shapes), EDGE, True)):
        burnt = rasterize(list(geometries), out_shape=(SIDE, SIDE), transform=transform, all_touched=touched)
        picture[burnt == 1] = colour
    return picture


def within(polygons: Outlines, grids: Sequence[GeoBox]) -> list[Outlines]:
    """For each grid the polygons (EPSG:4326) that meet it, in its CRS."""
    tree = shapely.STRtree(polygons)
    found = []
    for grid, window in zip(grids, window_outlines(list(grids)), strict=True):
        near = np.sort(tree.query(window))
        local = np.asarray(gpd.GeoSeries(polygons[near], crs=WGS84).to_crs(str(grid.crs)), dtype=object)
        found.append(np.asarray(local[shapely.intersects(local, footprint(grid))], dtype=object))
    return found
