"""What some polygons have that others have not."""

import numpy as np
import numpy.typing as npt
import shapely

Objects = npt.NDArray[np.object_]


def without(polygons: Objects, others: Objects) -> Objects:
    """Each of n valid polygons without the ground of any of the others, in one planar CRS or in degrees.

    Polygons that meet none of them stay the very same; those that lie in them are empty.
    """
    own, other = shapely.STRtree(others).query(polygons, predicate="intersects")
    order = np.argsort(own, kind="stable")
    owners, starts = np.unique(own[order], return_index=True)
    left = polygons.copy()
    if len(owners):
        met = np.split(others[other[order]], starts[1:])
        cover = np.array([one[0] if len(one) == 1 else shapely.union_all(one) for one in met], dtype=object)
        left[owners] = shapely.difference(polygons[owners], cover)
    return left
