"""The square of web maps (spherical Mercator, EPSG:3857): places from 0 to 1, x eastward and y southward."""

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]

LATITUDE = 85.0511287798066
"""Degrees: the square ends here, north and south."""

_ROUND_KM = 40_075.016685578


def places(degrees: Floats) -> Floats:
    """Places (n, 2) in the square of longitudes and latitudes (n, 2) in EPSG:4326; those beyond it lie on its edge."""
    latitude = np.radians(np.clip(degrees[:, 1], -LATITUDE, LATITUDE))
    x = np.clip(degrees[:, 0] / 360.0 + 0.5, 0.0, 1.0)
    y = np.clip(0.5 - np.arcsinh(np.tan(latitude)) / (2.0 * np.pi), 0.0, 1.0)
    return np.column_stack([x, y])


def degrees(at: Floats) -> Floats:
    """Longitudes and latitudes (n, 2) in EPSG:4326 of places in the square."""
    latitude = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * at[:, 1]))))
    return np.column_stack([(at[:, 0] - 0.5) * 360.0, latitude])


def shares(km2: Floats, latitude: Floats) -> Floats:
    """What share of the square areas take that lie at latitudes in degrees; Mercator draws them larger by 1 / cos^2."""
    stretch = np.cos(np.radians(np.clip(latitude, -LATITUDE, LATITUDE))) ** 2
    return np.asarray(km2 / stretch / _ROUND_KM**2, dtype=np.float64)


def lengths_m(polygons: npt.NDArray[np.object_]) -> Floats:
    """Metres around small polygons in EPSG:4326: the square keeps angles, so lengths in it are right up to a factor."""
    drawn = shapely.transform(polygons, places)
    latitude = np.radians(shapely.bounds(polygons)[:, [1, 3]].mean(axis=1)) if len(polygons) else np.zeros(0)
    return np.asarray(shapely.length(drawn) * np.cos(latitude) * _ROUND_KM * 1e3, dtype=np.float64)
