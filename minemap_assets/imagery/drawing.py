"""The picture of an imagery partition: some of its sites in natural colour, or in colours that tell its bands apart."""

from minemap_assets.geo.pictures import SIDE, TILES, Picture, Swatch, Tile, evenly, sampled, sheet
from minemap_assets.imagery.preview import channels, coloured
from minemap_assets.imagery.reader import SiteImage, open_imagery
from minemap_assets.lake.partitions import Partition

UNSEEN = Swatch(((0, 0, 0),), "not observed")


def imagery_picture(partition: Partition, unit: str = "site") -> bytes:
    """WebP of up to `TILES` sites, or what else is imaged, spread evenly over the sorted ids."""
    images = open_imagery(partition)
    chosen = evenly(images.site_ids, TILES)
    tiles = [site_tile(images.read(site)) for site in chosen]
    title = f"{' '.join(partition.manifest.keys)}: {images.product}, {len(chosen)} of {len(images.site_ids)} {unit}s"
    return sheet(title, tiles, [UNSEEN])


def site_tile(image: SiteImage) -> Tile:
    """A site in natural colour, named by its id; black where it was not observed."""
    left, _, right, _ = image.grid.boundingbox.bbox
    return Tile(natural_colour(image), image.site_id, right - left)


def natural_colour(image: SiteImage) -> Picture:
    """(`SIDE`, `SIDE`, 3) of a site's red, green and blue; of other bands where it has not all three."""
    return coloured(sampled(image.pixels[channels(image.bands)]), image.bands, SIDE)
