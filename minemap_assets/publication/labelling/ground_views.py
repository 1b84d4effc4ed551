"""What the ground around a point looked like in each year, from the images that the lake holds; nothing is fetched."""

import math
from collections.abc import Iterator
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
from minemap_assets.detection.patch_grid import PIXEL
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.not_observed import read_not_observed
from minemap_assets.imagery.preview import channels
from minemap_assets.imagery.reader import ImagerySet, SiteImage, open_imagery
from minemap_assets.project.project import Project
from minemap_assets.sites.assets import SITES

_KEPT_SETS = 64
"""Indexes of imagery partitions that are kept; pixels are not."""

_KEPT_WHOLES = 256
_COARSE = 256
"""Pixels on a side of what a stretch is taken from."""

_REACH = 0.01
"""Degrees that a scan reaches beyond its region, since it takes in every patch that touches it."""

_AROUND_SCAN = 5.0
"""Of a scan, the stretch is taken from a square so many times as wide as the picture."""


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


class GroundViews:
    """The ground of a project, by its sites' composites and, where these are kept, by its scans."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._wholes: LoadingCache[tuple[str, str, int], SiteImage] = LoadingCache(_KEPT_WHOLES)
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
        place = self._owner(longitude, latitude)

        def of_site(year: int) -> View:
            return self._of_site(year, place, (longitude, latitude), metres)

        def of_scan(year: int) -> View:
            return self._of_scan(year, longitude, latitude, metres)

        order = (of_scan, of_site) if scanned else (of_site, of_scan)
        names = (COMPOSITES.name, SCAN_IMAGERY.name)
        first, second = names[::-1] if scanned else names
        for year in self.years[first] or self.years[second]:
            view = order[0](year)
            if view.image is None and (other := order[1](year)).image is not None:
                view = other
            yield view

    def _of_site(self, year: int, place: tuple[str, str] | None, point: tuple[float, float], metres: float) -> View:
        if place is None:
            return View(year, None, "no image of this point: it lies in no site's window")
        region, site = place
        images = self.images(COMPOSITES, region, year)
        if images is None:
            return View(year, None, f"no image: {year} was not fetched")
        if site not in images:
            reason = read_not_observed(images.partition).get(site, "there is no image of this site")
            return View(year, None, f"not observed: {reason}")
        file = images.index.loc[images.index["site_id"] == site, "file"].iloc[0]
        path = images.partition.file(file)
        image = crop(path, site, images.bands, point, metres)
        if not image.observed.any():
            return View(year, None, "not observed")
        whole = self._wholes.get((region, site, year), lambda: coarse(path, site, images.bands))
        return View(year, image, whole=whole)

    def _of_scan(self, year: int, longitude: float, latitude: float, metres: float) -> View:
        zone = int((longitude + 180.0) // 6.0) % 60 + 1
        square = square_around(longitude, latitude, zone, metres)
        point = shapely.Point(longitude, latitude)
        near = [r.slug for r in self._project.active_regions().values() if shapely.dwithin(r.geometry, point, _REACH)]
        scans = [images for slug in near if (images := self.images(SCAN_IMAGERY, slug, year)) is not None]
        for ground in map(Ground, scans):
            image = _scanned(ground, square)
            if image.observed.any():
                whole = _scanned(ground, square_around(longitude, latitude, zone, _AROUND_SCAN * metres))
                return View(year, image, whole=whole)
        if scans:
            return View(year, None, "not observed")
        return View(year, None, f"no image: {year} was not scanned here")

    def _owner(self, longitude: float, latitude: float) -> tuple[str, str] | None:
        """The region and id of the site whose window's middle is nearest to a point that it shows."""
        windows = self._windows
        hits = windows.sindex.query(shapely.Point(longitude, latitude), predicate="intersects")
        if not len(hits):
            return None
        near = windows.iloc[np.sort(hits)]
        east = (near["longitude"] - longitude) * math.cos(math.radians(latitude))
        chosen = near.iloc[int(np.argmin(np.hypot(east, near["latitude"] - latitude)))]
        return str(chosen["region"]), str(chosen["site_id"])

    def images(self, asset: Asset, region: str, year: int) -> ImagerySet | None:
        """The images of a region and year; None where they were not made."""

        def load() -> ImagerySet | None:
            found = self._project.lake.find(asset.ref((region, str(year))))
            return None if found is None else open_imagery(found)

        return self._sets.get((asset.name, region, year), load)


def crop(path: Path, site: str, bands: tuple[str, ...], point: tuple[float, float], metres: float) -> SiteImage:
    """The three bands that pictures show of a square around a point (longitude, latitude), whose pixel is its middle;
    what the file does not hold is not observed.
    """
    import pyproj
    import rasterio
    from rasterio.windows import Window

    chosen = channels(bands)
    with rasterio.open(path) as source:
        x, y = pyproj.Transformer.from_crs(4326, source.crs, always_xy=True).transform(*point)
        column, row = (math.floor(place) for place in ~source.transform * (x, y))
        half = math.ceil(metres / 2.0 / abs(source.transform.a))
        left, top, side = column - half, row - half, 2 * half + 1
        (c0, c1), (r0, r1) = (
            (max(0, start), min(size, start + side)) for start, size in ((left, source.width), (top, source.height))
        )
        pixels = np.zeros((3, side, side), np.uint16)
        if c0 < c1 and r0 < r1:
            read = source.read([band + 1 for band in chosen], window=Window(c0, r0, c1 - c0, r1 - r0))
            pixels[:, r0 - top : r1 - top, c0 - left : c1 - left] = read
        grid = GeoBox((side, side), source.transform * Affine.translation(left, top), str(source.crs))
    return _shown(site, grid, tuple(bands[band] for band in chosen), pixels)


def coarse(path: Path, site: str, bands: tuple[str, ...]) -> SiteImage:
    """The three bands that pictures show of a whole file, at most `_COARSE` pixels on a side."""
    import rasterio

    chosen = channels(bands)
    with rasterio.open(path) as source:
        rows, columns = (min(_COARSE, size) for size in (source.height, source.width))
        pixels = source.read([band + 1 for band in chosen], out_shape=(3, rows, columns))
        scale = Affine.scale(source.width / columns, source.height / rows)
        grid = GeoBox((rows, columns), source.transform * scale, str(source.crs))
    return _shown(site, grid, tuple(bands[band] for band in chosen), pixels)


def _scanned(ground: Ground, square: Square) -> SiteImage:
    transform = Affine(PIXEL, 0.0, square.west, 0.0, -PIXEL, square.north)
    grid = GeoBox((square.side, square.side), transform, square.crs)
    return _shown("", grid, ground.bands, ground.pixels(square))


def _shown(site: str, grid: GeoBox, bands: tuple[str, ...], pixels: npt.NDArray[np.uint16]) -> SiteImage:
    clear: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
    return SiteImage(site, grid, bands, pixels, clear)
