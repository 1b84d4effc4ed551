"""The dual threshold: who is alone, anywhere on the globe."""

import numpy as np
import pytest
from pyproj import Geod

from minemap_assets.detection.isolation import geocentric, kept

WGS84 = Geod(ellps="WGS84")


def cluster(longitude: float, latitude: float, number: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """So many places in a row towards the east, so many metres apart."""
    reached = [WGS84.fwd(longitude, latitude, 90.0, apart * n)[:2] for n in range(number)]
    longitudes, latitudes = np.array(reached).T
    return longitudes, latitudes


@pytest.mark.parametrize(("longitude", "latitude"), [(0.0, 0.0), (-60.0, -8.0), (179.999, 65.0), (-179.99, -65.0)])
def test_a_patch_with_five_near_ones_may_be_less_sure(longitude: float, latitude: float) -> None:
    near, far = cluster(longitude, latitude, 6, 500.0), cluster(longitude, latitude, 6, 700.0)
    assert kept(*near, np.full(6, 0.5), 0.43, 0.75).all()
    # the fifth nearest of those at the ends is 3.5 km away, of those in the middle 2.8 km or less
    assert kept(*far, np.full(6, 0.5), 0.43, 0.75).tolist() == [False, True, True, True, True, False]


def test_patches_below_the_threshold_are_no_company() -> None:
    places = cluster(-60.0, -8.0, 6, 500.0)
    scores = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.42])
    assert not kept(*places, scores, 0.43, 0.75).any()
    scores[0] = 0.75
    assert kept(*places, scores, 0.43, 0.75).tolist() == [True, *[False] * 5]


def test_no_patches_are_no_problem() -> None:
    nothing = np.zeros(0)
    assert kept(nothing, nothing, nothing, 0.43, 0.75).shape == (0,)


def test_distances_are_metres_on_the_ground() -> None:
    places = cluster(100.0, 60.0, 2, 3000.0)
    first, second = geocentric(*places)
    assert np.linalg.norm(first - second) == pytest.approx(3000.0, abs=1e-3)
