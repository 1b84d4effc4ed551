"""Pictures of polygons: raw outlines on the probabilities they follow, mining polygons on the imagery of their year."""

from odc.geo.geobox import GeoBox

from minemap_assets.geo.pictures import TILES, Picture, Swatch, Tile, evenly, outlined, sampled, sheet
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.drawing import UNSEEN, natural_colour
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.preview import Outlines, within
from minemap_assets.segmentation.drawing import LEGEND
from minemap_assets.segmentation.masks import INDEX
from minemap_assets.segmentation.preview import coloured

MINE = (255, 214, 10)
RAW = (56, 189, 248)


def raw_picture(partition: Partition, masks: Partition) -> bytes:
    """WebP of up to `TILES` sites: outlines on the probabilities of the masks."""
    polygons = read_geoparquet(partition.file("raw_polygons.parquet"))
    index = read_geoparquet(masks.file(INDEX))
    files = dict(zip(index["site_id"], index["file"], strict=True))
    chosen = evenly(sorted(files), TILES)
    rasters = [read_raster(masks.file(files[site])) for site in chosen]
    near = within(polygons.geometry.to_numpy(), [raster.grid for raster in rasters])
    tiles = [
        _tile(coloured(sampled(raster.pixels[0])), raster.grid, site, near[n], RAW)
        for n, (site, raster) in enumerate(zip(chosen, rasters, strict=True))
    ]
    return sheet(_title(partition, chosen, len(files)), tiles, [Swatch((RAW,), "outline"), *LEGEND])


def mining_picture(partition: Partition, imagery: Partition) -> bytes:
    """WebP of up to `TILES` sites: mining polygons on the imagery."""
    polygons = read_geoparquet(partition.file("mining_polygons.parquet"))
    images = open_imagery(imagery)
    chosen = evenly(images.site_ids, TILES)
    read = [images.read(site) for site in chosen]
    near = within(polygons.geometry.to_numpy(), [image.grid for image in read])
    tiles = [_tile(natural_colour(image), image.grid, image.site_id, near[n], MINE) for n, image in enumerate(read)]
    title = f"{_title(partition, chosen, len(images.site_ids))}, on {images.product}"
    return sheet(title, tiles, [Swatch((MINE,), "mining polygon"), UNSEEN])


def _title(partition: Partition, chosen: list[str], sites: int) -> str:
    return f"{' '.join(partition.manifest.keys)}: {len(chosen)} of {sites} sites"


def _tile(ground: Picture, grid: GeoBox, site: str, near: Outlines, colour: tuple[int, int, int]) -> Tile:
    bounds = grid.boundingbox.bbox
    return Tile(outlined(ground, near, bounds, colour), site, bounds[2] - bounds[0])
