"""Chips around sampling points: what is fetched for them, and what a classifier learns and is judged from."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyproj
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.detection.learning.labelled_chips import LabelledChips
from minemap_assets.detection.patch_grid import PATCH, PIXEL, crs_of, zones_of
from minemap_assets.detection.sampling_points import SamplingPoints
from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.imagery.reader import ImagerySet, SiteImage

CHIP = 72
"""Pixels on a side of a chip: a patch turned by 45 degrees needs 68 of them."""


def point_table(points: SamplingPoints) -> gpd.GeoDataFrame:
    """Points as imagery takes places: [site_id, crs, transform, width, height], the points themselves as geometry.

    Each chip has its point in the middle, to half a pixel, on the pixels that a scan of its zone has.
    """
    grids = [to_columns(one) for one in _grids(points)]
    return gpd.GeoDataFrame(
        {
            "site_id": list(points.ids),
            "crs": [grid.crs for grid in grids],
            "transform": [grid.transform for grid in grids],
            "width": np.array([grid.width for grid in grids], np.int64),
            "height": np.array([grid.height for grid in grids], np.int64),
        },
        geometry=gpd.points_from_xy(points.longitudes, points.latitudes),
        crs=WGS84,
    ).sort_values("site_id", ignore_index=True)


def _grids(points: SamplingPoints) -> list[GeoBox]:
    grids: list[GeoBox] = []
    for longitude, latitude, zone in zip(
        points.longitudes, points.latitudes, zones_of(points.longitudes).tolist(), strict=True
    ):
        x, y = pyproj.Transformer.from_crs(WGS84, crs_of(zone), always_xy=True).transform(longitude, latitude)
        west, north = (round(value / PIXEL) * PIXEL for value in (x - CHIP * PIXEL / 2, y + CHIP * PIXEL / 2))
        grids.append(GeoBox((CHIP, CHIP), Affine(PIXEL, 0.0, west, 0.0, -PIXEL, north), crs_of(zone)))
    return grids


@dataclass(frozen=True, eq=False)
class PointChips:
    """Chips of the points that were seen, in the order of their ids, and how many were not."""

    chips: LabelledChips
    unseen: int


def read_chips(
    images: Sequence[ImagerySet],
    points: SamplingPoints,
    product: str,
    bands: Sequence[str],
    min_share: float,
    min_observations: float,
) -> PointChips:
    """The chips of points in imagery of any regions; a point counts as seen by the same rule as a patch.

    Raises `BadInputError` where imagery is of another product, lacks a band, or no point was seen.
    """
    number = {one: n for n, one in enumerate(points.ids)}
    found: dict[str, SiteImage] = {}
    for one in images:
        lacking = [band for band in bands if band not in one.bands]
        if one.product != product or lacking:
            raise BadInputError(
                f"the images of the sampling points are of {one.product} ({', '.join(one.bands)}), and the classifier "
                f"reads {', '.join(bands)} of {product}; fetch them again with `minemap scan run`"
            )
        for name in one.site_ids:
            if name in number:
                found[name] = one.read(name)
    seen = [name for name in sorted(found) if _seen(found[name], min_share, min_observations)]
    if not seen:
        raise BadInputError("no sampling point was observed in its region's reference year; see sampling_imagery")
    chosen = points.of(np.array([number[name] for name in seen], np.int64))
    pixels = np.stack([found[name].pixels[[found[name].bands.index(band) for band in bands]] for name in seen])
    chips = LabelledChips(pixels, chosen.mine, chosen.places, product, tuple(bands))
    return PointChips(chips, len(points) - len(seen))


def _seen(image: SiteImage, min_share: float, min_observations: float) -> bool:
    """Whether enough of the patch in the middle was observed, often enough."""
    edge = (CHIP - PATCH) // 2
    middle = slice(edge, edge + PATCH)
    share = float(image.observed[middle, middle].mean())
    return share >= min_share and float(image.clear_count[middle, middle].mean()) >= min_observations
