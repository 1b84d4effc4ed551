"""Pictures of a site through the years, with one stretch, so that a change on the ground is a change in the picture.

Sentinel-2 and Planet composites hold reflectance, whose dark and bright ends differ from site to site far more than
from year to year. A stretch is therefore taken from all years of a site together, the same for the three channels,
which keeps colours natural. Products without red, green and blue have a stretch for each channel.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.preview import channels
from minemap_assets.imagery.reader import SiteImage

RGB = ("red", "green", "blue")

SPREAD = (1.0, 99.0)
"""Percentiles of the observed pixels that become the darkest and the brightest."""

LEAST_RANGE = 600.0
"""Stored numbers (reflectance x 10,000) between the two: flat ground is not stretched to noise."""

GAMMA = 0.8
"""Below one lifts shadows: forest, in which most mines lie, is dark."""

_SAMPLE = 200_000
"""Pixels of an image that percentiles are taken from, evenly spread."""


@dataclass(frozen=True)
class Stretch:
    """What becomes black and white in each of the three channels of `bands`, in stored numbers."""

    bands: tuple[str, ...]
    low: tuple[float, float, float]
    high: tuple[float, float, float]


def common_stretch(images: Iterable[SiteImage]) -> Stretch:
    """One stretch for images of the same bands. Raises `BadInputError` where there is none, or where bands differ."""
    shown = list(images)
    if not shown:
        raise BadInputError("a stretch needs at least one image, and there is none")
    bands = shown[0].bands
    if any(image.bands != bands for image in shown):
        raise BadInputError("images of different products have no common stretch; draw each product by itself")
    sampled = [_observed(image) for image in shown]
    pixels = np.concatenate(sampled, axis=1).astype(np.float64)
    if not pixels.shape[1]:
        return Stretch(bands, (0.0, 0.0, 0.0), (LEAST_RANGE, LEAST_RANGE, LEAST_RANGE))
    natural = set(RGB) <= set(bands)
    low, high = np.percentile(pixels.reshape(1, -1) if natural else pixels, SPREAD, axis=1)
    # ends closer than is worth telling are moved apart
    lacking = np.maximum((LEAST_RANGE if natural else 1.0) - (high - low), 0.0) / 2.0
    return Stretch(bands, _three(low - lacking), _three(high + lacking))


def stretches_of(images: Iterable[SiteImage]) -> dict[tuple[str, ...], Stretch]:
    """A stretch for each product among the images of a site, by its bands."""
    by_bands: dict[tuple[str, ...], list[SiteImage]] = {}
    for image in images:
        by_bands.setdefault(image.bands, []).append(image)
    return {bands: common_stretch(of_bands) for bands, of_bands in by_bands.items()}


def natural_colour(image: SiteImage, stretch: Stretch, side: int | None = None) -> npt.NDArray[np.uint8]:
    """A picture (row, column, 4): red, green, blue and opacity, which is 0 where nothing was observed.

    With a `side`, the longer side has so many pixels at most, each the mean of those observed below it.
    """
    three = image.pixels[channels(image.bands)].astype(np.float32)
    seen = image.observed
    if side is not None:
        three, seen = _smaller(three, seen, side)
    low, high = (np.asarray(end, np.float32)[:, np.newaxis, np.newaxis] for end in (stretch.low, stretch.high))
    shown = np.clip((three - low) / (high - low), 0.0, 1.0) ** GAMMA * 255.0
    picture = np.zeros((*seen.shape, 4), np.uint8)
    picture[..., :3] = np.moveaxis(np.round(shown), 0, -1)
    picture[..., 3] = np.where(seen, 255, 0)
    picture[~seen] = 0
    return picture


def as_webp(picture: npt.NDArray[np.uint8], quality: int = 80) -> bytes:
    """A picture (row, column, 3 or 4) as WebP; the same picture gives the same bytes."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="WEBP", quality=quality, method=4)
    return buffer.getvalue()


def corners(image: SiteImage) -> tuple[tuple[float, float], ...]:
    """Longitude and latitude of the grid's corners: top left, top right, bottom right, bottom left (EPSG:4326)."""
    left, bottom, right, top = image.grid.boundingbox
    return tuple(_degrees(image, [(left, top), (right, top), (right, bottom), (left, bottom)]))


def _degrees(image: SiteImage, places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(str(image.grid.crs), "EPSG:4326", always_xy=True)
    return [to_degrees.transform(x, y) for x, y in places]


def _observed(image: SiteImage) -> npt.NDArray[np.uint16]:
    """Observed pixels (3, n) of an image, evenly spread."""
    pixels = image.pixels[channels(image.bands)][:, image.observed]
    return pixels[:, :: max(1, pixels.shape[1] // _SAMPLE)]


def _three(ends: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = np.broadcast_to(ends, 3)
    return float(red), float(green), float(blue)


def _smaller(
    bands: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], side: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Means of blocks of pixels, of those that were observed; blocks at the far edges may hold fewer."""
    step = -(-max(seen.shape) // side)
    if step <= 1:
        return bands, seen
    rows, columns = (-(-length // step) for length in seen.shape)
    space = ((0, rows * step - seen.shape[0]), (0, columns * step - seen.shape[1]))
    weights = np.pad(seen, space).astype(np.float32)
    blocks = weights.reshape(rows, step, columns, step).sum(axis=(1, 3))
    sums = np.pad(bands, ((0, 0), *space)) * weights
    means = sums.reshape(-1, rows, step, columns, step).sum(axis=(2, 4)) / np.maximum(blocks, 1.0)
    return means, blocks > 0
