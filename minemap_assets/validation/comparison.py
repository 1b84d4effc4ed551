"""Sites as two products show them in the reference year, on the same pixels, each piece of ground once.

A site counts on the ground that it owns inside its region; what a region that comes before it has compared already is
left out, so that overlapping regions count no ground twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.raster import Raster, read_raster
from minemap_assets.geo.vector import WGS84, read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP, is_mine
from minemap_assets.sites.cells import SiteCell

Mask = npt.NDArray[np.bool_]
Areas = npt.NDArray[np.float64]
ThresholdOf = Callable[[Mapping[str, Any]], float]
"""From a row of a masks' index to the threshold that outlines its mask."""


@dataclass(frozen=True)
class Place:
    """What is known of a site: `group` is the ground that stays together when some is held out, `held_out` whether no
    model was trained on it, `country_iso3` is empty for none.
    """

    group: str
    held_out: bool
    outline_km2: float
    country_iso3: str = ""


@dataclass(frozen=True, eq=False)
class RegionMasks:
    """A region in its reference year: its boundary (EPSG:4326), its sites' cells and what is known of them, and by
    product the masks and, by site, the processing baseline of the images.
    """

    slug: str
    boundary: BaseGeometry
    cells: Mapping[str, SiteCell]
    places: Mapping[str, Place]
    masks: Mapping[str, Partition]
    baselines: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class SitePair:
    """A site as two products show it, over the ground that both observed; areas in square kilometres.

    `other_curve` is the area of the other product by stored probability, 0 to 254.
    """

    region: str
    site_id: str
    place: Place
    product: str
    other_product: str
    baseline: str
    other_baseline: str
    threshold: float
    other_threshold: float
    observed_km2: float
    area_km2: float
    other_km2: float
    both_km2: float
    other_curve: Areas


def compare_regions(
    regions: Sequence[RegionMasks], order: Sequence[str], threshold_of: ThresholdOf
) -> Iterator[SitePair]:
    """Every site and pair of products that show it, regions by slug. `order` says which product comes first in a pair.

    Two masks are in memory at a time for each product of one site.
    """
    taken: dict[tuple[str, str], list[BaseGeometry]] = {}
    for region in sorted(regions, key=lambda one: one.slug):
        products = sorted(region.masks, key=lambda name: (order.index(name) if name in order else len(order), name))
        pairs = list(combinations(products, 2))
        if not pairs:
            continue
        shapely.prepare(region.boundary)
        before = {pair: shapely.STRtree(taken.get(pair, [])) for pair in pairs}
        indexes = {product: _index(region.masks[product]) for product in products}
        mine: dict[tuple[str, str], list[BaseGeometry]] = {}
        for site in sorted(region.cells):
            shown = [product for product in products if site in indexes[product]]
            rows = {product: indexes[product][site] for product in shown if len(shown) > 1}
            rasters = {p: read_raster(region.masks[p].file(str(row["file"]))) for p, row in rows.items()}
            for pair in (pair for pair in pairs if set(pair) <= set(rows)):
                ground = _ground(region, site, before[pair])
                mine.setdefault(pair, []).append(ground)
                thresholds = {product: threshold_of(rows[product]) for product in pair}
                yield _compared(region, site, pair, rasters, thresholds, ground)
        for pair, grounds in mine.items():
            taken.setdefault(pair, []).extend(grounds)


def _index(masks: Partition) -> dict[str, dict[str, Any]]:
    frame = read_geoparquet(masks.file("index.parquet"))
    return {str(row["site_id"]): row for row in frame.drop(columns="geometry").to_dict("records")}


def _ground(region: RegionMasks, site: str, taken: shapely.STRtree) -> BaseGeometry:
    """What the site owns inside its region, without what was taken (EPSG:4326)."""
    cell = region.cells[site].cell
    ground = cell if shapely.covers(region.boundary, cell) else shapely.intersection(cell, region.boundary)
    met = taken.query(ground, predicate="intersects")
    return shapely.difference(ground, shapely.union_all(taken.geometries[met])) if len(met) else ground


def _compared(
    region: RegionMasks,
    site: str,
    pair: tuple[str, str],
    rasters: Mapping[str, Raster],
    thresholds: Mapping[str, float],
    ground: BaseGeometry,
) -> SitePair:
    one, other = pair
    first, second = rasters[one].pixels[0], rasters[other].pixels[0]
    grid = rasters[one].grid
    seen = _inside(region.cells[site], ground, grid) & (first != NOT_OBSERVED) & (second != NOT_OBSERVED)
    mine, theirs = is_mine(first, thresholds[one]) & seen, is_mine(second, thresholds[other]) & seen
    pixel_km2 = abs(grid.affine.a * grid.affine.e) / 1e6
    observed, area, other_area, both = (
        float(np.count_nonzero(mask)) * pixel_km2 for mask in (seen, mine, theirs, mine & theirs)
    )
    return SitePair(
        region=region.slug,
        site_id=site,
        place=region.places[site],
        product=one,
        other_product=other,
        baseline=region.baselines.get(one, {}).get(site, ""),
        other_baseline=region.baselines.get(other, {}).get(site, ""),
        threshold=thresholds[one],
        other_threshold=thresholds[other],
        observed_km2=observed,
        area_km2=area,
        other_km2=other_area,
        both_km2=both,
        other_curve=np.bincount(second[seen], minlength=TOP + 1)[: TOP + 1].astype(np.float64) * pixel_km2,
    )


def _inside(cell: SiteCell, ground: BaseGeometry, grid: GeoBox) -> Mask:
    """True for each pixel (row, column) of the site's grid whose centre it owns, on its ground."""
    owned = cell.owned(grid)
    if ground is cell.cell or not owned.any():
        return owned
    if ground.is_empty:
        return np.zeros_like(owned)
    from rasterio.features import geometry_mask

    local = gpd.GeoSeries([ground], crs=WGS84).to_crs(cell.crs).iloc[0]
    inside = geometry_mask([local], owned.shape, grid.affine, invert=True)
    return np.asarray(owned & inside, dtype=bool)
