"""The pictures that a person labels a point by: every year at two scales, all drawn with one stretch."""

from collections.abc import Iterable
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from minemap_assets.imagery.reader import SiteImage
from minemap_assets.publication.labelling.ground_views import View
from minemap_assets.publication.site_images import as_webp, common_stretch, natural_colour

QUALITY = 95
"""Of a picture: at 80 the blocks of its compression are as large as a pit."""


@dataclass(frozen=True)
class Scales:
    """How much ground pictures show, in metres on a side, and the patch in their middle that is judged (0: a point)."""

    wide: float
    near: float
    patch: float = 0.0


POINT = Scales(1000.0, 300.0)
PATCH = Scales(1440.0, 480.0, 480.0)
"""A patch of a scan is a square of 480 m, and is shown with as much on each side."""


@dataclass(frozen=True)
class Chip:
    """A year's two pictures of the ground around a point, as WebP with what was not observed transparent; none where
    there is no image, and `reason` then says why. `observed` is the share of the larger one that was observed.
    """

    year: int
    wide: bytes
    near: bytes
    observed: float
    reason: str


def draw_chips(views: Iterable[View], scales: Scales) -> tuple[Chip, ...]:
    """Draw the views of a point with one stretch, that of all the ground they are cut from: plain forest does not
    become a picture of its noise. Where the bands of products differ, each gets a stretch.
    """
    shown = list(views)
    wholes = [one.whole for one in shown if one.whole is not None]
    stretches = {
        bands: common_stretch(one for one in wholes if one.bands == bands) for bands in {one.bands for one in wholes}
    }
    chips = []
    for one in shown:
        if one.image is None:
            chips.append(Chip(one.year, b"", b"", 0.0, one.reason))
            continue
        stretch = stretches[one.image.bands]
        small = _middle(one.image, scales.near)
        wide, near = (as_webp(natural_colour(image, stretch), QUALITY) for image in (one.image, small))
        chips.append(Chip(one.year, wide, near, one.observed, ""))
    return tuple(chips)


def _middle(image: SiteImage, metres: float) -> SiteImage:
    """The middle of an image, at least so many metres on a side and with the same pixel in its middle."""
    rows, columns = image.clear_count.shape
    half = round(metres / abs(image.grid.affine.a) / 2.0)
    top, left = (rows - 1) // 2 - half, (columns - 1) // 2 - half
    height, width = 2 * half + rows % 2, 2 * half + columns % 2
    if not rows % 2:
        top, left = rows // 2 - half, columns // 2 - half
    part = (slice(max(top, 0), top + height), slice(max(left, 0), left + width))
    grid: GeoBox = image.grid[part]
    return SiteImage(image.site_id, grid, image.bands, image.pixels[:, part[0], part[1]], image.clear_count[part])
