"""Difficulty: how far one threshold on one band or index gets, which is how hard a world is without learning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.grid import at_resolution, square_grid, utm_epsg
from minemap_assets.geo.thresholds import best_edge
from minemap_assets.imagery.products import product as product_named
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.simulation.noise import Floats, as_floats
from minemap_assets.simulation.source import SimulatedSource
from minemap_assets.simulation.world import FRAME, World, reproject, to_wgs84

SMALLEST_WINDOW = 2_560.0
"""Metres; windows are twice a mine's longest side, and never smaller."""

_BINS = 4_096


@dataclass(frozen=True, eq=False)
class Scene:
    """One window: bands by name (row, column, reflectance), the true mask, and which pixels were observed."""

    bands: Mapping[str, Floats]
    mine: npt.NDArray[np.bool_]
    observed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Threshold:
    """The best threshold on a feature: mine is where the value is above (or below) it."""

    feature: str
    side: str
    value: float
    iou: float


def window_of(outline: BaseGeometry) -> GeoBox:
    """A square 5 m grid around an outline in the world's frame."""
    middle = to_wgs84(outline).centroid
    epsg = utm_epsg(middle.x, middle.y)
    west, south, east, north = reproject(outline, FRAME, f"EPSG:{epsg}").bounds
    side = max(2.0 * max(east - west, north - south), SMALLEST_WINDOW)
    return square_grid((west + east) / 2.0, (south + north) / 2.0, 2 * round(side / 10.0), epsg)


def true_mask(world: World, year: int, grid: GeoBox) -> npt.NDArray[np.bool_]:
    """Pixels of a grid whose centres lie in a mine of that year."""
    from rasterio.features import rasterize

    outlines = [reproject(g, FRAME, str(grid.crs)) for g in world.outlines(year).values()]
    burned = rasterize([(g, 1) for g in outlines], tuple(grid.shape), transform=grid.affine, dtype="uint8")
    return np.asarray(burned, dtype=bool)


def scene(world: World, product: str, year: int, outline: BaseGeometry) -> Scene:
    """All bands of the window around an outline, at the product's resolution."""
    grid = at_resolution(window_of(outline), product_named(product).resolution)
    bands = product_named(product).bands
    composite = SimulatedSource(world, product).read(grid, SeasonRule().season(year), bands)
    light = composite.pixels.astype(np.float32) / np.float32(10_000.0)
    return Scene(dict(zip(bands, light, strict=True)), true_mask(world, year, grid), composite.clear_count > 0)


def features(bands: Mapping[str, Floats]) -> dict[str, Floats]:
    """Every band, brightness, every normalised difference of two bands, and the bare soil index (Rikimaru 2002).

    The normalised differences hold NDVI, NDWI, MNDWI, NDBI and, up to order, every ratio of two bands.
    """
    names = list(bands)
    found = dict(bands)
    found["brightness"] = as_floats((bands["blue"] + bands["green"] + bands["red"]) / 3.0)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            a, b = bands[first], bands[second]
            found[f"nd({second}, {first})"] = as_floats((b - a) / np.maximum(a + b, np.float32(1e-4)))
    dark = "swir16" if "swir16" in bands else "red"
    bare, green = bands[dark] + bands["red"], bands["nir"] + bands["blue"]
    found["bare soil index"] = as_floats((bare - green) / np.maximum(bare + green, np.float32(1e-4)))
    return found


def best_threshold(feature: str, values: Floats, mine: npt.NDArray[np.bool_]) -> Threshold:
    """The threshold with the highest intersection over union, to either side, among 4,095 evenly spaced ones that span
    all but the outermost thousandth of the values.
    """
    low, high = (float(v) for v in np.quantile(values[:: max(1, values.size // 100_000)], [0.0005, 0.9995]))
    edges = np.linspace(low, high, _BINS + 1)
    scaled = (values - np.float32(low)) * np.float32(_BINS / max(high - low, 1e-9))
    place = np.clip(scaled, 0, _BINS - 1).astype(np.intp) + _BINS * mine
    outside, inside = np.bincount(place, minlength=2 * _BINS).reshape(2, _BINS)
    best = best_edge(inside, outside, first=1)
    return Threshold(feature, "above" if best.above else "below", float(edges[best.bin]), best.iou)


def best_thresholds(scenes: Iterable[Scene]) -> list[Threshold]:
    """The best threshold on every feature over all observed pixels of all scenes together, best first."""
    kept = [(features(s.bands), s.mine, s.observed) for s in scenes]
    mine = np.concatenate([m[seen] for _, m, seen in kept])
    found = [best_threshold(name, np.concatenate([f[name][seen] for f, _, seen in kept]), mine) for name in kept[0][0]]
    return sorted(found, key=lambda t: (-t.iou, t.feature))


def threshold_table(world: World, products: Iterable[str], year: int) -> pd.DataFrame:
    """Columns product, feature, side, value, iou for every feature of every product in a year, best first."""
    rows = []
    for product in products:
        scenes = [scene(world, product, year, outline) for outline in world.outlines(year).values()]
        rows += [{"product": product, **vars(t)} for t in best_thresholds(scenes)]
    return pd.DataFrame(rows).sort_values("iou", ascending=False, kind="stable").reset_index(drop=True)
