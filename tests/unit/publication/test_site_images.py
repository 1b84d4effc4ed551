"""Pictures of a site through the years."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.reader import SiteImage
from minemap_assets.publication.site_images import LEAST_RANGE, as_webp, common_stretch, corners, natural_colour

BANDS = ("blue", "green", "red", "nir")


def image(pixels: npt.NDArray[np.uint16], bands: tuple[str, ...] = BANDS) -> SiteImage:
    rows, columns = pixels.shape[1:]
    grid = GeoBox((rows, columns), Affine(5.0, 0.0, 500_000.0, 0.0, -5.0, 100_000.0), "EPSG:32618")
    return SiteImage("one", grid, bands, pixels, np.ones((rows, columns), np.uint16))


def ramp(top: int) -> npt.NDArray[np.uint16]:
    return np.broadcast_to(np.linspace(1, top, 64).astype(np.uint16), (4, 8, 64)).copy()


def test_one_ground_has_one_colour_in_all_years() -> None:
    dark, bright = ramp(2000), ramp(2000)
    bright[:, :, 32:] = 6000
    stretch = common_stretch([image(dark), image(bright)])
    first, second = natural_colour(image(dark), stretch), natural_colour(image(bright), stretch)
    assert np.array_equal(first[:, :32], second[:, :32])
    assert second[0, 40, 0] > first[0, 40, 0]
    alone = natural_colour(image(dark), common_stretch([image(dark)]))
    assert not np.array_equal(alone, first)


def test_red_is_red_and_what_was_not_seen_is_transparent() -> None:
    pixels = np.full((4, 6, 6), 300, np.uint16)
    pixels[2] = 3000
    pixels[:, :3] = 0
    picture = natural_colour(image(pixels), common_stretch([image(pixels)]))
    assert (picture[:3] == 0).all()
    assert (picture[3:, :, 3] == 255).all()
    assert (picture[3:, :, 0] > picture[3:, :, 1]).all()
    assert (picture[3:, :, 0] > picture[3:, :, 2]).all()


def test_flat_ground_is_not_stretched_to_noise() -> None:
    rng = np.random.default_rng(7)
    flat = image(rng.integers(395, 405, (4, 50, 50)).astype(np.uint16))
    stretch = common_stretch([flat])
    assert stretch.high[0] - stretch.low[0] == pytest.approx(LEAST_RANGE)
    assert natural_colour(flat, stretch)[..., 0].std() < 3


def test_a_smaller_picture_holds_means_of_what_was_seen() -> None:
    pixels = np.full((4, 10, 10), 1000, np.uint16)
    pixels[:, :, 5:] = 3000
    pixels[:, 0, 0] = 0
    stretch = common_stretch([image(pixels)])
    small = natural_colour(image(pixels), stretch, side=5)
    assert small.shape == (5, 5, 4)
    assert small[0, 0].tolist() == natural_colour(image(pixels), stretch)[1, 1].tolist()
    pixels[:, :2, :2] = 0
    assert natural_colour(image(pixels), stretch, side=5)[0, 0].tolist() == [0, 0, 0, 0]


def test_an_unseen_image_is_drawn_as_nothing() -> None:
    unseen = image(np.zeros((4, 4, 4), np.uint16))
    assert not natural_colour(unseen, common_stretch([unseen])).any()


def test_products_have_no_common_stretch() -> None:
    other = image(np.ones((4, 4, 4), np.uint16), ("a", "b", "c", "d"))
    with pytest.raises(BadInputError, match="different products"):
        common_stretch([image(np.ones((4, 4, 4), np.uint16)), other])
    with pytest.raises(BadInputError, match="at least one image"):
        common_stretch([])


def test_corners_go_round_from_the_top_left() -> None:
    places = corners(image(np.ones((4, 100, 200), np.uint16)))
    longitudes, latitudes = zip(*places, strict=True)
    assert longitudes[0] == pytest.approx(-75.0, abs=1e-9)
    assert longitudes[1] > longitudes[0]
    assert latitudes[2] < latitudes[1]
    assert longitudes[3] == pytest.approx(longitudes[0], abs=1e-6)


def test_the_same_picture_has_the_same_bytes() -> None:
    pixels = image(ramp(2500))
    drawn = [as_webp(natural_colour(pixels, common_stretch([pixels]))) for _ in range(2)]
    assert hashlib.sha256(drawn[0]).digest() == hashlib.sha256(drawn[1]).digest()
    assert drawn[0][8:12] == b"WEBP"
