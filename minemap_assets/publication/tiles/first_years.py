"""When the ground of each outline was first mined: the first year of the mine that it shares most ground with."""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely


def with_first_year(polygons: gpd.GeoDataFrame, mines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The polygons with a column `first_year` (null where no mine of the history has any of their ground).

    `polygons` has the columns of the table `polygons`, `mines` those of `site_history`, both in EPSG:4326.
    """
    first = np.full(len(polygons), pd.NA, dtype=object)
    shapes = np.asarray(polygons.geometry, dtype=object)
    ground = np.asarray(mines.geometry, dtype=object)
    own, other = shapely.STRtree(ground).query(shapes, predicate="intersects")
    shared = _shared(shapes, ground, own, other)
    # the last of each polygon's pairs has the most shared ground; of equals the mine with the later row
    order = np.lexsort((other, shared, own))
    order = order[shared[order] > 0.0]
    last = np.append(own[order][1:] != own[order][:-1], True)[: len(order)]
    chosen = order[last]
    first[own[chosen]] = mines["first_year"].to_numpy()[other[chosen]]
    return polygons.assign(first_year=pd.array(first, dtype="Int32"))


def _shared(
    shapes: npt.NDArray[np.object_],
    ground: npt.NDArray[np.object_],
    own: npt.NDArray[np.intp],
    other: npt.NDArray[np.intp],
) -> npt.NDArray[np.float64]:
    """Square degrees that the shapes of each pair share; of a shape with one pair only whether it is any at all."""
    shared = np.ones(len(own))
    single = np.bincount(own, minlength=len(shapes))[own] == 1
    # a point inside of both tells as much, and sooner
    sure = single.copy()
    sure[single] = shapely.contains_properly(ground[other[single]], shapely.point_on_surface(shapes[own[single]]))
    shared[~sure] = shapely.area(shapely.intersection(shapes[own[~sure]], ground[other[~sure]]))
    return shared
