"""The dual threshold: a patch far from all others has to be surer than one in company (Amazon Mining Watch, 2026)."""

import numpy as np
import numpy.typing as npt
from pyproj import Transformer
from scipy.spatial import cKDTree

NEIGHBOUR = 5
"""Which neighbour has to be near."""

NEAR_METRES = 3000.0
"""How near, from centre to centre."""


def kept(
    longitudes: npt.NDArray[np.float64],
    latitudes: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    threshold: float,
    isolated: float,
) -> npt.NDArray[np.bool_]:
    """Which patches (n) are kept: those that score `threshold`, but `isolated` where the fifth nearest of these others
    is more than 3 km away.

    Distances are straight lines between points on the ellipsoid, which differ from those along the ground by less than
    a tenth of a millimetre over 3 km, anywhere on the globe.
    """
    passes = scores >= threshold
    chosen = np.flatnonzero(passes)
    alone = np.ones(len(chosen), bool)
    if len(chosen) > NEIGHBOUR:
        places = geocentric(longitudes[chosen], latitudes[chosen])
        distances, _ = cKDTree(places).query(places, k=NEIGHBOUR + 1)  # the nearest is the patch itself
        alone = distances[:, NEIGHBOUR] > NEAR_METRES
    passes[chosen[alone]] &= scores[chosen[alone]] >= isolated
    return passes


def geocentric(longitudes: npt.NDArray[np.float64], latitudes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places (n, 3) in metres from the Earth's centre."""
    to_geocentric = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    return np.column_stack(to_geocentric.transform(longitudes, latitudes, np.zeros_like(longitudes)))
