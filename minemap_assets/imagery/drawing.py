"""The picture of an imagery partition: some of its sites in natural colour."""

from minemap_assets.geo.pictures import SIDE, TILES, Picture, Swatch, Tile, evenly, sampled, sheet
from minemap_assets.geo.raster import quicklook
from minemap_assets.imagery.reader import SiteImage, open_imagery
from minemap_assets.lake.partitions import Partition

UNSEEN = Swatch(((0, 0, 0),), "not observed")

_RGB = ("red", "green", "blue")


def imagery_picture(partition: Partition) -> bytes:
    """WebP of up to `TILES` sites, spread evenly over the sorted ids."""
    images = open_imagery(partition)
    chosen = evenly(images.site_ids, TILES)
    tiles = [site_tile(images.read(site)) for site in chosen]
    title = f"{' '.join(partition.manifest.keys)}: {images.product}, {len(chosen)} of {len(images.site_ids)} sites"
    return sheet(title, tiles, [UNSEEN])


def site_tile(image: SiteImage) -> Tile:
    """A site in natural colour, named by its id; black where it was not observed."""
    left, _, right, _ = image.grid.boundingbox.bbox
    return Tile(natural_colour(image), image.site_id, right - left)


def natural_colour(image: SiteImage) -> Picture:
    """(`SIDE`, `SIDE`, 3) of a site's red, green and blue; of its first band where it has not all three."""
    bands = _RGB if set(_RGB) <= set(image.bands) else image.bands[:1] * 3
    return quicklook(sampled(image.pixels[[image.bands.index(band) for band in bands]]), size=SIDE)
