"""Polygons of mines as a published map of the tropics has them: many years, many sizes, close together in districts."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84

YEARS = range(2016, 2025)
MEDIAN_KM2, SPREAD = 0.1, 1.8
"""Areas are log-normal: half of all mines are below a tenth of a square kilometre, and a few are of hundreds."""

_DISTRICTS = 400
_PIXEL_M = 5.0
_METRES_PER_DEGREE = 111_320.0


def mining_districts(count: int, seed: int = 0) -> gpd.GeoDataFrame:
    """About `count` polygons of nine years, with the columns that the tiles need.

    Each mine begins in some year, stays and grows a little, so that a place has one polygon in every later year. Their
    outlines have 30 to 200 corners, more for larger ones, and besides differ by about a pixel of 5 m between years.
    """
    rng = np.random.default_rng(seed)
    years = len(YEARS)
    mines = round(count / (0.55 * years + 0.45 * (years + 1) / 2))
    first = np.where(rng.random(mines) < 0.55, 0, rng.integers(0, years, mines))
    place = _places(mines, rng)
    km2 = np.clip(MEDIAN_KM2 * np.exp(SPREAD * rng.standard_normal(mines)), 0.001, 400.0)
    mine = np.repeat(np.arange(mines), years - first)
    year = np.concatenate([np.arange(begin, years) for begin in first.tolist()])
    grown = km2[mine] * (1.0 + 0.06 * (year - first[mine])) * np.exp(0.03 * rng.standard_normal(len(mine)))
    polygons = _outlines(place, grown, mine, np.clip(30.0 + 40.0 * (np.log10(km2) + 3.0), 30.0, 200.0).astype(int), rng)
    return gpd.GeoDataFrame(
        {
            "polygon_id": [
                f"district-{m % _DISTRICTS:03}-{YEARS[y]}-{n:08x}"
                for n, (m, y) in enumerate(zip(mine, year, strict=True))
            ],
            "site_ids": [[f"m{m:09x}"] for m in mine.tolist()],
            "region": [f"district-{m % _DISTRICTS:03}" for m in mine.tolist()],
            "year": (year + YEARS[0]).astype(np.int32),
            "country_iso3": [f"X{chr(65 + m % 20)}A" for m in mine.tolist()],
            "area_km2": grown,
            "mean_probability": rng.uniform(0.5, 1.0, len(mine)),
            "status": np.where(year < years - 2, "final", "provisional"),
            "first_year": pd.array(first[mine] + YEARS[0], dtype="Int32"),
        },
        geometry=polygons,
        crs=WGS84,
    )


def _places(mines: int, rng: np.random.Generator) -> np.ndarray:
    """Longitudes and latitudes in districts of some tens of kilometres, between 30 degrees south and north."""
    centres = np.column_stack([rng.uniform(-80.0, 150.0, _DISTRICTS), rng.uniform(-28.0, 28.0, _DISTRICTS)])
    weight = rng.pareto(1.2, _DISTRICTS) + 0.1
    district = rng.choice(_DISTRICTS, mines, p=weight / weight.sum())
    return (
        centres[district] + 0.35 * rng.standard_normal((mines, 2)) * rng.uniform(0.3, 1.5, _DISTRICTS)[district, None]
    )


def _outlines(
    places: np.ndarray, km2: np.ndarray, mine: np.ndarray, corners: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Wriggly blobs of the given areas; those of one mine are alike in all years. `corners` are those of each mine."""
    found = np.empty(len(mine), dtype=object)
    for number in np.unique(corners):
        members = np.flatnonzero(corners == number)
        rows = np.flatnonzero(corners[mine] == number)
        turn = np.linspace(0.0, 2.0 * np.pi, number, endpoint=False)
        alike = 1.0 + 0.04 * rng.standard_normal((len(members), number))
        for wave in range(2, 9):
            alike += 0.35 / wave * np.sin(wave * turn + (members * 2.399 * wave)[:, None])
        metres = np.sqrt(km2[rows] * 1e6 / np.pi)[:, None]
        radius = alike[np.searchsorted(members, mine[rows])] + _PIXEL_M / metres * rng.standard_normal(
            (len(rows), number)
        )
        radius = np.maximum(radius, 0.15)
        own = 0.5 * (radius * np.roll(radius, -1, axis=1)).sum(axis=1) * np.sin(2.0 * np.pi / number)
        metres = radius * np.sqrt(km2[rows] * 1e6 / own)[:, None]
        place = places[mine[rows]]
        x = metres * np.cos(turn) / (_METRES_PER_DEGREE * np.cos(np.radians(place[:, 1])))[:, None]
        rings = np.stack([place[:, 0, None] + x, place[:, 1, None] + metres * np.sin(turn) / _METRES_PER_DEGREE], -1)
        found[rows] = shapely.polygons(rings)
    return found
