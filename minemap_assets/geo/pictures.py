"""Small pictures of partitions, for whoever opens an asset: strips that are stored, and sheets that are drawn when
somebody looks, with captions, scale bars and a legend.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import ImageDraw

GAP = 4
PER_ROW = 6
PAPER = 255

Picture = npt.NDArray[np.uint8]


def contact_sheet(thumbnails: Sequence[Picture], side: int) -> Picture:
    """Thumbnails (row, column, 3) of at most `side` pixels on white paper, row by row; an empty sheet is one tile."""
    columns = max(1, min(PER_ROW, len(thumbnails)))
    rows = max(1, -(-len(thumbnails) // columns))
    step = side + GAP
    sheet = np.full((rows * step - GAP, columns * step - GAP, 3), PAPER, dtype=np.uint8)
    for place, thumbnail in enumerate(thumbnails):
        top, left = place // columns * step, place % columns * step
        sheet[top : top + thumbnail.shape[0], left : left + thumbnail.shape[1]] = thumbnail
    return sheet


def evenly(names: Sequence[str], most: int) -> list[str]:
    """At most `most` of the names, spread evenly over their order."""
    count = min(most, len(names))
    return [names[i * len(names) // count] for i in range(count)]


SIDE = 172
"""Pixels of a tile: three beside each other fit where Dagster shows them without being made smaller."""

TILES = 6
BESIDE = 3
MOST_BYTES = 60_000

Colour = tuple[int, int, int]

INK: Colour = (31, 41, 55)
_MARGIN = 6
_LINE = 18
_FONT_SIZE = 12
_BAR_SHARE = 0.45
_QUALITIES = (90, 80, 65, 50, 35, 20, 10, 1)


@dataclass(frozen=True, eq=False)
class Tile:
    """A square of ground: an image (`SIDE`, `SIDE`, 3), what it is called, and its width on the ground in metres.

    Without a width (0) it is no ground, and has no scale bar.
    """

    image: Picture
    caption: str
    metres: float


@dataclass(frozen=True)
class Swatch:
    """One line of a legend: a colour, or several from low to high, and what it means."""

    colours: tuple[Colour, ...]
    meaning: str


def sampled(pixels: npt.NDArray[Any], side: int = SIDE) -> npt.NDArray[Any]:
    """The last two axes of an array (..., row, column) at `side` places each, nearest pixel."""
    rows, columns = (np.minimum((np.arange(side) + 0.5) * n / side, n - 1).astype(np.intp) for n in pixels.shape[-2:])
    return pixels[..., rows[:, np.newaxis], columns]


def outlined(image: Picture, shapes: Iterable[Any], bounds: Sequence[float], colour: Colour) -> Picture:
    """An image with the rings of polygons; `bounds` are its left, bottom, right and top in their CRS."""
    import shapely
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    left, bottom, right, top = bounds
    size = np.array([image.shape[1] / (right - left), image.shape[0] / (bottom - top)])
    for ring in shapely.get_rings(list(shapes)):
        places = (shapely.get_coordinates(ring) - (left, top)) * size
        draw.line([(float(x), float(y)) for x, y in places], fill=colour, width=2)
    return np.asarray(picture)


def sheet(title: str, tiles: Sequence[Tile], legend: Sequence[Swatch], most_bytes: int = MOST_BYTES) -> bytes:
    """WebP of at most `most_bytes`: a title, tiles with captions and scale bars, and a legend below."""
    from PIL import Image, ImageDraw

    rows = -(-len(tiles) // BESIDE)
    width = BESIDE * (SIDE + _MARGIN) + _MARGIN
    height = _LINE + rows * (SIDE + _LINE + _MARGIN) + len(legend) * _LINE + 2 * _MARGIN
    picture = Image.new("RGB", (width, height), (PAPER,) * 3)
    draw = ImageDraw.Draw(picture)
    _write(draw, (_MARGIN, _MARGIN), title)
    for place, tile in enumerate(tiles):
        left = _MARGIN + place % BESIDE * (SIDE + _MARGIN)
        top = _MARGIN + _LINE + place // BESIDE * (SIDE + _LINE + _MARGIN)
        picture.paste(Image.fromarray(tile.image), (left, top))
        if tile.metres:
            _scale_bar(draw, (left, top), tile.metres)
        _write(draw, (left, top + SIDE + 2), tile.caption)
    for place, swatch in enumerate(legend):
        _swatch(draw, (_MARGIN, height - _MARGIN - (len(legend) - place) * _LINE), swatch)
    return _webp(picture, most_bytes)


def sentence_picture(sentence: str) -> bytes:
    """WebP that says one thing, where there is nothing to be drawn."""
    return sheet(sentence, (), ())


def nice_length(metres: float) -> int:
    """The longest of 1, 2, 5, 10, 20 ... metres that is not longer than `metres`."""
    power = 10 ** math.floor(math.log10(max(metres, 1.0)))
    return int(max(step * power for step in (1, 2, 5) if step * power <= max(metres, 1.0)))


def _scale_bar(draw: "ImageDraw.ImageDraw", place: tuple[int, int], metres: float) -> None:
    length = nice_length(metres * _BAR_SHARE)
    left, bottom = place[0] + 8, place[1] + SIDE - 8
    right = left + round(length / metres * SIDE)
    for colour, width in ((INK, 5), ((PAPER,) * 3, 2)):
        draw.line([(left, bottom), (right, bottom)], fill=colour, width=width)
    text = f"{length // 1000} km" if length >= 1000 else f"{length} m"
    draw.text((left, bottom - 20), text, fill=(PAPER,) * 3, font=_font(), stroke_width=2, stroke_fill=INK)


def _swatch(draw: "ImageDraw.ImageDraw", place: tuple[int, int], swatch: Swatch) -> None:
    left, top = place
    step = max(14, 72 // len(swatch.colours)) if len(swatch.colours) > 1 else 14
    for n, colour in enumerate(swatch.colours):
        draw.rectangle((left + n * step, top + 3, left + (n + 1) * step - 1, top + 14), fill=colour)
    right = left + len(swatch.colours) * step
    draw.rectangle((left, top + 3, right - 1, top + 14), outline=INK)
    _write(draw, (right + 6, top + 1), swatch.meaning)


def _write(draw: "ImageDraw.ImageDraw", place: tuple[int, int], text: str) -> None:
    draw.text(place, text, fill=INK, font=_font())


@cache
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(_FONT_SIZE)


def _webp(picture: Any, most_bytes: int) -> bytes:
    """As good as fits."""
    data = b""
    for quality in _QUALITIES:
        buffer = BytesIO()
        picture.save(buffer, format="WEBP", quality=quality)
        data = buffer.getvalue()
        if len(data) <= most_bytes:
            break
    return data
