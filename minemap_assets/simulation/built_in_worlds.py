"""The worlds: `tiny` for tests, `demo` for the offline demo, `frontier` for scans of ground that nobody has mapped.

Metres in the world's frame. Ordinary mines stay below 1.25 km on their longest side, so that a window of twice that
side is the smallest one (512 pixels of 5 m); the three marked large need tiling.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import shapely
from shapely.geometry import Polygon

from minemap_assets.errors import BadInputError
from minemap_assets.simulation.mines import Blob, Life, Mine, Strip
from minemap_assets.simulation.noise import uniform
from minemap_assets.simulation.rivers import River, centreline
from minemap_assets.simulation.world import Country, SimRegion, Town, World

CONTINENT = "Simulated"
WEST, EAST = ("XAA", "Aurelia"), ("XBB", "Borvia")
ALDER, BIRCH, CEDAR = "alder-basin", "birch-delta", "cedar-frontier"


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


def _region(slug: str, title: str, box: tuple[float, float, float, float]) -> SimRegion:
    """A box with gently waving sides, so that no test can rely on straight ones."""
    ring = shapely.segmentize(shapely.box(*box), 400.0).exterior
    coordinates = shapely.get_coordinates(ring)[:-1]
    swing = 0.018 * (box[3] - box[1])
    x, y = coordinates.T
    moved = np.column_stack([x + swing * np.sin(y / 1300.0), y + swing * np.sin(x / 1500.0)])
    return SimRegion(slug, title, Polygon(moved))


@dataclass(frozen=True)
class _Maker:
    """Makes the mines of one region; `number` becomes part of the mine's id, `at` is metres in the world's frame."""

    region: str

    def pit(self, number: int, at: tuple[float, float], radius: float, life: Life) -> Mine:
        """One pit."""
        return Mine(self._name(number), "pit", self.region, (Blob(*at, radius, life),))

    def strip(self, number: int, at: tuple[float, float], river: River, size: tuple[float, float], life: Life) -> Mine:
        """Workings (length, width) centred on the river's point nearest to `at`."""
        along = float(shapely.line_locate_point(shapely.LineString(centreline(river)), shapely.Point(at)))
        return Mine(self._name(number), "strip", self.region, (Strip(river, round(along, 1), *size, life),))

    def cluster(self, number: int, at: tuple[float, float], spread: float, count: int, *lives: Life) -> Mine:
        """`count` pits, one in the middle of a ring, that merge as they grow; lives are dealt out in turn."""
        name = self._name(number)
        blobs = []
        for i in range(count):
            angle = 2 * math.pi * (i / max(1, count - 1) + 0.1 * uniform("turn", name, i))
            reach = 0.0 if i == 0 else spread * (0.55 + 0.25 * uniform("reach", name, i))
            radius = spread * (0.38 + 0.12 * uniform("radius", name, i))
            x, y = round(at[0] + reach * math.cos(angle), 1), round(at[1] + reach * math.sin(angle), 1)
            blobs.append(Blob(x, y, round(radius, 1), lives[i % len(lives)], i))
        return Mine(name, "cluster", self.region, tuple(blobs))

    def _name(self, number: int) -> str:
        return f"{self.region.split('-')[0]}-{number:02d}"


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
            _region(ALDER, "Alder Basin", (-19_200.0, -6_900.0, -700.0, 6_900.0)),
            _region(BIRCH, "Birch Delta", (700.0, -6_900.0, 19_200.0, 6_900.0)),
        ),
        rivers=(main, upper, lower, side),
        towns=towns,
        mines=(*_alder_mines(main, upper), *_birch_mines(main, lower, side)),
    )


