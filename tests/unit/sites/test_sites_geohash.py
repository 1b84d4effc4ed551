"""Ids from positions: the published code, and how equal ones are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.sites.geohash import ALPHABET, encode, position_ids


@pytest.mark.parametrize(
    ("longitude", "latitude", "code"),
    [(-5.6, 42.6, "ezs42"), (10.40744, 57.64911, "u4pruydqqvj"), (-180, -90, "0000"), (180, 90, "zzzz")],
)
def test_published_examples(longitude, latitude, code):
    assert encode([longitude], [latitude], len(code)) == [code]


def _decode(code):
    """Bounds of a geohash, by halving intervals."""
    bounds = [[-180.0, 180.0], [-90.0, 90.0]]
    for n, bit in enumerate("".join(f"{ALPHABET.index(c):05b}" for c in code)):
        axis = bounds[n % 2]
        axis[0 if bit == "1" else 1] = sum(axis) / 2
    return bounds


@given(st.floats(-180, 180), st.floats(-90, 90), st.integers(1, 12))
def test_the_cell_holds_the_point(longitude, latitude, precision):
    (west, east), (south, north) = _decode(encode([longitude], [latitude], precision)[0])
    assert west - 1e-9 <= longitude <= east + 1e-9
    assert south - 1e-9 <= latitude <= north + 1e-9


@given(st.permutations([(0, 9.0), (1, 4.0), (2, 1.0)]))
def test_equal_positions_are_told_apart_whatever_the_order(things):
    ids = position_ids("m", [10.0] * 3, [1.0] * 3, [size for _, size in things])
    by_thing = {n: i for (n, _), i in zip(things, ids, strict=True)}
    plain = by_thing[0]
    assert by_thing == {0: plain, 1: f"{plain}-2", 2: f"{plain}-3"}
    assert len(plain) == 11


def test_nothing():
    assert position_ids("m", [], [], []) == []
