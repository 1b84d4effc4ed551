"""Landscape: which materials cover each point of ground, in which shade, in a given year.

Every function is of world coordinates alone, so the same point looks the same on every grid.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minemap_assets.simulation import features
from minemap_assets.simulation.noise import Floats, as_floats, cell_value, noise_key, stretch, value_noise
from minemap_assets.simulation.spectra import Material
from minemap_assets.simulation.world import World

COARSE = 4
"""Fields with bumps wider than 80 m are evaluated every 4 pixels (20 m) and interpolated."""

Index = npt.NDArray[np.intp]
AnyFloats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Ground:
    """World coordinates (metres) of pixel centres, and of the coarse knots around them, which has a row and a column
    more than a quarter of the pixels.
    """

    x: Floats
    y: Floats
    coarse_x: Floats
    coarse_y: Floats

    def smooth(self, wavelength: float, key: int) -> Floats:
        """Wide noise (0 to 1) at every pixel."""
        knots = value_noise(self.coarse_x, self.coarse_y, wavelength, key)
        return np.asarray(stretch(knots, COARSE, 0.5), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Cover:
    """What each pixel is made of: a share `mix` of material `other` in `material`, both multiplied by `shade`.

    Arrays are flat (pixels,), row after row.
    """

    material: npt.NDArray[np.uint8]
    other: npt.NDArray[np.uint8]
    mix: Floats
    shade: Floats

    def paint(
        self, where: Index, material: Material, other: Material, mix: AnyFloats | float, shade: AnyFloats
    ) -> None:
        """Cover the pixels of a flat index anew."""
        self.material[where] = material
        self.other[where] = other
        self.mix[where] = mix
        self.shade[where] = shade


@dataclass(frozen=True, eq=False)
class _Place:
    """What every painter needs: the world, the year, the ground, and the wide fields that all share."""

    world: World
    year: int
    ground: Ground
    soil: Floats
    relief: Floats

    def key(self, *parts: object) -> int:
        return noise_key(self.world.seed, *parts)

    def xy(self, where: Index) -> tuple[Floats, Floats]:
        return self.ground.x.ravel()[where], self.ground.y.ravel()[where]


def land_cover(world: World, year: int, ground: Ground, codes: npt.NDArray[np.uint8]) -> Cover:
    """Land cover of a year where `codes` are the burned features of the same pixels."""
    soil = ground.smooth(900.0, noise_key(world.seed, "soil")).ravel()
    relief = ground.smooth(700.0, noise_key(world.seed, "relief"))
    relief = relief.ravel() + 0.5 * ground.smooth(240.0, noise_key(world.seed, "relief2")).ravel()
    place = _Place(world, year, ground, soil, relief - 0.75)
    flat = codes.ravel()
    cover = _forest(place)
    _clearings(place, cover)
    _farms(place, cover)
    _ponds(place, cover)
    _regrowth(place, cover, flat)
    _sandbars(place, cover, np.flatnonzero(flat == features.SANDBAR))
    _river(place, cover, np.flatnonzero(flat == features.RIVER))
    _towns(place, cover)
    roads = np.flatnonzero(flat == features.ROAD)
    cover.paint(roads, Material.LATERITE, Material.SAND, 0.3, np.full(roads.size, 0.95, dtype=np.float32))
    _workings(place, cover, np.flatnonzero((flat == features.MINE) | (flat == features.MINE_CHANNEL)))
    _river(place, cover, np.flatnonzero(flat == features.MINE_CHANNEL))
    return cover


def _forest(place: _Place) -> Cover:
    """Closed forest: crowns, a little relief, and lighter stands."""
    ground = place.ground
    crowns = value_noise(ground.x, ground.y, 11.0, place.key("crown")).ravel()
    crowns += 0.7 * value_noise(ground.x, ground.y, 26.0, place.key("stand")).ravel()
    stands = ground.smooth(500.0, place.key("type")).ravel()
    shade = 0.79 + 0.25 * crowns + 0.30 * place.relief
    size = crowns.size
    return Cover(
        np.full(size, Material.FOREST, dtype=np.uint8),
        np.full(size, Material.SCRUB, dtype=np.uint8),
        np.clip(1.6 * stands - 0.75, 0.0, 0.5).astype(np.float32),
        shade.astype(np.float32),
    )


def _clearings(place: _Place, cover: Cover) -> None:
    """Slash-and-burn plots of rounded shape that change every three years: burnt, bare, or grown with grass."""
    epoch = (place.year - 2000) // 3
    lump = place.ground.smooth(420.0, place.key("clearing", epoch)).ravel()
    lump += 0.25 * place.ground.smooth(130.0, place.key("clearing edge", epoch)).ravel()
    where = np.flatnonzero(lump > 1.075)
    x, y = place.xy(where)
    kind = value_noise(x, y, 1500.0, place.key("clearing kind", epoch))
    fine = value_noise(x, y, 30.0, place.key("plot"))
    shade = 0.90 + 0.12 * fine + 0.2 * place.relief[where]
    bare, burnt = kind > 0.5, kind < 0.25
    cover.paint(where, Material.PASTURE, Material.SCRUB, fine * 0.5, shade)
    cover.paint(where[bare], Material.LATERITE, Material.PASTURE, 0.12 * fine[bare], shade[bare])
    cover.paint(where[burnt], Material.BURNT, Material.LATERITE, 0.4 * fine[burnt], shade[burnt])


def _farms(place: _Place, cover: Cover) -> None:
    """Blocks of straight-edged fields; a field is bare, flooded, sown or grazed, and changes from year to year."""
    turn = 0.35
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    wide, deep = np.float32(140.0), np.float32(120.0)
    likely = place.ground.smooth(1700.0, place.key("farmland")).ravel()
    likely += 0.35 * place.ground.smooth(600.0, place.key("farmland2")).ravel()
    where = np.flatnonzero(likely > 0.85)
    x, y = place.xy(where)
    u, v = (c * x + s * y) / wide, (c * y - s * x) / deep
    i, j = np.floor(u), np.floor(v)
    pair = np.floor(i / 2)
    double = cell_value(pair.astype(np.int64), j.astype(np.int64), place.key("double")) < 0.4
    left, length = np.where(double, 2 * pair, i), np.where(double, np.float32(2.0), np.float32(1.0))
    middle_x, middle_y = (left + length / 2) * wide, (j + np.float32(0.5)) * deep
    field_x, field_y = as_floats(c * middle_x - s * middle_y), as_floats(s * middle_x + c * middle_y)
    farmland = value_noise(field_x, field_y, 1700.0, place.key("farmland"))
    farmland += 0.35 * value_noise(field_x, field_y, 600.0, place.key("farmland2"))
    edge = np.minimum(np.minimum(u - left, left + length - u) * wide, np.minimum(v - j, j + 1 - v) * deep)
    inside = (farmland > 0.95) & (edge > 5.0)
    where, cells = where[inside], (left[inside].astype(np.int64), j[inside].astype(np.int64))
    state = cell_value(*cells, place.key("field", place.year))
    rows = as_floats(np.sin((u[inside] * wide) * np.float32(2 * np.pi / 22.0)))
    tone = cell_value(*cells, place.key("tone"))
    shade = 0.86 + 0.2 * tone + 0.05 * rows * (state < 0.75)
    sand = np.clip(1.5 * place.soil[where] - 0.25, 0.0, 1.0)
    bare, flooded, grazed = state < 0.34, (state >= 0.34) & (state < 0.48), state > 0.75
    cover.paint(where, Material.CROP, Material.LATERITE, 0.25 * tone, shade)
    cover.paint(where[bare], Material.LATERITE, Material.SAND, sand[bare], shade[bare])
    cover.paint(where[flooded], Material.WET_SOIL, Material.TURBID_WATER, 0.2 + 0.6 * tone[flooded], shade[flooded])
    cover.paint(where[grazed], Material.PASTURE, Material.SCRUB, 0.3 * tone[grazed], shade[grazed])


def _ponds(place: _Place, cover: Cover) -> None:
    """Single round ponds, dark, brown or turquoise, at most one in each 900 m cell."""
    side = np.float32(900.0)
    ground = place.ground
    i, j = np.floor(ground.x.ravel() / side).astype(np.int64), np.floor(ground.y.ravel() / side).astype(np.int64)
    there = np.flatnonzero(cell_value(i, j, place.key("pond")) < 0.35)
    i, j = i[there], j[there]
    x, y = place.xy(there)
    middle_x = (i + 0.2 + 0.6 * cell_value(i, j, place.key("pond x"))) * side
    middle_y = (j + 0.2 + 0.6 * cell_value(i, j, place.key("pond y"))) * side
    radius = 22.0 + 60.0 * cell_value(i, j, place.key("pond r")) ** 2
    away = np.hypot(x - middle_x, y - middle_y) + 14.0 * (value_noise(x, y, 45.0, place.key("shore")) - 0.5)
    kind = cell_value(i, j, place.key("pond kind"))
    wet = away < radius
    flat = np.full(there.size, 1.0, dtype=np.float32)
    for low, high, material in (
        (0.0, 0.35, Material.TURQUOISE_WATER),
        (0.35, 0.65, Material.TURBID_WATER),
        (0.65, 1.1, Material.DARK_WATER),
    ):
        chosen = wet & (kind >= low) & (kind < high)
        cover.paint(there[chosen], material, Material.DARK_WATER, 0.2, flat[chosen])


def _regrowth(place: _Place, cover: Cover, codes: npt.NDArray[np.uint8]) -> None:
    """Former workings: scrub at once, forest after some eight years."""
    where = np.flatnonzero(codes >= features.REGROWTH)
    age = (codes[where] - features.REGROWTH).astype(np.float32)
    x, y = place.xy(where)
    fine = value_noise(x, y, 18.0, place.key("scrub"))
    bare = np.clip(0.35 - 0.08 * age, 0.0, 1.0) * value_noise(x, y, 40.0, place.key("bare"))
    young = age <= 2
    shade = 0.82 + 0.3 * fine + 0.2 * place.relief[where]
    forest = np.clip(age / 9.0, 0.0, 1.0)
    cover.paint(where, Material.SCRUB, Material.FOREST, forest, shade)
    cover.paint(where[young], Material.SCRUB, Material.LATERITE, bare[young], shade[young])


def _sandbars(place: _Place, cover: Cover, where: Index) -> None:
    """Bright smooth sand, damp where it is low; the river covers more of it in wet years."""
    x, y = place.xy(where)
    level = value_noise(x, y, 160.0, place.key("level", place.year)) + 0.2 * value_noise(x, y, 50.0, place.key("bar"))
    tone = 0.88 + 0.2 * level
    cover.paint(where, Material.SAND, Material.LATERITE, 0.45 * (1.0 - place.soil[where]), tone)
    damp = level < 0.42
    cover.paint(where[damp], Material.WET_SOIL, Material.SAND, 0.35, tone[damp])


def _river(place: _Place, cover: Cover, where: Index) -> None:
    x, y = place.xy(where)
    load = value_noise(x, y, 2500.0, place.key("load", place.year))
    cover.paint(where, Material.TURBID_WATER, Material.DARK_WATER, 0.15 + 0.6 * load, np.ones_like(load))


def _towns(place: _Place, cover: Cover) -> None:
    """Blocks of small roofs between straight streets, with yards of bare soil and trees."""
    ground = place.ground
    flat_x, flat_y = ground.x.ravel(), ground.y.ravel()
    low_x, high_x, low_y, high_y = flat_x.min(), flat_x.max(), flat_y.min(), flat_y.max()
    for town in place.world.towns:
        reach = town.radius * 1.2
        if not (low_x - reach < town.x < high_x + reach and low_y - reach < town.y < high_y + reach):
            continue
        near = np.flatnonzero((np.abs(flat_x - town.x) < reach) & (np.abs(flat_y - town.y) < reach))
        x, y = flat_x[near], flat_y[near]
        away = np.hypot(x - town.x, y - town.y)
        inside = away < town.radius * (0.8 + 0.4 * value_noise(x, y, 200.0, place.key("town")))
        where, x, y = near[inside], x[inside], y[inside]
        turn = np.float32(len(town.name) % 5 * 0.3)
        u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        street = (np.mod(u, 75.0) < 10.0) | (np.mod(v, 60.0) < 10.0)
        house = np.floor(u / 15.0).astype(np.int64), np.floor(v / 12.0).astype(np.int64)
        what = cell_value(*house, place.key("house"))
        tone = 0.8 + 0.4 * cell_value(*house, place.key("roof"))
        cover.paint(where, Material.LATERITE, Material.PASTURE, 0.4, tone)
        roof, garden = what < 0.45, what > 0.75
        cover.paint(where[roof], Material.ROOF, Material.LATERITE, 0.35, tone[roof])
        cover.paint(where[garden], Material.SCRUB, Material.FOREST, 0.4, tone[garden])
        cover.paint(where[street], Material.LATERITE, Material.SAND, 0.5, np.full(street.sum(), 0.95, np.float32))


def _workings(place: _Place, cover: Cover, where: Index) -> None:
    """A mine: mottled spoil, terraces, dark wet pits, brown and turquoise ponds, and a few patches of scrub."""
    x, y = place.xy(where)
    piles = value_noise(x, y, 20.0, place.key("piles"))
    lumps = 0.7 * value_noise(x, y, 43.0, place.key("pits")) + 0.3 * piles
    terrace = np.mod(value_noise(x, y, 130.0, place.key("terrace")) * np.float32(7.0), 1.0)
    shade = 0.62 + 0.55 * piles + 0.18 * terrace
    sand = np.clip(1.5 * place.soil[where] - 0.35 + 0.5 * (piles - 0.5), 0.0, 1.0)
    cover.paint(where, Material.LATERITE, Material.SAND, sand, shade)
    wet = lumps < 0.36
    cover.paint(where[wet], Material.WET_SOIL, Material.LATERITE, 0.2, shade[wet])
    pond = lumps > 0.60
    hue = value_noise(x, y, 80.0, place.key("hue"))
    calm = np.ones(where.size, dtype=np.float32)
    for low, high, material in (
        (0.0, 0.42, Material.TURBID_WATER),
        (0.42, 0.66, Material.TURQUOISE_WATER),
        (0.66, 1.1, Material.DARK_WATER),
    ):
        chosen = pond & (hue >= low) & (hue < high)
        cover.paint(where[chosen], material, Material.WET_SOIL, 0.15, calm[chosen])
    green = value_noise(x, y, 36.0, place.key("green")) > 0.78
    cover.paint(where[green], Material.SCRUB, Material.LATERITE, 0.25, shade[green])
