"""The picture of a region's history: each site's window with its mines in the colour of their first year."""

import geopandas as gpd
import numpy as np

from minemap_assets.geo.pictures import SIDE, TILES, Colour, Picture, Swatch, Tile, evenly, sheet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.history_schemas import SITE_HISTORY
from minemap_assets.polygons.preview import GROUND, Outlines, within
from minemap_assets.polygons.schemas import read_table
from minemap_assets.sites.windows import iter_sites

_RAMP: tuple[Colour, ...] = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


def history_picture(partition: Partition, sites: gpd.GeoDataFrame) -> bytes:
    """WebP of up to `TILES` sites with mines, of the earliest years to the last."""
    mines = read_table(partition.file(SITE_HISTORY.file), SITE_HISTORY)
    region = " ".join(partition.manifest.keys)
    grids = {site.site_id: site.grid for site in iter_sites(sites)}
    mined = sorted({site for ids in mines["site_ids"] for site in ids} & set(grids))
    chosen = evenly(mined, TILES)
    years = mines["first_year"].to_numpy(dtype=np.int64)
    first, last = (int(years.min()), int(years.max())) if len(years) else (0, 0)
    shapes = np.asarray(mines.geometry, dtype=object)
    tiles = []
    for site in chosen:
        grid = grids[site]
        picture: Picture = np.full((SIDE, SIDE, 3), GROUND, dtype=np.uint8)
        for year in np.unique(years):
            (near,) = within(shapes[years == year], [grid])
            picture = _filled(picture, near, grid.boundingbox.bbox, _colour(int(year), first, last))
        left, _, right, _ = grid.boundingbox.bbox
        tiles.append(Tile(picture, site, right - left))
    legend = [Swatch(_RAMP, f"first year, {first} to {last}")] if chosen else []
    return sheet(f"{region}: {len(chosen)} of {len(mined)} sites with mines", tiles, legend)


def _colour(year: int, first: int, last: int) -> Colour:
    place = 0.0 if last == first else (year - first) / (last - first) * (len(_RAMP) - 1)
    low = min(int(place), len(_RAMP) - 2)
    one, other = np.array(_RAMP[low]), np.array(_RAMP[low + 1])
    red, green, blue = np.rint(one + (other - one) * (place - low)).astype(int).tolist()
    return red, green, blue


def _filled(picture: Picture, shapes: Outlines, bounds: tuple[float, float, float, float], colour: Colour) -> Picture:
    from affine import Affine
    from rasterio.features import rasterize

    if not len(shapes):
        return picture
    left, bottom, right, top = bounds
    transform = Affine((right - left) / SIDE, 0.0, left, 0.0, -(top - bottom) / SIDE, top)
    burnt = rasterize(list(shapes), out_shape=(SIDE, SIDE), transform=transform, all_touched=True)
    return np.where(burnt[..., None] == 1, np.array(colour, dtype=np.uint8), picture).astype(np.uint8)
