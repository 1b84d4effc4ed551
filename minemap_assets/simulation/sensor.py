"""Sensors: what instrument and air do to the light on its way from the ground to the pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.imagery.products import product as product_named
from minemap_assets.simulation.noise import Floats, gaussian_tile, noise_key, uniform
from minemap_assets.simulation.spectra import clear_sky

_TWENTY_METRES = frozenset({"rededge1", "rededge2", "rededge3", "nir08", "swir16", "swir22"})
_SIXTY_METRES = frozenset({"coastal", "nir09", "cirrus"})


@dataclass(frozen=True)
class Sensor:
    """Blur (standard deviation of the point spread, metres), pixel noise (reflectance), drift of gain between years
    (relative), haze at its thickest (reflectance in blue), share of the ground left under cloud, and the largest
    count of clear observations of a season.
    """

    blur: float
    noise: float
    drift: float
    haze: float
    gaps: float
    looks: int


SENSORS: dict[str, Sensor] = {
    "planet-nicfi": Sensor(blur=4.0, noise=0.0045, drift=0.04, haze=0.010, gaps=0.008, looks=6),
    "sentinel-2-l2a": Sensor(blur=5.0, noise=0.0025, drift=0.025, haze=0.006, gaps=0.015, looks=14),
    "sentinel-2-l1c": Sensor(blur=5.0, noise=0.0020, drift=0.015, haze=0.020, gaps=0.020, looks=14),
}


@dataclass(frozen=True)
class View:
    """Place of a block of 5 m pixels counted from the origin of its UTM zone (column from the west, row from the
    north), and which year and product is looking.
    """

    product: str
    year: int
    zone: str
    column: int
    row: int


def observe(view: View, bands: Sequence[str], ground: Floats, haze: Floats) -> Floats:
    """Reflectance (band, row, column) as the product sees it, at its own resolution.

    `ground` is surface reflectance at 5 m, `haze` (row, column) its relative thickness 0 to 1; both start at the view's
    corner, which lies on a multiple of 40 m, and their sides are multiples of 8 pixels.
    """
    sensor = SENSORS[view.product]
    factor = round(product_named(view.product).resolution / 5.0)
    blurs = [_blur_of(view.product, band, sensor) for band in bands]
    light = np.stack([_blurred(layer, blur, factor) for layer, blur in zip(ground, blurs, strict=True)])
    if view.product == "sentinel-2-l1c":
        path, transmittance = clear_sky(bands)
        light = path[:, None, None] + transmittance[:, None, None] * light
    gain = [1.0 + sensor.drift * (2.0 * uniform("gain", view.product, view.year, band) - 1.0) for band in bands]
    light *= np.asarray(gain, dtype=np.float32)[:, None, None]
    thickness = _mean_blocks(haze, factor)
    for i, band in enumerate(bands):
        light[i] += np.float32(sensor.haze * _haze_of(band)) * thickness
        key = noise_key("noise", view.product, view.year, view.zone, band)
        shape = light.shape[2], light.shape[1]
        light[i] += np.float32(sensor.noise) * gaussian_tile(key, view.column // factor, view.row // factor, *shape)
    return light


def _haze_of(band: str) -> float:
    """Haze is blue: its strength falls with wavelength."""
    strengths = {"coastal": 1.2, "blue": 1.0, "green": 0.75, "red": 0.55, "cirrus": 0.1, "swir16": 0.1, "swir22": 0.05}
    return strengths.get(band, 0.35)


def _blur_of(product: str, band: str, sensor: Sensor) -> float:
    if product != "planet-nicfi" and band in _SIXTY_METRES:
        return 18.0
    return 9.0 if product != "planet-nicfi" and band in _TWENTY_METRES else sensor.blur


def _blurred(layer: Floats, blur: float, factor: int) -> Floats:
    """Average to the product's pixels, then blur by the rest of the point spread function."""
    from scipy.ndimage import gaussian_filter

    pixels = _mean_blocks(layer, factor)
    return np.asarray(gaussian_filter(pixels, blur / (5.0 * factor), truncate=2.5, mode="nearest"), dtype=np.float32)


def _mean_blocks(layer: Floats, factor: int) -> Floats:
    if factor == 1:
        return layer
    height, width = layer.shape
    blocks = layer.reshape(height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def clear_looks(sensor: Sensor, cloud: Floats, months: int) -> npt.NDArray[np.uint16]:
    """Clear observations (row, column) of a season of some months, 0 in what cloud (0 to 1) never leaves.

    `cloud` is spread evenly enough for its upper end to be the share of ground in `gaps`.
    """
    most = max(1, round(sensor.looks * months / 6.0))
    limit = 1.0 - sensor.gaps
    looks = np.ceil(most * (limit - cloud) / limit * np.float32(0.999) + 1e-6)
    return np.where(cloud >= limit, 0, np.clip(looks, 1, most)).astype(np.uint16)
