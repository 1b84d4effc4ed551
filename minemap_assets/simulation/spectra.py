"""Spectra: what each material reflects in each band, and how a product's bands see it.

Values are typical of published spectral libraries (USGS splib07, ECOSTRESS) at the Sentinel-2 band centres, rounded;
mines, sandbars, bare fields and roads share the same soils on purpose, so that colour alone cannot tell them apart.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from minemap_assets.imagery.products import SENTINEL2_BANDS

BANDS: tuple[str, ...] = tuple(SENTINEL2_BANDS.values())
"""The 13 bands of the tables below, by common name, shortest wavelength first."""


class Material(IntEnum):
    """Row of the reflectance table."""

    FOREST = 0
    SCRUB = 1
    PASTURE = 2
    CROP = 3
    LATERITE = 4
    SAND = 5
    WET_SOIL = 6
    TURBID_WATER = 7
    TURQUOISE_WATER = 8
    DARK_WATER = 9
    ROOF = 10
    BURNT = 11


# fmt: off
_REFLECTANCE: dict[Material, tuple[float, ...]] = {
    #                          443   490   560   665   705   740   783   842   865   945   1375  1610  2190 nm
    Material.FOREST:          (.012, .018, .039, .022, .066, .190, .240, .268, .285, .290, .100, .125, .052),
    Material.SCRUB:           (.020, .030, .064, .045, .102, .220, .270, .300, .315, .320, .140, .185, .090),
    Material.PASTURE:         (.030, .042, .078, .074, .125, .210, .240, .265, .280, .285, .180, .260, .150),
    Material.CROP:            (.025, .035, .076, .045, .115, .270, .330, .360, .375, .380, .150, .190, .090),
    Material.LATERITE:        (.050, .065, .105, .172, .205, .220, .235, .250, .262, .265, .280, .340, .280),
    Material.SAND:            (.110, .138, .186, .236, .262, .278, .290, .303, .314, .318, .350, .400, .360),
    Material.WET_SOIL:        (.035, .045, .066, .092, .105, .110, .115, .120, .124, .120, .090, .120, .085),
    Material.TURBID_WATER:    (.060, .075, .112, .125, .108, .062, .055, .045, .040, .030, .008, .015, .010),
    Material.TURQUOISE_WATER: (.072, .096, .126, .076, .050, .030, .027, .022, .020, .015, .005, .008, .005),
    Material.DARK_WATER:      (.020, .023, .027, .019, .015, .012, .010, .009, .008, .006, .003, .004, .003),
    Material.ROOF:            (.150, .168, .190, .208, .214, .220, .225, .230, .234, .232, .240, .250, .220),
    Material.BURNT:           (.020, .026, .032, .038, .044, .056, .062, .068, .072, .074, .085, .092, .100),
}
_PLANET_RESPONSE: dict[str, dict[str, float]] = {
    "blue": {"coastal": 0.15, "blue": 0.85},
    "green": {"green": 1.0},
    "red": {"red": 0.92, "rededge1": 0.08},
    "nir": {"nir": 0.25, "nir08": 0.75},
}
_PATH_REFLECTANCE = (.125, .098, .062, .036, .030, .025, .020, .016, .014, .010, .002, .003, .001)
_TRANSMITTANCE    = (.740, .790, .830, .880, .880, .900, .920, .930, .940, .350, .020, .960, .950)
# fmt: on


def reflectance_table() -> npt.NDArray[np.float32]:
    """Surface reflectance (material, band)."""
    return np.asarray([_REFLECTANCE[m] for m in Material], dtype=np.float32)


def _responses(product: str, bands: Sequence[str]) -> npt.NDArray[np.float32]:
    """Weights (13 bands, product band) with which a product's bands see the table's."""
    weights = np.zeros((len(BANDS), len(bands)), dtype=np.float32)
    for column, band in enumerate(bands):
        response = _PLANET_RESPONSE[band] if product == "planet-nicfi" else {band: 1.0}
        for name, share in response.items():
            weights[BANDS.index(name), column] = share
    return weights


def product_table(product: str, bands: Sequence[str]) -> npt.NDArray[np.float32]:
    """Surface reflectance (material, product band)."""
    table = reflectance_table().astype(np.float64) @ _responses(product, bands).astype(np.float64)
    return np.asarray(table, dtype=np.float32)


def clear_sky(bands: Sequence[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Path reflectance and two-way transmittance of a clear tropical atmosphere for Sentinel-2 bands."""
    rows = [BANDS.index(b) for b in bands]
    return (
        np.asarray([_PATH_REFLECTANCE[r] for r in rows], dtype=np.float32),
        np.asarray([_TRANSMITTANCE[r] for r in rows], dtype=np.float32),
    )
