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


@dataclass(frozen=True, eq=False)
class View:
    """A square of ground in one year, the point in its middle: three bands, or none, and then the `reason` why."""

    year: int
    image: SiteImage | None
    reason: str = ""

    @property
    def observed(self) -> float:
        """Share of its pixels that were observed."""
        return 0.0 if self.image is None else float(self.image.observed.mean())


class GroundViews:
    """The ground of a project, by its sites' composites and, where these are kept, by its scans."""

    def __init__(self, project: Project) -> None:
        self._project = project
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
        sources = (SCAN_IMAGERY, COMPOSITES) if scanned else (COMPOSITES, SCAN_IMAGERY)
        years = self.years[sources[0].name] or self.years[sources[1].name]
        for year in years:
            views = [self._view(asset, year, longitude, latitude, metres) for asset in sources]
            yield next((one for one in views if one.image is not None), views[0])

    def _view(self, asset: Asset, year: int, longitude: float, latitude: float, metres: float) -> View:
        if asset is COMPOSITES:
            return self._of_site(year, longitude, latitude, metres)
        return self._of_scan(year, longitude, latitude, metres)

    def _of_site(self, year: int, longitude: float, latitude: float, metres: float) -> View:
        place = self._owner(longitude, latitude)
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
        image = crop(images.partition.file(file), site, images.bands, (longitude, latitude), metres)
        return View(year, image) if image.observed.any() else View(year, None, "not observed")

    def _of_scan(self, year: int, longitude: float, latitude: float, metres: float) -> View:
        from minemap_assets.detection.ground import Ground, square_around

        zone = int((longitude + 180.0) // 6.0) % 60 + 1
        square = square_around(longitude, latitude, zone, metres)
        point = shapely.Point(longitude, latitude)
        for slug, region in self._project.active_regions().items():
            images = self.images(SCAN_IMAGERY, slug, year) if shapely.intersects(region.geometry, point) else None
            if images is None:
                continue
            ground = Ground(images)
            pixels = ground.pixels(square)
            if pixels[0].any():
                grid = GeoBox(
                    (square.side, square.side), Affine(10.0, 0.0, square.west, 0.0, -10.0, square.north), square.crs
                )
                clear: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
                return View(year, SiteImage("", grid, ground.bands, pixels, clear))
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
    clear: npt.NDArray[np.uint16] = (pixels[0] > 0).astype(np.uint16)
    return SiteImage(site, grid, tuple(bands[band] for band in chosen), pixels, clear)
