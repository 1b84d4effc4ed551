"""What is fetched for a scan: the tiles of a region that hold land, as a table like that of sites."""

import geopandas as gpd
import numpy as np
import shapely

from minemap_assets.detection.patch_grid import Tile, crs_of, tiles_of
from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.grid import footprint, to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.project.regions import Region

COAST_DEGREES = 0.05
"""How far beyond the country outlines ground is still scanned: those are generalised, by kilometres in places."""


def land_tiles(region: Region, boundaries: gpd.GeoDataFrame) -> list[Tile]:
    """The tiles of a region that hold land. Raises `BadInputError` where none does."""
    near = boundaries.geometry.iloc[boundaries.sindex.query(region.geometry, predicate="dwithin", distance=0.1)]
    land = shapely.buffer(shapely.union_all(near.to_numpy()), COAST_DEGREES)
    tiles = list(tiles_of(shapely.intersection(region.geometry, land)))
    if not tiles:
        raise BadInputError(
            f"the region {region.slug} holds no land, so there is nothing to scan; check its outline "
            f"(`minemap regions show {region.slug}`)"
        )
    return tiles


def tile_table(tiles: list[Tile]) -> gpd.GeoDataFrame:
    """Tiles as imagery takes them: [site_id, crs, transform, width, height] and their outlines."""
    places = [to_columns(tile.grid) for tile in tiles]
    outlines = [to_wgs84([footprint(tile.grid)], crs_of(tile.zone))[0] for tile in tiles]
    return gpd.GeoDataFrame(
        {
            "site_id": [tile.name for tile in tiles],
            "crs": [place.crs for place in places],
            "transform": [place.transform for place in places],
            "width": np.array([place.width for place in places], np.int64),
            "height": np.array([place.height for place in places], np.int64),
        },
        geometry=outlines,
        crs=WGS84,
    )
