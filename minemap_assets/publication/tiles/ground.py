"""Ground on its way into tiles: polygons with what is known of them, and which of it their dots keep."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.antimeridian import crossing, short_way, within_a_turn
from minemap_assets.publication.tiles.mercator import Floats, places, shares
from minemap_assets.publication.tiles.properties import Properties, properties

NEVER_DRAWN = -1.0
"""In the place of a share: a dot at every zoom."""


@dataclass(frozen=True)
class Merging:
    """How dots become one: only those that agree in the columns `within`; each of `earliest` is the least of theirs;
    what stands in `alone` only a dot of one polygon says. `spacing` is the side of the cells whose dots become one, in
    those of the detail.
    """

    within: tuple[str, ...]
    earliest: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    spacing: int = 1


@dataclass(frozen=True)
class Ground:
    """Polygons (n) of one layer, and of the layer of their dots.

    `bounds` (n, 4: west, north, east, south) and `centres` (n, 2) are places in the square of the map, `shares` the
    part of it that each polygon takes, or `NEVER_DRAWN`. `groups` (n) are equal where dots may be merged;
    `earliest` (n, columns) are numbers of which a merged dot keeps the least, NaN where nothing is known.
    """

    layer: str
    dots: str
    polygons: npt.NDArray[np.object_]
    bounds: Floats
    centres: Floats
    shares: Floats
    km2: Floats
    described: Properties
    merging: Merging
    groups: npt.NDArray[np.int64]
    earliest: Floats

    def __len__(self) -> int:
        return len(self.polygons)


def ground(frame: gpd.GeoDataFrame, layer: str, dots: str, columns: Sequence[str], merging: Merging) -> Ground:
    """Ground from polygons in EPSG:4326 with `km2` and the given columns; null columns are left out of a feature."""
    polygons = within_a_turn(short_way(np.asarray(frame.geometry, dtype=object)))
    rows = frame.reset_index(drop=True)
    km2 = rows["km2"].to_numpy(np.float64)
    bounds = shapely.bounds(polygons).reshape(-1, 4)
    middle = _centres(polygons)
    corners = np.concatenate([places(bounds[:, [0, 3]]), places(bounds[:, [2, 1]])], axis=1)
    groups = rows.groupby(list(merging.within), sort=True, dropna=False).ngroup().to_numpy(np.int64)
    least = [pd.to_numeric(rows[name]).to_numpy(np.float64, na_value=np.nan) for name in merging.earliest]
    return Ground(
        layer,
        dots,
        polygons,
        corners,
        places(middle),
        shares(km2, middle[:, 1]),
        km2,
        properties({name: rows[name] for name in columns}, len(rows)),
        merging,
        groups,
        np.column_stack(least) if least else np.zeros((len(rows), 0)),
    )


def _centres(polygons: npt.NDArray[np.object_]) -> Floats:
    """Centroids; of what is cut at the antimeridian, that of its largest part."""
    whole = polygons.copy()
    for place in crossing(polygons):
        parts = shapely.get_parts(polygons[place])
        whole[place] = parts[int(np.argmax(shapely.area(parts)))]
    return np.asarray(shapely.get_coordinates(shapely.centroid(whole)), dtype=np.float64).reshape(-1, 2)
