"""Small pictures of bands that are no colours."""

import numpy as np

from minemap_assets.imagery.preview import SIZE, Preview, channels, coloured

RNG = np.random.default_rng(0)


def test_a_picture_shows_red_green_and_blue_else_the_first_three_bands() -> None:
    assert channels(("blue", "green", "red", "nir")) == [2, 1, 0]
    assert channels(("A00", "A01", "A02", "A03")) == [0, 1, 2]
    assert channels(("blue", "nir")) == [0, 0, 0]


def test_numbers_around_zero_are_spread_over_the_picture() -> None:
    bands = ("A00", "A01", "A02", "A03")
    pixels = (32_768 + RNG.normal(0.0, 3000.0, (4, SIZE, SIZE))).astype(np.uint16)
    pixels[:, :10] = 0
    preview = Preview(bands, ["a"])
    preview.add("a", pixels)
    picture = preview.picture()[:SIZE, :SIZE]
    assert not picture[:10].any()
    seen = picture[10:].reshape(-1, 3)
    assert (seen > 0).all()
    assert (seen.std(axis=0) > 40).all()
    assert (seen.mean(axis=0) > 80).all()


def test_reflectance_is_drawn_alike_in_every_picture() -> None:
    dark = np.full((3, 8, 8), 300, dtype=np.uint16)
    bands = ("red", "green", "blue")
    assert coloured(dark, bands, 8).max() < 60
    assert not coloured(np.zeros((3, 8, 8), dtype=np.uint16), ("A00", "A01", "A02"), 8).any()
