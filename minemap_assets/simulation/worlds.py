"""The two worlds: `tiny` for tests, `demo` for the offline demo.

What belongs here: where countries, regions, rivers, towns and mines lie and when mines live. What does not: formulas.

Metres in the world's frame. Ordinary mines stay below 1.25 km on their longest side, so that a window of twice that
side is the smallest one (512 pixels of 5 m); the three marked large need tiling.
"""

import math

import numpy as np
import shapely
from shapely.geometry import Polygon

from minemap_assets.simulation.mines import Blob, Life, Mine, Strip
from minemap_assets.simulation.noise import uniform
from minemap_assets.simulation.rivers import River, centreline
from minemap_assets.simulation.world import Country, SimRegion, Town, World

CONTINENT = "Simulated"
WEST, EAST = ("XAA", "Aurelia"), ("XBB", "Borvia")
ALDER, BIRCH = "alder-basin", "birch-delta"


def _border(half_height: float, swing: float, wave: float) -> list[tuple[float, float]]:
    """The common border from south to north."""
    ys = np.linspace(-half_height, half_height, 121)
    xs = swing * np.sin(2 * math.pi * ys / wave) + 0.15 * swing * np.sin(2 * math.pi * ys / (0.23 * wave))
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _countries(half_width: float, half_height: float, swing: float, wave: float) -> tuple[Country, ...]:
    border = _border(half_height, swing, wave)
    west = Polygon([(-half_width, half_height), (-half_width, -half_height), *border])
    east = Polygon([(half_width, -half_height), (half_width, half_height), *border[::-1]])
    return (Country(*WEST, CONTINENT, west), Country(*EAST, CONTINENT, east))


def _region(slug: str, title: str, west: float, south: float, east: float, north: float) -> SimRegion:
    """A box with gently waving sides, so that no test can rely on straight ones."""
    ring = shapely.segmentize(shapely.box(west, south, east, north), 400.0).exterior
    coordinates = shapely.get_coordinates(ring)[:-1]
    swing = 0.018 * (north - south)
    x, y = coordinates.T
    moved = np.column_stack([x + swing * np.sin(y / 1300.0), y + swing * np.sin(x / 1500.0)])
    return SimRegion(slug, title, Polygon(moved))


def _pit(mine_id: str, region: str, x: float, y: float, radius: float, life: Life) -> Mine:
    return Mine(mine_id, "pit", region, (Blob(x, y, radius, life),))


def _strip(mine_id: str, region: str, river: River, x: float, y: float, length: float, width: float, life: Life) -> Mine:
    """Workings centred on the river's point nearest to (x, y)."""
    along = float(shapely.line_locate_point(shapely.LineString(centreline(river)), shapely.Point(x, y)))
    return Mine(mine_id, "strip", region, (Strip(river, round(along, 1), length, width, life),))


def _cluster(mine_id: str, region: str, x: float, y: float, spread: float, count: int, lives: tuple[Life, ...]) -> Mine:
    """Pits on a ring and at its centre, one after another, that merge as they grow; lives are dealt out in turn."""
    blobs = []
    for i in range(count):
        angle = 2 * math.pi * (i / max(1, count - 1) + 0.1 * uniform("turn", mine_id, i))
        reach = 0.0 if i == 0 else spread * (0.55 + 0.25 * uniform("reach", mine_id, i))
        radius = spread * (0.34 + 0.14 * uniform("radius", mine_id, i))
        px, py = round(x + reach * math.cos(angle), 1), round(y + reach * math.sin(angle), 1)
        blobs.append(Blob(px, py, round(radius, 1), lives[i % len(lives)], i))
    return Mine(mine_id, "cluster", region, tuple(blobs))


def demo() -> World:
    """Two countries, two disjoint regions, 24 mines, 2016 to 2025."""
    main = River("Ember", (-27_000.0, -1_400.0), (27_000.0, 900.0), 62.0, 520.0)
    upper = River("Sorrel", (-15_500.0, 15_000.0), (-5_500.0, -15_000.0), 44.0, 420.0)
    lower = River("Teasel", (9_000.0, 15_000.0), (12_500.0, -15_000.0), 52.0, 480.0)
    side = River("Yarrow", (4_000.0, -15_000.0), (27_000.0, 7_500.0), 40.0, 380.0)
    towns = (
        Town("Larkholm", -15_100.0, 3_300.0, 330.0),
        Town("Westerby", -8_800.0, -1_000.0, 300.0),
        Town("Fernhall", -4_300.0, 4_900.0, 260.0),
        Town("Grenze", -1_300.0, -3_000.0, 240.0),
        Town("Ostrand", 5_700.0, 1_300.0, 350.0),
        Town("Mirefield", 12_900.0, -3_500.0, 300.0),
        Town("Quarn", 15_600.0, 3_300.0, 280.0),
    )
    return World(
        name="demo",
        seed=11,
        years=tuple(range(2016, 2026)),
        reference_year=2019,
        countries=_countries(26_000.0, 13_000.0, 2_300.0, 9_200.0),
        regions=(
            _region(ALDER, "Alder Basin", -19_200.0, -6_900.0, -700.0, 6_900.0),
            _region(BIRCH, "Birch Delta", 700.0, -6_900.0, 19_200.0, 6_900.0),
        ),
        rivers=(main, upper, lower, side),
        towns=towns,
        mines=(*_alder_mines(main, upper), *_birch_mines(main, lower, side)),
    )


