"""Whose ground a polygon is: what of it lies on the ground of each of its sites, and in which cells of the grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from minemap_assets.tables.counted import Counted, Rows, Shapes, measured
from minemap_assets.tables.equal_area_grid import cells_of, cut
from minemap_assets.tables.parts import MiningFiles


@dataclass(frozen=True, eq=False)
class SitePieces:
    """Shapes divided among sites: of each piece the shape's number, its site, its ground and its share of the area.

    The shares of each shape add up to 1.
    """

    shape: Rows
    site_id: npt.NDArray[np.object_]
    ground: Shapes
    share: npt.NDArray[np.float64]


def divide(mining: MiningFiles, rows: Rows, shapes: Shapes, cells: Mapping[str, BaseGeometry]) -> SitePieces:
    """Divide what stands for some polygons, `rows`, by the ground that their sites own.

    A shape that lies on the ground of none of several sites goes to the first of them.
    """
    counts = mining.site_counts
    start = np.cumsum(counts) - counts
    number = np.repeat(np.arange(len(rows)), counts[rows])
    place = np.arange(len(number)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
    sites = mining.sites[start[rows][number] + place]
    ground = shapes[number]
    share = np.ones(len(number))
    shared = counts[rows][number] > 1
    if shared.any():
        owned = np.array([cells.get(site, Polygon()) for site in sites[shared]], dtype=object)
        parts = np.asarray(shapely.intersection(ground[shared], owned), dtype=object)
        size = measured(parts)
        among = number[shared]
        whole = np.bincount(among, weights=size, minlength=len(rows))
        nowhere = (whole[among] <= 0.0) & (place[shared] == 0)
        parts[nowhere] = ground[shared][nowhere]
        share[shared] = np.where(nowhere, 1.0, size / np.where(whole[among] > 0.0, whole[among], 1.0))
        ground[shared] = parts
    kept = share > 0.0
    return SitePieces(number[kept].astype(np.int64), sites[kept], ground[kept], share[kept])


def lost_by_site(one: Counted) -> "pd.Series[float]":
    """Square kilometres that each site of a region loses to regions before it, by site."""
    pieces = divide(one.mining, one.rows, one.lost, one.part.cells if len(one.rows) else {})
    lost = pd.Series(one.lost_km2[pieces.shape] * pieces.share, index=pieces.site_id, dtype=np.float64)
    return lost.groupby(level=0).sum()


def area_by_site_and_cell(counted: Sequence[Counted]) -> pd.DataFrame:
    """[site_id, cell_row, cell_column, area_km2] of the mapped ground of all regions, counted once."""
    frames = [frame for one in counted for frame in (_within_a_cell(one), _over_several(one)) if len(frame)]
    columns = ["site_id", "cell_row", "cell_column", "area_km2"]
    if not frames:
        return pd.DataFrame({name: pd.Series(dtype=object if name == "site_id" else float) for name in columns})
    together = pd.concat(frames, ignore_index=True)
    return together.groupby(columns[:3], sort=True)["area_km2"].sum().reset_index()


def _simple(one: Counted) -> npt.NDArray[np.bool_]:
    """Polygons of one site, in one cell, of which nothing is taken away: their geometry need not be read."""
    west, south, east, north = one.mining.bounds.T
    low, high = cells_of(west, south), cells_of(east, north)
    simple = (low[0] == high[0]) & (low[1] == high[1]) & (one.mining.site_counts == 1)
    simple[one.rows] = False
    return np.asarray(simple, dtype=bool)


def _within_a_cell(one: Counted) -> pd.DataFrame:
    rows = np.flatnonzero(_simple(one))
    counts = one.mining.site_counts
    west, south, _, _ = one.mining.bounds[rows].T
    row, column = cells_of(west, south)
    sites = one.mining.sites[(np.cumsum(counts) - counts)[rows]]
    area = one.mining.polygons["area_km2"].to_numpy(dtype=np.float64)[rows]
    return pd.DataFrame({"site_id": sites, "cell_row": row, "cell_column": column, "area_km2": area})


def _over_several(one: Counted) -> pd.DataFrame:
    others = ~_simple(one)
    others[one.rows] = False
    whole = np.flatnonzero(others).astype(np.int64)
    still = np.array([shape is not None for shape in one.left], dtype=bool)
    rows = np.concatenate([whole, one.rows[still]])
    if not len(rows):
        return pd.DataFrame()
    shapes = np.concatenate([one.mining.geometries(whole), one.left[still]])
    area = one.mining.polygons["area_km2"].to_numpy(dtype=np.float64)[whole]
    area = np.concatenate([area, measured(one.left[still])])
    several = bool(len(rows)) and bool((one.mining.site_counts[rows] > 1).any())
    pieces = divide(one.mining, rows, shapes, one.part.cells if several else {})
    grid = cut(pieces.ground)
    return pd.DataFrame(
        {
            "site_id": pieces.site_id[grid.shape],
            "cell_row": grid.row,
            "cell_column": grid.column,
            "area_km2": (area[pieces.shape] * pieces.share)[grid.shape] * grid.share,
        }
    )
