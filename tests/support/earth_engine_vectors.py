"""Annual embeddings as the service publishes them: vectors of length 1 from whole numbers, in tiles of two zones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox

from earth_engine_scenes import write
from earth_engine_world import Asset, Band, Keys, Running, make_keys, served, write_catalogue
from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.imagery.products import product
from minemap_assets.imagery.seasons import CALENDAR_YEAR
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig

PRODUCT = product("satellite-embedding")
YEAR = CALENDAR_YEAR.season(2021)
VERSION = "1.0"
EPSG, OTHER_EPSG = 32722, 32721
ORIGIN = (500_000.0, 9_300_320.0)
ROW = [square_grid(ORIGIN[0] + 350.0 * place, ORIGIN[1], 64, EPSG) for place in range(6)]
"""Site grids of 5 m beside each other."""

SEAM = square_grid(ORIGIN[0] + 20_000.0, ORIGIN[1], 32, EPSG, 10.0)
"""The tile of the grid's own zone shows its left half only, the one of the next zone all of it."""

_SCALE = Affine.scale(10.0, -10.0)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """The running service and what its tiles hold (band, row, column), NaN where they are masked."""

    server: Running
    keys: Keys
    own: Floats
    own_grid: GeoBox
    other: Floats
    other_grid: GeoBox


def published(vectors: Floats) -> Floats:
    """What is left of vectors (band, row, column): whole numbers from -127 to 127, squared with their sign."""
    length = vectors / np.linalg.norm(vectors, axis=0)
    whole = np.clip(np.round(np.sqrt(np.abs(length)) * np.sign(length) * 127.5), -127, 127)
    back: Floats = (whole / 127.5) ** 2 * np.sign(whole)
    return back


def is_mine(grid: GeoBox) -> npt.NDArray[np.bool_]:
    """A disc in the middle of each site of `ROW`, of another size in each."""
    x, y = _centres(grid)
    found = np.zeros(x.shape, dtype=np.bool_)
    for place, site in enumerate(ROW):
        left, bottom, right, top = site.boundingbox.bbox
        radius = 65.0 + 8.0 * (place % 4)
        found |= np.hypot(x - (left + right) / 2 + 20 * (place % 3), y - (bottom + top) / 2) < radius
    return found


@contextmanager
def serve_vectors(root: Path) -> Iterator[Vectors]:
    """Write the tiles and serve them."""
    keys, config = make_keys(), EarthEngineConfig()
    ground = _row_grid()
    own_grid, other_grid = _seam_grids()
    own, other = published(_noise(own_grid, 1)), published(_noise(other_grid, 2))
    own[:, 3, 4] = np.nan
    tiles = {
        "row": (published(_ground(ground)), ground, "22S"),
        "a neighbour": (other, other_grid, "21S"),
        "b own": (own, own_grid, "22S"),
    }
    found = [_tile(root, name, *tile) for name, tile in tiles.items()]
    write_catalogue(root, keys, {config.satellite_embedding: found})
    with served(root) as server:
        yield Vectors(server, keys, own, own_grid, other, other_grid)


def _tile(root: Path, name: str, vectors: Floats, grid: GeoBox, zone: str) -> Asset:
    file = write(root / f"{name}.tif", vectors.astype(np.float32), grid)
    bands = {band: Band((file,), number) for number, band in enumerate(PRODUCT.bands, 1)}
    facts: dict[str, Any] = {"UTM_ZONE": zone, "MODEL_VERSION": VERSION}
    return Asset(name, YEAR.start, footprint_wgs84(grid), bands, end=date(2022, 1, 1), properties=facts)


def _ground(grid: GeoBox) -> Floats:
    """Mines, and forest or fields around them: each a direction of its own, with much that is chance."""
    chance = np.random.default_rng(0)
    mine, forest, fields = chance.standard_normal((3, 64, 1, 1)) / 8.0
    x, y = _centres(grid)
    around = np.where(np.sin(x / 60.0) + np.cos(y / 40.0) > 0, forest, fields)
    found: Floats = np.where(is_mine(grid), mine, around) + chance.standard_normal((64, *x.shape)) * 0.2
    return found


def _noise(grid: GeoBox, seed: int) -> Floats:
    found: Floats = np.random.default_rng(seed).standard_normal((64, *(int(n) for n in grid.shape)))
    return found


def _row_grid() -> GeoBox:
    left, bottom = ROW[0].boundingbox.left, ROW[0].boundingbox.bottom
    width = round((ROW[-1].boundingbox.right - left) / 10.0)
    return GeoBox((32, width), Affine.translation(left, bottom + 320.0) @ _SCALE, f"EPSG:{EPSG}")


def _seam_grids() -> tuple[GeoBox, GeoBox]:
    from pyproj import Transformer

    there = Transformer.from_crs(EPSG, OTHER_EPSG, always_xy=True)
    x, y = there.transform(ORIGIN[0] + 20_000.0, ORIGIN[1])
    corner = Affine.translation(round(x, -1) - 300.0, round(y, -1) + 300.0)
    return SEAM[:, :16], GeoBox((60, 60), corner @ _SCALE, f"EPSG:{OTHER_EPSG}")


def _centres(grid: GeoBox) -> tuple[Floats, Floats]:
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    return grid.affine.c + columns * grid.affine.a, grid.affine.f + rows * grid.affine.e
