"""Pictures of a site put side by side: before and after, and all years in one figure (paper, figure 2)."""

from collections.abc import Sequence

import numpy as np

from minemap_assets.publication.report.document import Figure
from minemap_assets.publication.report.site_facts import SIDE, Picture, SitePicture
from minemap_assets.publication.site_images import as_webp

_GAP, _LINE, _PAPER = 10, 26, 255
_FEW, _ACROSS, _MANY_ACROSS = 6, 3, 4


def beside(name: str, caption: str, alt: str, pictures: Sequence[SitePicture], across: int = 0) -> Figure | None:
    """One WebP with the pictures that may be shown, each below its year, `across` in a row; None where none may."""
    shown = [(one, one.picture) for one in pictures if one.picture is not None]
    if not shown:
        return None
    tiles = [_titled(picture, f"{one.year}  {one.product}") for one, picture in shown]
    across = across or (_ACROSS if len(tiles) <= _FEW else _MANY_ACROSS)
    return Figure(name, caption, alt, as_webp(_sheet(tiles, across)), "webp", "pictures")


def _titled(picture: Picture, title: str) -> Picture:
    """A picture on a square of paper, below its title."""
    from PIL import Image, ImageDraw, ImageFont

    tile = Image.new("RGB", (SIDE, SIDE + _LINE), (_PAPER,) * 3)
    ImageDraw.Draw(tile).text((0, 2), title, fill=(17, 24, 39), font=ImageFont.load_default(18))
    tile.paste(Image.fromarray(picture), (0, _LINE))
    return np.asarray(tile)


def _sheet(tiles: Sequence[Picture], across: int) -> Picture:
    columns = min(across, len(tiles))
    rows = -(-len(tiles) // columns)
    high, wide = tiles[0].shape[:2]
    sheet = np.full((rows * (high + _GAP) - _GAP, columns * (wide + _GAP) - _GAP, 3), _PAPER, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (high + _GAP), place % columns * (wide + _GAP)
        sheet[top : top + high, left : left + wide] = tile
    return sheet
