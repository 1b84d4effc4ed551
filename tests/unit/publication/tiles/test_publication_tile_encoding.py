"""Features as bytes of vector tiles: what another decoder reads is what was written."""

from typing import Any

import mapbox_vector_tile
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from minemap_assets.publication.tiles.commands import point_commands, polygon_commands
from minemap_assets.publication.tiles.encoding import layers
from minemap_assets.publication.tiles.properties import properties
from minemap_assets.publication.tiles.shapes import BUFFER, pieces, rounded
from minemap_assets.publication.tiles.varints import framed, sizes, varints, zigzag

UP_TO = st.integers(0, 2**60)


def decoded(tile: bytes) -> dict[str, Any]:
    return dict(mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True}))


def written(polygons: list[BaseGeometry]) -> list[dict[str, Any]]:
    held = np.array(polygons, dtype=object)
    numbered = properties({"n": np.arange(len(held))}, len(held))
    tile = layers("polygons", np.zeros(len(held), dtype=np.int64), polygon_commands(held), numbered)[0]
    return list(decoded(tile)["polygons"]["features"])


def signed_area(ring: list[list[int]]) -> float:
    x, y = np.array(ring, dtype=float).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2.0)


@st.composite
def blobs(draw: st.DrawFn) -> BaseGeometry:
    """Wriggly polygons around a point of a tile, thin, tiny or with a hole, never valid only by luck."""
    corners = draw(st.integers(3, 40))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turn = np.sort(numbers.uniform(0.0, 2.0 * np.pi, corners))
    radius = draw(st.floats(0.3, 400.0)) * numbers.uniform(0.2, 1.0, corners)
    squeezed = draw(st.floats(0.005, 1.0))
    middle = numbers.uniform(500.0, 3500.0, 2)
    ring = middle + np.column_stack([radius * np.cos(turn), squeezed * radius * np.sin(turn)])
    blob = shapely.make_valid(shapely.Polygon(ring), method="structure")
    if draw(st.booleans()):
        blob = shapely.difference(blob, shapely.affinity.scale(blob, 0.4, 0.4, origin=blob.centroid))
    return blob


@given(st.lists(UP_TO, min_size=1, max_size=50))
def test_varints_are_those_of_protocol_buffers(numbers: list[int]) -> None:
    data, found = varints(np.array(numbers)).tolist(), []
    while data:
        value = shift = 0
        while True:
            byte = data.pop(0)
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        found.append(value)
    assert found == numbers
    assert sizes(np.array(numbers)).tolist() == [max(1, -(-number.bit_length() // 7)) for number in numbers]


@given(st.lists(st.integers(-(2**40), 2**40), max_size=20))
def test_zigzag_puts_small_numbers_of_either_sign_first(numbers: list[int]) -> None:
    assert zigzag(np.array(numbers, dtype=np.int64)).tolist() == [2 * n if n >= 0 else -2 * n - 1 for n in numbers]


def test_a_long_message_stands_behind_its_length() -> None:
    assert framed(0x1A, b"x" * 300) == bytes([0x1A, 0xAC, 0x02]) + b"x" * 300


@settings(deadline=None, max_examples=150)
@given(st.lists(blobs(), min_size=1, max_size=6))
def test_outlines_come_back_within_a_unit_valid_and_turning_the_right_way(polygons: list[BaseGeometry]) -> None:
    given_, whole = np.array(polygons, dtype=object), rounded(np.array(polygons, dtype=object))
    kept = ~shapely.is_empty(whole)
    features = written(list(whole[kept])) if kept.any() else []
    assert len(features) == int(kept.sum())
    for source, feature in zip(given_[kept], features, strict=True):
        found = shape(feature["geometry"])
        assert found.is_valid
        assert found.area > 0.0
        assert shapely.difference(found, source.buffer(1.0)).area < 1e-6
        assert shapely.difference(source.buffer(-1.0), found).area < 1e-6
        rings = feature["geometry"]["coordinates"]
        for shell, *holes in rings if feature["geometry"]["type"] == "MultiPolygon" else [rings]:
            assert signed_area(shell) > 0.0
            assert all(signed_area(hole) < 0.0 for hole in holes)


@settings(deadline=None, max_examples=80)
@given(blobs(), st.integers(-4096, 4096), st.integers(-4096, 4096))
def test_a_piece_is_what_lies_in_and_around_a_tile(blob: BaseGeometry, east: int, south: int) -> None:
    whole = rounded(np.array([blob], dtype=object))
    corner = np.array([[east, south]])
    piece = pieces(whole, corner)[0]
    moved = shapely.transform(whole[0], lambda xy: xy - corner)
    frame = shapely.box(-BUFFER, -BUFFER, 4096 + BUFFER, 4096 + BUFFER)
    expected = shapely.intersection(moved, frame)
    assert piece.is_valid
    assert shapely.difference(piece, expected.buffer(1.0)).area < 1e-6
    assert shapely.difference(expected.buffer(-1.0), piece).area < 1e-6


def test_holes_parts_and_several_tiles_are_told_apart() -> None:
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 4, 4))
    two = shapely.MultiPolygon([shapely.box(0, 0, 5, 5), shapely.box(10, 10, 20, 20)])
    held = np.array([ring, two, shapely.box(5, 5, 5000, 300)], dtype=object)
    described = properties(
        {"year": np.array([2019, 2020, 2019]), "id": pd.Series(["é", None, "c"]), "km2": np.array([0.5, np.nan, 2.0])},
        3,
    )
    tiles = layers("polygons", np.array([4, 4, 9]), polygon_commands(held), described)
    first, second = decoded(tiles[4])["polygons"], decoded(tiles[9])["polygons"]
    assert list(tiles) == [4, 9]
    assert (first["extent"], first["version"]) == (4096, 2)
    assert [f["properties"] for f in first["features"]] == [{"year": 2019, "id": "é", "km2": 0.5}, {"year": 2020}]
    assert [f["properties"] for f in second["features"]] == [{"year": 2019, "id": "c", "km2": 2.0}]
    for source, feature in zip(held, [*first["features"], *second["features"]], strict=True):
        assert shape(feature["geometry"]).equals(source)


def test_repeated_corners_are_written_once() -> None:
    square = shapely.Polygon([(0, 0), (0, 0), (9, 0), (9, 0), (9, 9), (0, 9), (0, 9)])
    ring: list[list[int]] = written([square])[0]["geometry"]["coordinates"][0]
    assert len(ring) == 5
    assert shapely.Polygon(ring).equals(square)


def test_points_keep_their_places_and_what_is_known() -> None:
    xy: npt.NDArray[np.int64] = np.array([[1, 2], [0, 4095], [4000, 6]])
    described = properties({"n": np.array([1, 300, 7])}, 3)
    tile = decoded(layers("points", np.zeros(3, dtype=np.int64), point_commands(xy), described)[0])
    features = tile["points"]["features"]
    assert [f["geometry"]["coordinates"] for f in features] == xy.tolist()
    assert [f["properties"] for f in features] == [{"n": 1}, {"n": 300}, {"n": 7}]


def test_without_features_there_is_no_layer() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert layers("polygons", none, polygon_commands(np.zeros(0, dtype=object)), properties({"n": none}, 0)) == {}
