"""What a composite will be before any pixel is read: its grid and the fingerprint of everything it depends on."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
from odc.geo.geobox import GeoBox

from minemap_assets.errors import BadInputError
from minemap_assets.geo.grid import at_resolution, from_columns, to_columns
from minemap_assets.imagery.products import Product, product
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake.manifests import digest

CODE_VERSION = "2"
"""Raised when the same request would be stored as other pixels or facts; published files are then made again."""


@dataclass(frozen=True)
class Request:
    """One site's composite to be made: where, and the fingerprint of its content, under which its file is kept."""

    site_id: str
    grid: GeoBox
    content_key: str

    @property
    def file(self) -> str:
        """Name of the raster inside the partition."""
        return f"{self.site_id}.tif"


def imagery_grid(site_grid: GeoBox, resolution: float) -> GeoBox:
    """The grid on which a site is imaged: the site's own ground at the coarser of its pixel size and `resolution`.

    A site grid squeezed to pixels that `resolution` does not nest in (7 m under a 10 m product) keeps its own pixels.
    """
    own = abs(float(site_grid.affine.a))
    if own >= resolution:
        return site_grid
    height, width = site_grid.shape
    if any(not math.isclose(n * own / resolution, round(n * own / resolution)) for n in (height, width)):
        return site_grid
    return at_resolution(site_grid, resolution)


def common_product(sources: Sequence[ImagerySource]) -> Product:
    """The one product that all sources serve. Raises `BadInputError` where there is none or more than one."""
    names = sorted({source.product for source in sources})
    if not names:
        raise BadInputError("no imagery source is set for this product; name one under [imagery] sources")
    if len(names) > 1:
        raise BadInputError(
            f"sources of different products cannot stand in for each other ({', '.join(names)}); "
            "give each product its own list under [imagery] sources"
        )
    return product(names[0])


def plan(
    sites: gpd.GeoDataFrame,
    sources: Sequence[ImagerySource],
    season: Season,
    bands: Sequence[str],
    min_clear_fraction: float,
    corrections: Mapping[str, int] | None = None,
) -> Iterator[Request]:
    """The requests for all sites, in order of site id.

    The minimum clear fraction decides between sources only, so it is part of a fingerprint only where there are
    several. `corrections` tells by source how often the season's images were corrected (`arrivals.py`).
    """
    kind = common_product(sources)
    shared: dict[str, Any] = {
        "code": CODE_VERSION,
        "season": [season.year, season.start.isoformat(), season.end.isoformat()],
        "bands": list(bands),
        "product": kind.name,
        "min_clear_fraction": min_clear_fraction if len(sources) > 1 else None,
    }
    if corrections:
        shared["corrections"] = dict(sorted(corrections.items()))
    columns = ("site_id", "crs", "transform", "width", "height")
    rows = sorted(zip(*(sites[c] for c in columns), strict=True), key=lambda row: str(row[0]))
    for site_id, crs, transform, width, height in rows:
        grid = imagery_grid(from_columns(crs, transform, width, height), kind.resolution)
        place = to_columns(grid)
        own = {
            "grid": [place.crs, place.transform, place.width, place.height],
            "sources": [[source.name, source.revision_for(grid, season)] for source in sources],
        }
        yield Request(str(site_id), grid, digest(shared | own))
