"""Products: what an image looks like, wherever its pixels come from.

Bands go by their common names (STAC electro-optical extension), in every product: a model trained on blue, green, red
and nir reads them from any product. Sources translate to their own names. What a product's numbers mean is said by its
encoding, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from minemap_assets.errors import BadInputError

SCALE = 10_000
"""Stored digital numbers of a product of reflectance are reflectance times this."""

NOT_OBSERVED = 0
"""The stored number of a pixel that was not observed, in every product; valid pixels are at least 1."""

LOWEST = -0.1
"""Lowest reflectance that is an observation: what the offset of -1000 of Sentinel-2's baselines from 04.00 on can
express (Sentinel-2 Products Specification Document, BOA_ADD_OFFSET). Like everything below 0 it is stored as 1; a
number that means less, such as -9999 or -32768, stands for a missing one.
"""

HIGHEST = 3.0
"""Highest reflectance that is an observation. Sentinel-2's instrument saturates at about 1.0 with the sun overhead and
at 2.9 with the sun 70 degrees from there (largest radiances, Sentinel-2 User Handbook); PlanetScope scenes show up to
2.7 over cloud. A number that means more, such as 65535 (saturated, by Sentinel-2's special values) or 32767, is none.
"""


@dataclass(frozen=True)
class Encoding:
    """How a product's stored numbers (uint16, from 1) stand for physical ones: physical = stored x `scale` + `offset`.

    A physical number below `lowest` or above `highest` is no observation. `light` says that numbers are amounts of
    light: only those may be brightened, compared as a ratio, or missing where they are 0.
    """

    scale: float
    offset: float
    lowest: float
    highest: float
    light: bool

    def stored(self, physical: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint16]:
        """Stored numbers of physical ones, rounded half up; 0 where there is none (NaN, or beyond the limits)."""
        with np.errstate(invalid="ignore"):
            seen = (physical >= self.lowest) & (physical <= self.highest)
        numbers = np.floor(np.where(seen, physical, 0.0) / self.scale - self.offset / self.scale + 0.5)
        return np.where(seen, np.clip(numbers, 1, np.iinfo(np.uint16).max), NOT_OBSERVED).astype(np.uint16)

    def physical(self, stored: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
        """Physical numbers of stored ones; NaN where a pixel was not observed."""
        values = stored.astype(np.float64) * self.scale + self.offset
        return np.where(stored != NOT_OBSERVED, values, np.nan).astype(np.float32)


REFLECTANCE = Encoding(1.0 / SCALE, 0.0, LOWEST, HIGHEST, light=True)

UNIT_VECTOR = Encoding(1.0 / 30_000, -32_768 / 30_000, -1.0, 1.0, light=False)
"""Components of vectors of length 1: 0 is stored as 32,768. The step is half the smallest that is published: the
embeddings are kept as whole numbers n from -127 to 127 that stand for (n / 127.5)^2 with the sign of n (AlphaEarth
Foundations GCS data, de-quantization).
"""


@dataclass(frozen=True)
class Product:
    """One kind of image. `resolution` is the pixel size in metres at which composites are stored (5 or 10), `encoding`
    says what the stored numbers mean, and which of them are an observation.
    """

    name: str
    title: str
    bands: tuple[str, ...]
    resolution: float
    level: str
    encoding: Encoding = REFLECTANCE

    def limits(self, scale: float, offset: float) -> tuple[float, float]:
        """The lowest and the highest number that is an observation, where the physical one is number x scale + offset.

        Half a stored digital number is granted on both sides.
        """
        half = 0.5 * self.encoding.scale
        lowest, highest = self.encoding.lowest - half, self.encoding.highest + half
        ends = (lowest - offset) / scale, (highest - offset) / scale
        return min(ends), max(ends)

    def check_bands(self, bands: Sequence[str]) -> None:
        """Raise `BadInputError` where no band is asked for, or one that the product does not have."""
        unknown = [band for band in bands if band not in self.bands]
        if unknown or not bands:
            raise BadInputError(
                f"{self.name} has no band {', '.join(unknown) or '(none asked for)'}; it has {', '.join(self.bands)}"
            )


SENTINEL2_BANDS: Mapping[str, str] = MappingProxyType(
    {
        "B01": "coastal",
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "rededge1",
        "B06": "rededge2",
        "B07": "rededge3",
        "B08": "nir",
        "B8A": "nir08",
        "B09": "nir09",
        "B10": "cirrus",
        "B11": "swir16",
        "B12": "swir22",
    }
)
"""Sentinel-2 MSI band names and their common names (Sentinel-2 Products Specification Document)."""

_ALL_SENTINEL2 = tuple(SENTINEL2_BANDS.values())

PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "planet-nicfi": Product(
            "planet-nicfi",
            "Planet NICFI basemap, normalised analytic, 4.77 m",
            ("blue", "green", "red", "nir"),
            5.0,
            "surface reflectance",
        ),
        "sentinel-2-l2a": Product(
            "sentinel-2-l2a",
            "Sentinel-2 Level-2A, 10 to 60 m",
            tuple(b for b in _ALL_SENTINEL2 if b != "cirrus"),
            10.0,
            "surface reflectance",
        ),
        "sentinel-2-l1c": Product(
            "sentinel-2-l1c", "Sentinel-2 Level-1C, 10 to 60 m", _ALL_SENTINEL2, 10.0, "top-of-atmosphere reflectance"
        ),
        "satellite-embedding": Product(
            "satellite-embedding",
            "AlphaEarth Foundations Satellite Embedding, a vector a year, 10 m",
            tuple(f"A{axis:02d}" for axis in range(64)),
            10.0,
            "annual embedding",
            UNIT_VECTOR,
        ),
    }
)


def product(name: str) -> Product:
    """The product of that name. Raises `BadInputError` for an unknown one."""
    try:
        return PRODUCTS[name]
    except KeyError:
        raise BadInputError(f"unknown product {name!r}; the products are {', '.join(PRODUCTS)}") from None