def _alder_mines(main: River, upper: River) -> tuple[Mine, ...]:
    early, middle = Life(2012, 9), Life(2015, 6)
    return (
        _pit("alder-01", ALDER, -16_500.0, -4_500.0, 420.0, early),
        _pit("alder-02", ALDER, -12_300.0, -4_400.0, 340.0, Life(2017, 6)),
        _pit("alder-03", ALDER, -3_600.0, 3_900.0, 390.0, Life(2014, 8, pauses=(2018, 2019, 2020))),
        _pit("alder-04", ALDER, -2_350.0, -2_300.0, 460.0, Life(2013, 10)),
        _strip("alder-05", ALDER, main, -16_400.0, -700.0, 1_000.0, 260.0, Life(2014, 7)),
        _strip("alder-06", ALDER, main, -11_600.0, -700.0, 2_150.0, 300.0, Life(2013, 9)),
        _strip("alder-07", ALDER, upper, -12_100.0, 4_400.0, 950.0, 230.0, Life(2016, 5, closing=2021)),
        _strip("alder-08", ALDER, upper, -8_300.0, -4_800.0, 1_050.0, 240.0, Life(2021, 3)),
        _cluster("alder-09", ALDER, -16_300.0, 4_200.0, 520.0, 5, (middle, Life(2017, 6), Life(2020, 5))),
        _cluster("alder-10", ALDER, -7_700.0, 4_300.0, 500.0, 5, (early, Life(2012, 5, closing=2018), Life(2018, 5))),
        _cluster("alder-11", ALDER, -7_400.0, -300.0, 480.0, 4, (middle, Life(2016, 7))),
        _cluster("alder-12", ALDER, -4_400.0, -5_000.0, 440.0, 4, (Life(2020, 5), Life(2022, 4))),
    )


def _birch_mines(main: River, lower: River, side: River) -> tuple[Mine, ...]:
    early, middle = Life(2012, 9), Life(2015, 6)
    return (
        _pit("birch-01", BIRCH, 2_350.0, 2_400.0, 430.0, Life(2014, 8)),
        _pit("birch-02", BIRCH, 6_700.0, 4_500.0, 360.0, Life(2016, 6, pauses=(2020, 2021))),
        _pit("birch-03", BIRCH, 14_800.0, 4_300.0, 720.0, Life(2012, 11)),
        _pit("birch-04", BIRCH, 16_700.0, -600.0, 350.0, Life(2010, 6, closing=2017)),
        _strip("birch-05", BIRCH, main, 4_200.0, 100.0, 1_000.0, 250.0, middle),
        _strip("birch-06", BIRCH, lower, 10_200.0, 4_300.0, 1_000.0, 270.0, Life(2014, 8)),
        _strip("birch-07", BIRCH, lower, 10_700.0, -600.0, 950.0, 230.0, Life(2020, 4)),
        _strip("birch-08", BIRCH, side, 15_400.0, -4_000.0, 1_050.0, 230.0, Life(2013, 8)),
        _cluster("birch-09", BIRCH, 2_900.0, -4_600.0, 500.0, 5, (early, Life(2016, 6), Life(2019, 6))),
        _cluster("birch-10", BIRCH, 7_300.0, -4_300.0, 940.0, 6, (early, Life(2015, 7), Life(2017, 7))),
        _cluster("birch-11", BIRCH, 7_500.0, -800.0, 460.0, 4, (Life(2016, 5, closing=2022), Life(2014, 5, closing=2021))),
        _cluster("birch-12", BIRCH, 11_600.0, -4_900.0, 430.0, 4, (Life(2021, 4), Life(2023, 3))),
    )


def tiny() -> World:
    """Two regions of two mines each, 2017 to 2019."""
    main = River("Ember", (-8_000.0, -500.0), (8_000.0, 700.0), 60.0, 330.0)
    return World(
        name="tiny",
        seed=7,
        years=(2017, 2018, 2019),
        reference_year=2019,
        countries=_countries(7_500.0, 4_000.0, 1_500.0, 7_000.0),
        regions=(
            _region(ALDER, "Alder Basin", -6_600.0, -2_700.0, -500.0, 2_700.0),
            _region(BIRCH, "Birch Delta", 500.0, -2_700.0, 6_600.0, 2_700.0),
        ),
        rivers=(main,),
        towns=(Town("Larkholm", -4_300.0, 1_500.0, 280.0), Town("Ostrand", 4_900.0, 1_500.0, 260.0)),
        mines=(
            _strip("alder-01", ALDER, main, -4_700.0, 0.0, 1_000.0, 280.0, Life(2014, 6)),
            _pit("alder-02", ALDER, -1_500.0, -1_300.0, 420.0, Life(2013, 8)),
            _cluster("birch-01", BIRCH, 2_000.0, 1_500.0, 480.0, 4, (Life(2014, 6), Life(2017, 4))),
            _pit("birch-02", BIRCH, 5_000.0, -900.0, 400.0, Life(2015, 5)),
        ),
    )
