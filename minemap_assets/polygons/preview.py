"""The small picture of a polygons partition: each site's window with the outlines in it."""

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine

from minemap_assets.geo.grid import footprint
from minemap_assets.geo.pictures import Picture, contact_sheet, evenly
from minemap_assets.geo.raster import png_bytes
from minemap_assets.geo.vector import WGS84
from minemap_assets.sites.cells import SiteCell

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
    return png_bytes(contact_sheet([_thumbnail(polygons, cells[site]) for site in chosen], SIDE))


def _thumbnail(polygons: Outlines, cell: SiteCell) -> Picture:
    from rasterio.features import rasterize

    picture = np.full((SIDE, SIDE, 3), GROUND, dtype=np.uint8)
    shapes = _within(polygons, cell)
    if not len(shapes):
        return picture
    left, bottom, right, top = cell.grid.boundingbox.bbox
    transform = Affine((right - left) / SIDE, 0.0, left, 0.0, -(top - bottom) / SIDE, top)
    for geometries, colour, touched in ((shapes, MINE, False), (shapely.boundary(shapes), EDGE, True)):
        burnt = rasterize(list(geometries), out_shape=(SIDE, SIDE), transform=transform, all_touched=touched)
        picture[burnt == 1] = colour
    return picture


def _within(polygons: Outlines, cell: SiteCell) -> Outlines:
    window = footprint(cell.grid)
    projected = gpd.GeoSeries(polygons, crs=WGS84).to_crs(cell.crs).to_numpy()
    return np.asarray(projected[shapely.intersects(projected, window)], dtype=object)
