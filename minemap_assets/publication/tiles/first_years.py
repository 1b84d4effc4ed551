"""When the ground of each outline was first mined: the first year of the mine that it shares most ground with."""

import geopandas as gpd
import numpy as np
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
    shared = shapely.area(shapely.intersection(shapes[own], ground[other]))
    # the last of each polygon's pairs has the most shared ground; of equals the mine with the later row
    order = np.lexsort((other, shared, own))
    order = order[shared[order] > 0.0]
    last = np.append(own[order][1:] != own[order][:-1], True)[: len(order)]
    chosen = order[last]
    first[own[chosen]] = mines["first_year"].to_numpy()[other[chosen]]
    return polygons.assign(first_year=pd.array(first, dtype="Int32"))