def _alder_mines(main: River, upper: River) -> tuple[Mine, ...]:
    alder = _Maker(ALDER)
    early, middle = Life(2012, 9), Life(2015, 6)
    return (
        alder.pit(1, (-16_500.0, -4_500.0), 420.0, early),
        alder.pit(2, (-12_300.0, -4_400.0), 340.0, Life(2017, 6)),
        alder.pit(3, (-3_600.0, 3_900.0), 390.0, Life(2014, 8, pauses=(2018, 2019, 2020))),
        alder.pit(4, (-2_350.0, -2_300.0), 460.0, Life(2013, 10)),
        alder.strip(5, (-16_400.0, -700.0), main, (1_000.0, 260.0), Life(2014, 7)),
        alder.strip(6, (-11_600.0, -700.0), main, (2_150.0, 300.0), Life(2013, 9)),
        alder.strip(7, (-12_100.0, 4_400.0), upper, (950.0, 230.0), Life(2016, 5, closing=2021)),
        alder.strip(8, (-8_300.0, -4_800.0), upper, (1_050.0, 240.0), Life(2021, 3)),
        alder.cluster(9, (-16_300.0, 4_200.0), 520.0, 5, middle, Life(2017, 6), Life(2020, 5)),
        alder.cluster(10, (-7_700.0, 4_300.0), 500.0, 5, early, Life(2012, 5, closing=2018), Life(2018, 5)),
        alder.cluster(11, (-7_400.0, -300.0), 480.0, 4, middle, Life(2016, 7)),
        alder.cluster(12, (-4_400.0, -5_000.0), 440.0, 4, Life(2020, 5), Life(2022, 4)),
    )


def _birch_mines(main: River, lower: River, side: River) -> tuple[Mine, ...]:
    birch = _Maker(BIRCH)
    early, middle = Life(2012, 9), Life(2015, 6)
    return (
        birch.pit(1, (2_350.0, 2_400.0), 430.0, Life(2014, 8)),
        birch.pit(2, (6_700.0, 4_500.0), 360.0, Life(2016, 6, pauses=(2020, 2021))),
        birch.pit(3, (14_800.0, 4_300.0), 720.0, Life(2012, 11)),
        birch.pit(4, (16_700.0, -600.0), 350.0, Life(2010, 6, closing=2017)),
        birch.strip(5, (4_200.0, 100.0), main, (1_000.0, 250.0), middle),
        birch.strip(6, (10_200.0, 4_300.0), lower, (1_000.0, 270.0), Life(2014, 8)),
        birch.strip(7, (10_700.0, -600.0), lower, (950.0, 230.0), Life(2020, 4)),
        birch.strip(8, (15_400.0, -4_000.0), side, (1_050.0, 230.0), Life(2013, 8)),
        birch.cluster(9, (2_900.0, -4_600.0), 500.0, 5, early, Life(2016, 6), Life(2019, 6)),
        birch.cluster(10, (7_300.0, -4_300.0), 940.0, 6, early, Life(2015, 7), Life(2017, 7)),
        birch.cluster(11, (7_500.0, -800.0), 460.0, 4, Life(2016, 5, closing=2022), Life(2014, 5, closing=2021)),
        birch.cluster(12, (11_600.0, -4_900.0), 430.0, 4, Life(2021, 4), Life(2023, 3)),
    )


def tiny() -> World:
    """Two regions of two mines each, 2017 to 2019."""
    alder, birch = _Maker(ALDER), _Maker(BIRCH)
    main = River("Ember", (-9_000.0, -500.0), (9_000.0, 700.0), 60.0, 330.0)
    return World(
        name="tiny",
        seed=7,
        years=(2017, 2018, 2019),
        reference_year=2019,
        countries=_countries(8_000.0, 4_200.0, 1_500.0, 7_000.0),
        regions=(
            _region(ALDER, "Alder Basin", (-6_600.0, -2_700.0, -500.0, 2_700.0)),
            _region(BIRCH, "Birch Delta", (500.0, -2_700.0, 6_600.0, 2_700.0)),
        ),
        rivers=(main,),
        towns=(Town("Larkholm", -4_300.0, 1_500.0, 280.0), Town("Ostrand", 4_900.0, 1_500.0, 260.0)),
        mines=(
            alder.strip(1, (-4_700.0, 0.0), main, (1_000.0, 280.0), Life(2014, 6)),
            alder.pit(2, (-1_500.0, -1_300.0), 420.0, Life(2013, 8)),
            birch.cluster(1, (2_000.0, 1_500.0), 480.0, 4, Life(2014, 6), Life(2017, 4)),
            birch.pit(2, (5_000.0, -900.0), 400.0, Life(2015, 5)),
        ),
    )


