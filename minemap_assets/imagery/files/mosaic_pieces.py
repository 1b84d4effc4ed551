"""Images that are pieces of one picture, such as the quads of a basemap, brought onto a grid together.

Pieces that were brought onto a grid one by one would show their seams: along an edge a piece by itself has source
pixels on one side only, and what lies between its last pixel and the first of the next would be made from one of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.imagery.files.addresses import address
from minemap_assets.imagery.files.images import Image
from minemap_assets.imagery.files.reading import Part, Tile, opened, read_pieces
from minemap_assets.imagery.files.resampling import are_pieces


@dataclass(frozen=True)
class Joined:
    """Some of the images as one tile; `used` are those that gave pixels, by their places in the order given."""

    tile: Tile
    used: tuple[int, ...]


def read_together(parts: Sequence[Part], grid: GeoBox, whole: GeoBox, bands: Sequence[str]) -> Iterator[Joined]:
    """Images of the same days on a grid that is a block of rows of `whole`, in their order.

    Images whose bands lie in one file each, alike but for their place on one lattice of pixels, become one tile, in
    which the first lies on top; every other image is a tile of its own. Raises as `read_pieces` does.
    """
    left = list(range(len(parts)))
    while left:
        together = [left[0], *_others(parts, left, bands)]
        tile = read_pieces([parts[place] for place in together], grid, whole, bands)
        yield Joined(tile, tuple(place for place, used in zip(together, tile.used, strict=True) if used))
        left = [place for place in left if place not in together]


def _others(parts: Sequence[Part], places: Sequence[int], bands: Sequence[str]) -> list[int]:
    """The places, after the first, of pieces of the same picture as the first."""
    first, *rest = places
    form = _form(parts[first].image, bands)
    alike = [place for place in rest if form is not None and _form(parts[place].image, bands) == form]
    if not alike:
        return []
    with ExitStack() as stack:
        source = stack.enter_context(opened(_path(parts[first])))
        return [p for p in alike if are_pieces(source, stack.enter_context(opened(_path(parts[p]))))]


def _form(image: Image, bands: Sequence[str]) -> tuple[object, ...] | None:
    """What pieces of one picture have in common; None for an image whose bands lie in several files."""
    assets = [asset for asset in image.assets if asset.band in bands]
    if len({asset.href for asset in assets}) != 1:
        return None
    return image.crs, *((a.band, a.index, a.scale, a.offset, a.nodata, a.zero) for a in assets)


def _path(part: Part) -> str:
    return address(part.root, part.image.assets[0].href)
