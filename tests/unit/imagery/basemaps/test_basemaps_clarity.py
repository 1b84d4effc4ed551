"""Clarity: from hand-drawn pixels, from rendered haze, from scene metadata, and the choice by it."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from minemap_assets.geo.grid import square_grid
from minemap_assets.imagery.basemaps.clarity import Clarity, clarity_of_pixels, clarity_of_scenes, clearest
from minemap_assets.imagery.basemaps.mosaics import Mosaic
from minemap_assets.imagery.basemaps.quads import QuadGrid
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.source import SimulatedSource
from planet_world import haze

GROUNDS = {
    "forest": (300, 500, 350),
    "bare soil": (1400, 2000, 2800),
    "tailings": (1900, 2400, 2900),
    "laterite": (700, 1200, 2400),
    "deep water": (250, 260, 180),
    "turbid water": (900, 1200, 1300),
}
WEATHER = {"cloud": (6000, 6100, 6200), "thin cloud": (3000, 3000, 3100), "heavy haze": (1500, 1500, 1400)}


def plane(*colours: tuple[int, int, int]) -> list[npt.NDArray[np.uint16]]:
    return [np.array([[colour[band] for colour in colours]], dtype=np.uint16) for band in range(3)]


@pytest.mark.parametrize("ground", GROUNDS)
def test_ground_is_clear(ground: str) -> None:
    assert clarity_of_pixels(*plane(GROUNDS[ground]), np.array([[True]])) == Clarity(1, 1)


@pytest.mark.parametrize("weather", WEATHER)
def test_cloud_and_haze_are_not(weather: str) -> None:
    assert clarity_of_pixels(*plane(WEATHER[weather]), np.array([[True]])) == Clarity(0, 1)


def test_pixels_are_counted() -> None:
    colours = plane(GROUNDS["forest"], GROUNDS["tailings"], WEATHER["cloud"], GROUNDS["forest"], (0, 0, 0))
    found = clarity_of_pixels(*colours, np.array([[True, True, True, False, False]]))
    assert found == Clarity(2, 5)
    assert found.share == Fraction(2, 5)
    assert found + Clarity(3, 5) == Clarity(5, 10)
    assert Clarity(0, 0).share == 0


@given(st.lists(st.tuples(*[st.integers(0, 65535)] * 3), min_size=1, max_size=20))
def test_never_overflows(colours: list[tuple[int, int, int]]) -> None:
    valid = np.ones((1, len(colours)), dtype=np.bool_)
    found = clarity_of_pixels(*plane(*colours), valid)
    expected = 0
    for blue, green, red in colours:
        mean = Fraction(blue + green + red, 3)
        white = abs(blue - mean) + abs(green - mean) + abs(red - mean) < Fraction(7, 10) * mean
        expected += not (white and blue - Fraction(red, 2) > 500)
    assert found == Clarity(expected, len(colours))


def rendered() -> npt.NDArray[np.uint16]:
    grid = square_grid(*Transformer.from_crs(4326, 32630, always_xy=True).transform(-0.0135, 1.488), 256, 32630)
    source = SimulatedSource(load_world("tiny"), "planet-nicfi")
    return source.read(grid, SeasonRule().season(2019), ("blue", "green", "red", "nir")).pixels


def clarity(pixels: npt.NDArray[np.uint16]) -> float:
    return float(clarity_of_pixels(pixels[0], pixels[1], pixels[2], pixels[0] > 0).share)


def test_falls_with_rendered_haze() -> None:
    ground = rendered()
    shares = [clarity(haze(amount)(ground.copy())) for amount in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert shares[0] > 0.95
    assert shares == sorted(shares, reverse=True)
    assert shares[-2] < 0.2
    assert shares[-1] < 0.01


def test_falls_with_the_share_under_cloud() -> None:
    ground = rendered()
    clear = clarity(ground)
    for share in (0.25, 0.5, 0.75):
        assert clarity(haze(0.9, share)(ground.copy())) == pytest.approx(clear * (1 - share), abs=0.03)


def test_scene_metadata() -> None:
    scenes = [{"cloud_percent": 2, "heavy_haze_percent": 1}, {"cloud_percent": 4, "heavy_haze_percent": 3}]
    assert clarity_of_scenes(scenes) == Fraction(95, 100)
    assert clarity_of_scenes([*scenes, {"cloud_percent": None, "heavy_haze_percent": 0}, {}]) == Fraction(95, 100)
    assert clarity_of_scenes([{"cloud_cover": 0.1}]) is None
    assert clarity_of_scenes([]) is None


@dataclass(frozen=True)
class Candidate:
    mosaic: Mosaic


def candidate(month: int) -> Candidate:
    start, end = date(2021, month, 1), date(2021, month + 1, 1)
    return Candidate(Mosaic(start, end, f"m{month}", f"i{month}", QuadGrid(2048), (-180, -34, 180, 30), True, "r"))


def test_the_clearest_wins_and_ties_go_to_the_last_month() -> None:
    months = [candidate(m) for m in (6, 7, 8, 9)]
    third = Fraction(1, 3)
    assert clearest(months, [third, third * 2, third, Fraction(0)]) is months[1]
    assert clearest(months, [third, third, third, Fraction(0)]) is months[2]
    assert clearest(months[::-1], [Fraction(0), third, third, third]) is months[2]
    assert clearest(months, [Fraction(1)] * 4) is months[3]
