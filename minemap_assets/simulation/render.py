"""Rendering: from a block of pixels of a UTM zone to digital numbers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from affine import Affine

from minemap_assets.imagery.products import SCALE
from minemap_assets.imagery.products import product as product_named
from minemap_assets.simulation.features import features_of
from minemap_assets.simulation.landscape import COARSE, Ground, land_cover
from minemap_assets.simulation.noise import Floats, as_floats, noise_key, stretch, value_noise
from minemap_assets.simulation.sensor import SENSORS, View, clear_looks, observe
from minemap_assets.simulation.spectra import product_table
from minemap_assets.simulation.world import FRAME, World, transformer

PIXEL = 5.0
_STEP = 16
_MARGIN = 16


@dataclass(frozen=True)
class Block:
    """A rectangle of 5 m pixels of a UTM zone: easting of the west side and northing of the north side are `column`
    and minus `row` times 5 m.
    """

    crs: str
    column: int
    row: int
    width: int
    height: int

    @property
    def transform(self) -> Affine:
        """From pixel to projected metres."""
        return Affine(PIXEL, 0.0, self.column * PIXEL, 0.0, -PIXEL, -self.row * PIXEL)

    def padded(self, margin: int) -> "Block":
        """The block with a margin, grown outwards to multiples of 80 m."""
        left, top = ((v - margin) // _STEP * _STEP for v in (self.column, self.row))
        right = -(-(self.column + self.width + margin) // _STEP) * _STEP
        bottom = -(-(self.row + self.height + margin) // _STEP) * _STEP
        return Block(self.crs, left, top, right - left, bottom - top)


@dataclass(frozen=True, eq=False)
class Rendered:
    """Digital numbers (band, row, column) and clear counts (row, column) at the product's resolution."""

    pixels: npt.NDArray[np.uint16]
    clear_count: npt.NDArray[np.uint16]


def ground_of(block: Block) -> Ground:
    """World coordinates of a block whose corner and sides are multiples of 80 m."""
    rows, columns = block.height // _STEP + 1, block.width // _STEP + 1
    east = (block.column + _STEP * np.arange(columns)) * PIXEL
    north = -(block.row + _STEP * np.arange(rows)) * PIXEL
    knots = transformer(block.crs, FRAME).transform(*np.meshgrid(east, north))
    x, y = (np.asarray(stretch(k, _STEP, 0.5), dtype=np.float32) for k in knots)
    coarse = [_with_last(k, _STEP // COARSE) for k in knots]
    return Ground(x, y, coarse[0].astype(np.float32), coarse[1].astype(np.float32))


def _with_last(knots: npt.NDArray[np.floating], step: int) -> npt.NDArray[np.floating]:
    """Knots refined by `step`, the last row and column kept."""
    grown = np.pad(knots, ((0, 1), (0, 1)), mode="edge")
    rows, columns = (knots.shape[0] - 1) * step + 1, (knots.shape[1] - 1) * step + 1
    return stretch(grown, step, 0.0)[:rows, :columns]


@dataclass(frozen=True)
class Order:
    """What is asked for: a product's bands in a year, from a season of some months."""

    product: str
    year: int
    months: int
    bands: tuple[str, ...]


def render_block(world: World, order: Order, block: Block) -> Rendered:
    """Render a block, whose corner and sides are whole pixels of the product (10 m: even numbers)."""
    product, year, bands = order.product, order.year, order.bands
    outer = block.padded(_MARGIN)
    ground = ground_of(outer)
    codes = features_of(world, year, outer.crs).burn(outer.width, outer.height, outer.transform)
    cover = land_cover(world, year, ground, codes)
    table = product_table(product, bands)
    surface = np.empty((len(bands), outer.height, outer.width), dtype=np.float32)
    keep = cover.shade * (1.0 - cover.mix)
    give = cover.shade * cover.mix
    for i in range(len(bands)):
        layer = table[:, i][cover.material] * keep + table[:, i][cover.other] * give
        surface[i] = layer.reshape(outer.height, outer.width)
    view = View(product, year, outer.crs, outer.column, outer.row)
    light = observe(view, bands, surface, _air(ground, view, "haze"))
    numbers = np.clip(np.rint(light * SCALE), 1, 65_535).astype(np.uint16)
    looks = clear_looks(SENSORS[product], _evened(_air(ground, view, "cloud")), order.months)
    factor = round(product_named(product).resolution / PIXEL)
    top, left = (block.row - outer.row) // factor, (block.column - outer.column) // factor
    rows = slice(top, top + block.height // factor)
    columns = slice(left, left + block.width // factor)
    seen = looks * on_land(world, ground)
    count = seen[::factor, ::factor][rows, columns]
    return Rendered(np.where(count > 0, numbers[:, rows, columns], 0).astype(np.uint16), count)


def on_land(world: World, ground: Ground) -> npt.NDArray[np.bool_]:
    """True (row, column) on the land of the world, whose outer coasts are straight."""
    west, south, east, north = world.land.bounds
    return np.asarray((ground.x > west) & (ground.x < east) & (ground.y > south) & (ground.y < north))


def _air(ground: Ground, view: View, what: str) -> Floats:
    """A field of the air, 0 to 1, other for each product and year."""
    key = noise_key(what, view.product, view.year)
    return (0.7 * ground.smooth(1300.0, key) + 0.3 * ground.smooth(330.0, key + 1)).astype(np.float32)


def _evened(field: Floats) -> Floats:
    """A field of the air spread evenly between 0 and 1."""
    return as_floats(np.interp(field, _spread_of_air(), np.linspace(0.0, 1.0, 201)))


@lru_cache(maxsize=1)
def _spread_of_air() -> npt.NDArray[np.float64]:
    """The two-hundredths of the distribution that `_air` has over a large area."""
    x, y = np.meshgrid(np.arange(0.0, 300_000.0, 600.0), np.arange(0.0, 300_000.0, 600.0))
    wide, narrow = (
        value_noise(as_floats(x), as_floats(y), wave, noise_key("spread", wave)) for wave in (1300.0, 330.0)
    )
    return np.asarray(np.quantile(0.7 * wide + 0.3 * narrow, np.linspace(0.0, 1.0, 201)))
