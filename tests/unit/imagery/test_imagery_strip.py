"""The strip of years."""

import numpy as np
import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.geo.pictures import GAP, PAPER
from minemap_assets.imagery.strip import LABEL, strip


def image(value: int, size: int = 64) -> np.ndarray:
    pixels = np.full((3, size, size), value, dtype=np.uint16)
    pixels[:, : size // 2, : size // 2] = 0
    return pixels


def test_years_stand_side_by_side_and_share_their_brightness() -> None:
    sheet = strip({"m1": {2019: image(500), 2021: image(2500)}}, (2019, 2020, 2021), side=32)
    assert sheet.shape == (LABEL + LABEL + 32 + GAP, 3 * (32 + GAP) - GAP, 3)
    tiles = [sheet[2 * LABEL : 2 * LABEL + 32, n * 36 : n * 36 + 32] for n in range(3)]
    assert (tiles[0][20:, 20:] < 10).all()
    assert (tiles[2][20:, 20:] > 245).all()
    assert (tiles[1] == PAPER).all()
    assert (tiles[2][:16, :16] == 0).all(), "not observed is black, however bright the rest"


def test_the_years_are_written_above() -> None:
    sheet = strip({"m1": {2019: image(500)}}, (2019,), side=64)
    assert (sheet[:LABEL] < 100).any()


def test_the_same_composites_give_the_same_picture() -> None:
    pictures = {"b": {2019: image(500)}, "a": {2019: image(900)}}
    assert (strip(pictures, (2019,)) == strip(dict(reversed(pictures.items())), (2019,))).all()


def test_nothing_to_show_says_how_to_make_it() -> None:
    with pytest.raises(BadInputError, match="minemap run"):
        strip({"m1": {}}, (2019,))


def test_a_site_without_any_clear_pixel_is_black() -> None:
    sheet = strip({"m1": {2019: np.zeros((3, 40, 40), dtype=np.uint16)}}, (2019,), side=40)
    assert not sheet[2 * LABEL : 2 * LABEL + 40, :40].any()
