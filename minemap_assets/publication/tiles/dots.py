"""Dots for what is too small to be drawn, those that would lie on each other merged into one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.publication.tiles.ground import Ground
from minemap_assets.publication.tiles.properties import Properties, properties

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dots:
    """Dots by tile: the tile of each, where it lies in units of the tile (n, 2), and what is known of it."""

    tiles: Ints
    xy: Ints
    described: Properties


def merged_dots(ground: Ground, rows: npt.NDArray[np.intp], tiles: Ints, xy: Ints, cell: int) -> Dots:
    """Dots of some polygons, one for all of a group whose places fall into the same cell of a tile, or square of
    `spacing` by `spacing` cells.

    `tiles` and `xy` are the tile and the units in it of each row. A dot lies at the mean place of what it stands for,
    weighted by area; its properties are `n`, `km2` (their sum), and what `ground.merging` keeps.
    """
    group, at = ground.groups[rows], xy // (cell * ground.merging.spacing)
    order = np.lexsort((rows, at[:, 0], at[:, 1], group, tiles))
    keys = np.column_stack([tiles, group, at])[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    starts, dot = np.flatnonzero(new), np.cumsum(new) - 1
    rows, km2 = rows[order], ground.km2[rows[order]]
    # where nothing has an area, all weigh the same
    weight = np.maximum(km2, 1e-12)
    total = np.bincount(dot, weight)
    middle = np.column_stack([np.bincount(dot, weight * xy[order, axis]) / total for axis in (0, 1)])
    counts = np.bincount(dot)
    numbers = properties({"n": counts, "km2": np.bincount(dot, km2)}, len(starts))
    found = numbers.beside(_kept(ground, rows, starts, counts == 1))
    return Dots(tiles[order][starts], np.rint(middle).astype(np.int64), found)


def _kept(
    ground: Ground, rows: npt.NDArray[np.intp], starts: npt.NDArray[np.intp], alone: npt.NDArray[np.bool_]
) -> Properties:
    """What merged dots keep of their polygons, which stand after each other from `starts`."""
    merging, known = ground.merging, ground.described.take(rows[starts])
    least = np.fmin.reduceat(ground.earliest[rows], starts, axis=0) if len(starts) else ground.earliest[:0]
    columns = {name: pd.Series(least[:, place]).astype("Int64") for place, name in enumerate(merging.earliest)}
    kept = known.only(merging.within).beside(properties(columns, len(starts)))
    return kept.beside(known.only(merging.alone).where(alone))