def frontier() -> World:
    """A small region whose mines are known, and one of 5,041 km2 whose mines nobody knows of, 2017 to 2019."""
    main = River("Ember", (-27_000.0, -1_400.0), (76_000.0, 900.0), 62.0, 520.0)
    upper = River("Sorrel", (-15_500.0, 15_000.0), (-5_500.0, -15_000.0), 44.0, 420.0)
    lower = River("Teasel", (20_000.0, 38_000.0), (30_000.0, -38_000.0), 52.0, 480.0)
    side = River("Yarrow", (50_000.0, 38_000.0), (58_000.0, -38_000.0), 40.0, 380.0)
    years, unknown = (2017, 2018, 2019), _cedar_mines()
    known = [mine for mine in _alder_mines(main, upper) if mine.opening <= years[-1]]
    return World(
        name="frontier",
        seed=13,
        years=years,
        reference_year=2019,
        countries=_countries(80_000.0, 40_000.0, 2_300.0, 9_200.0),
        regions=(
            _region(ALDER, "Alder Basin", (-19_200.0, -6_900.0, -700.0, 6_900.0)),
            SimRegion(CEDAR, "Cedar Frontier", shapely.box(3_000.0, -35_500.0, 74_000.0, 35_500.0)),
        ),
        rivers=(main, upper, lower, side),
        towns=(
            Town("Larkholm", -15_100.0, 3_300.0, 330.0),
            Town("Westerby", -8_800.0, -1_000.0, 300.0),
            Town("Cedarford", 22_900.0, 3_500.0, 350.0),
            Town("Quarn", 45_600.0, -13_300.0, 280.0),
            Town("Norholt", 61_000.0, 21_000.0, 420.0),
        ),
        mines=(*known, *unknown),
        hidden=frozenset(mine.mine_id for mine in unknown),
    )


def _cedar_mines() -> tuple[Mine, ...]:
    """24 pits far from each other, from 2 to 60 hectares."""
    cedar = _Maker(CEDAR)
    pits = []
    for number in range(24):
        row, column = divmod(number, 5)
        x = 3_000.0 + 14_200.0 * (column + 0.2 + 0.6 * uniform("cedar x", number))
        y = -35_500.0 + 14_200.0 * (row + 0.2 + 0.6 * uniform("cedar y", number))
        radius = 80.0 + 370.0 * uniform("cedar radius", number)
        pits.append(cedar.pit(number + 1, (round(x, 1), round(y, 1)), round(radius, 1), Life(2012, 5)))
    return tuple(pits)


def with_unknown_mines(world: World) -> World:
    """The same world, some of whose mines nobody knows of: those that open after the reference year, or else one."""
    if world.hidden:
        return world
    late = frozenset(mine.mine_id for mine in world.mines if mine.opening > world.reference_year)
    return replace(world, hidden=late or frozenset({world.mines[-1].mine_id}))


_MAKERS = {"tiny": tiny, "demo": demo, "frontier": frontier}


@lru_cache(maxsize=4)
def load_world(name: str) -> World:
    """The world of that name: `tiny`, `demo` or `frontier`. Raises `BadInputError` for an unknown one."""
    if name not in _MAKERS:
        raise BadInputError(f"there is no simulated world {name!r}; the worlds are {', '.join(_MAKERS)}")
    return _MAKERS[name]()
