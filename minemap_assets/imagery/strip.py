"""A strip of years: the same ground year after year, for the eye.

The small picture of one partition is made in `preview.py`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.geo.pictures import GAP, PAPER, Picture
from minemap_assets.geo.raster import quicklook

LABEL = 22
"""Height of a line of text in pixels."""

_DARKEST, _BRIGHTEST = 2.0, 98.0
"""Percentiles of all observed pixels that become black and white, the same in all years."""

Pixels = npt.NDArray[np.uint16]


def strip(pictures: Mapping[str, Mapping[int, Pixels]], years: Sequence[int], side: int = 256) -> Picture:
    """A row for each site, a column for each year, (row, column, 3).

    `pictures` holds by site id and year three bands (red, green, blue) of reflectance x 10,000, 0 = not observed; a
    year without pixels stays white. One site's years share their brightness. Raises `BadInputError` for no picture.
    """
    rows = {site: by_year for site, by_year in sorted(pictures.items()) if by_year}
    if not rows or not years:
        raise BadInputError("there is no composite to show; make some with `minemap run --select +imagery/imagery`")
    step = side + GAP
    height, width = LABEL + len(rows) * (LABEL + step), len(years) * step - GAP
    sheet = np.full((height, width, 3), PAPER, dtype=np.uint8)
    texts = [(column * step, 4, str(year)) for column, year in enumerate(years)]
    for row, (site, by_year) in enumerate(rows.items()):
        top = LABEL + row * (LABEL + step)
        texts.append((0, top + 4, site))
        low, high = _range(by_year)
        for column, year in enumerate(years):
            if year in by_year:
                thumbnail = _thumbnail(by_year[year], low, high, side)
                left = column * step
                sheet[top + LABEL : top + LABEL + thumbnail.shape[0], left : left + thumbnail.shape[1]] = thumbnail
    return _written(sheet, texts)


def _range(by_year: Mapping[int, Pixels]) -> tuple[float, float]:
    seen = np.concatenate([pixels[:, pixels[0] > 0].ravel() for pixels in by_year.values()])
    if not seen.size:
        return 0.0, 3000.0
    low, high = np.percentile(seen, [_DARKEST, _BRIGHTEST])
    return float(low), float(max(high, low + 1.0))


def _thumbnail(pixels: Pixels, low: float, high: float, side: int) -> Picture:
    step = -(-max(pixels.shape[1:]) // side)
    small = pixels[:, ::step, ::step]
    picture = quicklook(small, low, high, size=side)
    picture[small[0] == 0] = 0
    return picture


def _written(sheet: Picture, texts: Sequence[tuple[int, int, str]]) -> Picture:
    from PIL import Image, ImageDraw

    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for left, top, text in texts:
        draw.text((left, top), text, fill=(0, 0, 0))
    return np.asarray(image)
