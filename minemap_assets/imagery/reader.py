"""Reading a published imagery partition: its index and its pixels, as the rooms after this one see them."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from minemap_assets.errors import NotFoundError, PermanentError
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.build import CLEAR_COUNT, INDEX
from minemap_assets.lake.partitions import Partition


@dataclass(frozen=True, eq=False)
class SiteImage:
    """Pixels of one site: uint16 (band, row, column), reflectance x 10,000, 0 = not observed; `clear_count` is uint16
    (row, column).
    """

    site_id: str
    grid: GeoBox
    bands: tuple[str, ...]
    pixels: npt.NDArray[np.uint16]
    clear_count: npt.NDArray[np.uint16]

    @property
    def observed(self) -> npt.NDArray[np.bool_]:
        """True where a pixel was observed."""
        mask: npt.NDArray[np.bool_] = self.pixels[0] > 0
        return mask


@dataclass(frozen=True, eq=False)
class ImagerySet:
    """One imagery partition: `index` has a row per site that has pixels, sorted by site id, geometry in EPSG:4326."""

    partition: Partition
    index: gpd.GeoDataFrame
    product: str
    bands: tuple[str, ...]

    @property
    def site_ids(self) -> tuple[str, ...]:
        """Sites that have pixels, sorted."""
        return tuple(self.index["site_id"])

    def __contains__(self, site_id: str) -> bool:
        return site_id in self.site_ids

    def read(self, site_id: str) -> SiteImage:
        """The pixels of a site. Raises `NotFoundError` where it has none in this season."""
        row = self.index.loc[self.index["site_id"] == site_id]
        if row.empty:
            raise NotFoundError(f"{self.partition.manifest.ref} has no imagery for site {site_id}")
        raster = read_raster(self.partition.file(row["file"].iloc[0]))
        if raster.bands[-1] != CLEAR_COUNT:
            raise PermanentError(f"the file of site {site_id} in {self.partition.manifest.ref} has no clear_count band")
        return SiteImage(site_id, raster.grid, raster.bands[:-1], raster.pixels[:-1], raster.pixels[-1])


def open_imagery(partition: Partition) -> ImagerySet:
    """Read access to an imagery or reference imagery partition."""
    summary = partition.manifest.summary
    index = read_geoparquet(partition.file(INDEX))
    return ImagerySet(partition, index, str(summary["product"]), tuple(summary["bands"]))
