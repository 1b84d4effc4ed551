"""Sheets of tiles for people: small whatever they show, with a scale bar of a round length."""

from io import BytesIO

import numpy as np
import pytest
import shapely
from PIL import Image

from minemap_assets.geo.pictures import (
    MOST_BYTES,
    SIDE,
    Swatch,
    Tile,
    nice_length,
    outlined,
    sampled,
    sentence_picture,
    sheet,
)

BLACK = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_noise_that_cannot_be_compressed_still_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    data = sheet("noise", [Tile(noise, f"site {n}", 2560.0) for n in range(6)], [Swatch(((0, 0, 0),), "nothing")])
    assert len(data) <= MOST_BYTES
    assert pixels(data).shape[1] < 560


def test_a_legend_shows_its_colours_and_a_tile_its_bar() -> None:
    found = pixels(sheet("one", [Tile(BLACK, "site", 1000.0)], [Swatch(((220, 20, 20), (20, 20, 220)), "low to high")]))
    near = [np.abs(found.astype(int) - colour).max(axis=2) < 60 for colour in ((220, 20, 20), (20, 20, 220))]
    assert all(mask.sum() > 100 for mask in near)
    ground = found[24 : 24 + SIDE, 6 : 6 + SIDE]
    bar = (ground[-12:-4] > 180).all(axis=2).any(axis=0)
    assert 0.15 * SIDE < bar.sum() < 0.3 * SIDE, "200 m of 1000 m"


@pytest.mark.parametrize(("metres", "length"), [(450.0, 200), (1152.0, 1000), (5.0, 5), (19_999.0, 10_000), (0.3, 1)])
def test_bars_have_round_lengths(metres: float, length: int) -> None:
    assert nice_length(metres) == length


def test_outlines_lie_where_they_are_on_the_ground() -> None:
    square = shapely.box(100.0, 600.0, 300.0, 900.0)
    drawn = outlined(BLACK, [square], (0.0, 0.0, 1000.0, 1000.0), (255, 255, 0)).any(axis=2)
    rows, columns = np.nonzero(drawn)
    wanted = np.array([0.1, 0.4, 0.1, 0.3]) * SIDE
    assert np.abs(np.array([rows.min(), rows.max(), columns.min(), columns.max()]) - wanted).max() <= 2
    assert not drawn[rows.min() + 5 : rows.max() - 5, columns.min() + 5 : columns.max() - 5].any()


def test_pixels_are_picked_evenly() -> None:
    picked = sampled(np.arange(400 * 400).reshape(1, 400, 400), 4)
    assert picked.shape == (1, 4, 4)
    assert picked[0, 0, 0] == 50 * 400 + 50


def test_a_sentence_fits_on_a_picture() -> None:
    assert 500 < len(sentence_picture("Made again since.")) < 10_000
