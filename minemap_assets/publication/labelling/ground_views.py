"""What the ground around a point looked like in each year, from the images that the lake holds; nothing is fetched.

The window of the site that owns the point is shown. What it does not hold or did not see is filled in from the windows
of other sites, nearest first, and then from a scan, all of that year and of the same product.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.detection.assets import SCAN_IMAGERY
from minemap_assets.detection.ground import Ground, Square, square_around
from minemap_assets.detection.patch_grid import zones_of
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.not_observed import read_not_observed
from minemap_assets.imagery.preview import channels
from minemap_assets.imagery.reader import ImagerySet, SiteImage, open_imagery
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.filling import Held, fill_in, held_of
from minemap_assets.sites.assets import SITES

_KEPT_SETS = 64
"""Indexes of imagery partitions that are kept; pixels are not."""

_KEPT_WHOLES = 256
_COARSE = 256
"""Pixels on a side of what a stretch is taken from."""

REACH = 0.01
"""Degrees that a scan reaches beyond its region, since it takes in every patch that touches it."""

_AROUND_SCAN = 5.0
"""Of a scan, the stretch is taken from a square so many times as wide as the picture."""


METRES_A_DEGREE = 110_574.0
"""Of latitude at the equator, where degrees are shortest."""

_GENEROUS = 1.2


@dataclass(frozen=True, eq=False)
class View:
    """A square of ground in one year, the point in its middle: three bands, or none, and then the `reason` why. `whole`
    is a coarse image of all the ground that it was cut from.
    """

    year: int
    image: SiteImage | None
    reason: str = ""
    whole: SiteImage | None = None

    @property
    def observed(self) -> float:
        """Share of its pixels that were observed."""
        return 0.0 if self.image is None else float(self.image.observed.mean())


@dataclass(frozen=True)
class _Place:
    """A square of ground in degrees and metres, the sites [region, site_id] whose windows show some of it, that whose
    middle is nearest first, and the one that owns its middle.
    """

    longitude: float
    latitude: float
    metres: float
    box: shapely.Polygon
    sites: tuple[tuple[str, str], ...]
    owner: tuple[str, str] | None

    @property
    def point(self) -> tuple[float, float]:
        """Its middle."""
        return self.longitude, self.latitude

    def square(self, times: float = 1.0) -> Square:
        """It on the grid of scans, so many times as wide."""
        return square_at(self.longitude, self.latitude, times * self.metres)


class GroundViews:
    """The ground of a project, by its sites' composites and, where these are kept, by its scans."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._wholes: LoadingCache[Path, SiteImage] = LoadingCache(_KEPT_WHOLES)
        self._sets: LoadingCache[tuple[str, str, int], ImagerySet | None] = LoadingCache(_KEPT_SETS)

    @cached_property
    def years(self) -> dict[str, tuple[int, ...]]:
        """Years with an image of some region, by asset."""
        lake = self._project.lake
        return {
            asset.name: tuple(sorted({int(one.keys[1]) for one in lake.manifests(asset.room, asset.name)}))
            for asset in (COMPOSITES, SCAN_IMAGERY)
        }

    @cached_property
    def _windows(self) -> gpd.GeoDataFrame:
        """Windows of all sites [region, site_id, longitude, latitude, geometry]."""
        found = []
        for slug in self._project.active_regions():
            made = self._project.lake.find(SITES.ref((slug,)))
            if made is not None:
                found.append(read_geoparquet(made.file("sites.parquet")))
        columns = ["region", "site_id", "longitude", "latitude", "geometry"]
        if not found:
            return gpd.GeoDataFrame({name: [] for name in columns}, geometry="geometry", crs="EPSG:4326")
        import pandas as pd

        return pd.concat([frame[columns] for frame in found], ignore_index=True)

    def around(self, longitude: float, latitude: float, metres: float, *, scanned: bool) -> Iterator[View]:
        """Every year that has images, of the site that owns a point (EPSG:4326), or else of a scan of its region; of
        the scan first where `scanned`.
        """
        place = self._place(longitude, latitude, metres)
        order = (self._of_scan, self._of_site) if scanned else (self._of_site, self._of_scan)
        names = (COMPOSITES.name, SCAN_IMAGERY.name)
        first, second = names[::-1] if scanned else names
        for year in self.years[first] or self.years[second]:
            view = order[0](year, place)
            if view.image is None and (other := order[1](year, place)).image is not None:
                view = other
            yield view

    def _place(self, longitude: float, latitude: float, metres: float) -> "_Place":
        """A square of ground, with the sites whose windows show some of it, the nearest middle first."""
        box = _box(longitude, latitude, metres)
        windows = self._windows
        near = windows.iloc[np.sort(windows.sindex.query(box, predicate="intersects"))]
        east = (near["longitude"] - longitude) * math.cos(math.radians(latitude))
        near = near.assign(far=np.hypot(east, near["latitude"] - latitude)).sort_values(["far", "region", "site_id"])
        shown = shapely.intersects_xy(near.geometry.to_numpy(), longitude, latitude)
        sites = tuple(zip(near["region"].astype(str), near["site_id"].astype(str), strict=True))
        owners = np.flatnonzero(shown)
        return _Place(longitude, latitude, metres, box, sites, sites[int(owners[0])] if len(owners) else None)

    def _of_site(self, year: int, place: "_Place") -> View:
        if place.owner is None:
            return View(year, None, "no image of this point: it lies in no site's window")
        own, reason = self._held(place.owner, year)
        others = [held for site in place.sites if site != place.owner and (held := self._held(site, year)[0])]
        files = itertools.chain(others, self._tiles(year, place.box))
        if own is not None:
            image = _completed(crop(own, place.point, place.metres), own, files)
            return self._view(year, image, own) if image.observed.any() else View(year, None, "not observed")
        for other in others:
            image = crop(other, place.point, place.metres)
            if image.observed[tuple(size // 2 for size in image.observed.shape)]:
                return self._view(year, _completed(image, other, files), other)
        return View(year, None, reason)

    def _held(self, site: tuple[str, str], year: int) -> tuple[Held | None, str]:
        """The image of a site, or why there is none."""
        images = self.images(COMPOSITES, site[0], year)
        if images is None:
            return None, f"no image: {year} was not fetched"
        if site[1] in images:
            return held_of(images, site[1]), ""
        reason = read_not_observed(images.partition).get(site[1], "there is no image of this site")
        return None, f"not observed: {reason}"

    def _view(self, year: int, image: SiteImage, held: Held) -> View:
        return View(year, image, whole=self._wholes.get(held.path, lambda: coarse(held)))

    def _scans(self, year: int, box: shapely.Polygon) -> list[ImagerySet]:
        """Scans of a year that may hold some ground (EPSG:4326)."""
        regions = self._project.active_regions().values()
        near = [region.slug for region in regions if shapely.dwithin(region.geometry, box, REACH)]
        return [images for slug in near if (images := self.images(SCAN_IMAGERY, slug, year)) is not None]

    def _tiles(self, year: int, box: shapely.Polygon) -> Iterator[Held]:
        """Tiles of scans of a year that hold some of it."""
        for images in self._scans(year, box):
            hits = images.index.sindex.query(box, predicate="intersects")
            for name in sorted(images.index["site_id"].iloc[hits]):
                yield held_of(images, str(name))

    def scanned(self, square: Square, year: int) -> SiteImage | None:
        """The three bands that pictures show of a square in the scans of a year; None where nothing was observed."""
        grid = square.grid
        box = footprint_wgs84(grid)
        for images in self._scans(year, box):
            ground = Ground(images)
            image = _shown("", grid, ground.bands, ground.pixels(square))
            image = _completed(image, images, self._tiles(year, box))
            if image.observed.any():
                return image
        return None

    def _of_scan(self, year: int, place: "_Place") -> View:
        image = self.scanned(place.square(), year)
        if image is not None:
            return View(year, image, whole=self.scanned(place.square(_AROUND_SCAN), year))
        scans = self._scans(year, place.box)
        return View(year, None, "not observed" if scans else f"no image: {year} was not scanned here")

    def images(self, asset: Asset, region: str, year: int) -> ImagerySet | None:
        """The images of a region and year; None where they were not made."""

        def load() -> ImagerySet | None:
            found = self._project.lake.find(asset.ref((region, str(year))))
            return None if found is None else open_imagery(found)

        return self._sets.get((asset.name, region, year), load)


def square_at(longitude: float, latitude: float, metres: float) -> Square:
    """The square around a point (EPSG:4326) in the zone in which it lies, at least `metres` on a side."""
    return square_around(longitude, latitude, int(zones_of(np.array([longitude]))[0]), metres)


def _box(longitude: float, latitude: float, metres: float) -> shapely.Polygon:
    """A square around a point in degrees, somewhat too large: UTM's north leans."""
    high = _GENEROUS * metres / 2.0 / METRES_A_DEGREE
    wide = high / max(math.cos(math.radians(latitude)), 0.01)
    return shapely.box(longitude - wide, latitude - high, longitude + wide, latitude + high)


def crop(held: Held, point: tuple[float, float], metres: float) -> SiteImage:
    """The three bands that pictures show of a square around a point (longitude, latitude), whose pixel is its middle;
    what the file does not hold is not observed.
    """
    import pyproj
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(held.path) as source:
        x, y = pyproj.Transformer.from_crs(4326, source.crs, always_xy=True).transform(*point)
        column, row = (math.floor(place) for place in ~source.transform * (x, y))
        half = math.ceil(metres / 2.0 / abs(source.transform.a))
        left, top, side = column - half, row - half, 2 * half + 1
        (c0, c1), (r0, r1) = (
            (max(0, start), min(size, start + side)) for start, size in ((left, source.width), (top, source.height))
        )
        pixels = np.zeros((3, side, side), np.uint16)
        if c0 < c1 and r0 < r1:
            bands = [band + 1 for band in channels(held.bands)]
            read = source.read(bands, window=Window(c0, r0, c1 - c0, r1 - r0))
            pixels[:, r0 - top : r1 - top, c0 - left : c1 - left] = read
        grid = GeoBox((side, side), source.transform * Affine.translation(left, top), str(source.crs))
    return _shown(held.name, grid, held.shown, pixels)


def coarse(held: Held) -> SiteImage:
    """The three bands that pictures show of a whole file, at most `_COARSE` pixels on a side."""
    import rasterio

    with rasterio.open(held.path) as source:
        rows, columns = (min(_COARSE, size) for size in (source.height, source.width))
        pixels = source.read([band + 1 for band in channels(held.bands)], out_shape=(3, rows, columns))
        scale = Affine.scale(source.width / columns, source.height / rows)
        grid = GeoBox((rows, columns), source.transform * scale, str(source.crs))
    return _shown(held.name, grid, held.shown, pixels)


def _completed(image: SiteImage, like: Held | ImagerySet, others: Iterable[Held]) -> SiteImage:
    """An image with what it lacks filled in from files of the same product and bands, in their order."""
    alike = (one for one in others if (one.product, one.bands) == (like.product, like.bands))
    pixels = fill_in(image.pixels, image.grid, alike)
    return _shown(image.site_id, image.grid, image.bands, pixels)


def _shown(site: str, grid: GeoBox, bands: tuple[str, ...], pixels: npt.NDArray[np.uint16]) -> SiteImage:
    clear: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
    return SiteImage(site, grid, bands, pixels, clear)
