"""The simulated imagery source: a world behind the same contract as every other source."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import NotCoveredError
from minemap_assets.geo.grid import footprint_wgs84, utm_epsg
from minemap_assets.imagery.products import product as product_named
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest, Provenance, days_text
from minemap_assets.simulation.config import NAME
from minemap_assets.simulation.render import PIXEL, Block, Order, Rendered, render_block
from minemap_assets.simulation.world import World, from_wgs84

CODE_VERSION = "1"
"""Raise by one when the same request gives other pixels than before."""

TERMS = "CC0-1.0"
_BLOCK = 1024


def revision_of(world: World) -> str:
    """Changes with the world, its contents and the version of the rendering code."""
    return f"{world.name}-{world.revision}-{CODE_VERSION}"


class SimulatedSource(ImagerySource):
    """A world seen through one product."""

    def __init__(self, world: World, product: str) -> None:
        self.world = world
        super().__init__(NAME, product_named(product).name, revision_of(world))

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        """The composite of any grid; the season's year decides the state of the ground.

        Grids of whole pixels of the product in their UTM zone are rendered as they are, others by the nearest rendered
        pixel. Sea is not observed. Raises `NotCoveredError` where there is no land at all or in years outside the
        world, `BadInputError` for an unknown band.
        """
        product_named(self.product).check_bands(bands)
        self._check_covered(grid, season)
        rendered = self._aligned(grid, season, bands)
        if rendered is None:
            rendered = self._resampled(grid, season, bands)
        return Composite(grid, tuple(bands), rendered.pixels, rendered.clear_count, self._provenance(season))

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        """Monthly mosaics of the season, and the share of the area that is land of this world."""
        if season.year not in self.world.years:
            return Availability(0, 0.0)
        inside = from_wgs84(area)
        covered = inside.intersection(self.world.land).area
        share = float(covered / inside.area) if inside.area > 0 else 0.0
        return Availability(len(_months(season)) if share > 0 else 0, share)

    def latest(self) -> Latest:
        """Every year of the world, revised when world or code change."""
        revisions = {year: f"{self.revision}-{year}" for year in self.world.years}
        return Latest(revisions, datetime(self.world.years[-1], 12, 1, tzinfo=UTC))

    def _check_covered(self, grid: GeoBox, season: Season) -> None:
        if season.year not in self.world.years:
            first, last = self.world.years[0], self.world.years[-1]
            raise NotCoveredError(f"the simulated world {self.world.name} has no {season.year}, only {first} to {last}")
        if not from_wgs84(footprint_wgs84(grid)).intersects(self.world.land):
            raise NotCoveredError(f"the grid lies outside the simulated world {self.world.name}")

    def _aligned(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Rendered | None:
        """Render a grid of whole pixels of the product; None where it is not one."""
        size = product_named(self.product).resolution
        a, epsg = grid.affine, grid.crs.epsg if grid.crs is not None else None
        corner = np.asarray([a.c / size, a.f / size])
        utm = epsg is not None and epsg // 100 in (326, 327)
        if not utm or (a.a, a.b, a.d, a.e) != (size, 0.0, 0.0, -size) or not np.array_equal(corner, np.rint(corner)):
            return None
        factor = round(size / PIXEL)
        column, row = round(a.c / PIXEL), round(-a.f / PIXEL)
        height, width = (int(n) * factor for n in grid.shape)
        return self._blocks(Block(f"EPSG:{epsg}", column, row, width, height), season, bands)

    def _blocks(self, whole: Block, season: Season, bands: Sequence[str]) -> Rendered:
        """Render a rectangle in blocks, so that memory stays bounded; blocks agree where they meet."""
        factor = round(product_named(self.product).resolution / PIXEL)
        shape = whole.height // factor, whole.width // factor
        pixels = np.zeros((len(bands), *shape), dtype=np.uint16)
        count = np.zeros(shape, dtype=np.uint16)
        order = Order(self.product, season.year, len(_months(season)), tuple(bands))
        for top in range(0, whole.height, _BLOCK):
            for left in range(0, whole.width, _BLOCK):
                height, width = min(_BLOCK, whole.height - top), min(_BLOCK, whole.width - left)
                block = Block(whole.crs, whole.column + left, whole.row + top, width, height)
                part = render_block(self.world, order, block)
                rows = slice(top // factor, (top + height) // factor)
                columns = slice(left // factor, (left + width) // factor)
                pixels[:, rows, columns] = part.pixels
                count[rows, columns] = part.clear_count
        return Rendered(pixels, count)

    def _resampled(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Rendered:
        """Any other grid: render around it in its UTM zone and take the nearest pixel."""
        import pyproj

        middle = footprint_wgs84(grid).centroid
        crs = f"EPSG:{utm_epsg(middle.x, middle.y)}"
        columns, rows = np.meshgrid(np.arange(grid.shape[1]) + 0.5, np.arange(grid.shape[0]) + 0.5)
        a = grid.affine
        to_utm = pyproj.Transformer.from_crs(str(grid.crs), crs, always_xy=True)
        east, north = to_utm.transform(a.c + a.a * columns + a.b * rows, a.f + a.d * columns + a.e * rows)
        size = product_named(self.product).resolution
        factor = round(size / PIXEL)
        across, down = np.floor(east / size).astype(np.int64), np.floor(-north / size).astype(np.int64)
        left, top = int(across.min()), int(down.min())
        width, height = int(across.max()) - left + 1, int(down.max()) - top + 1
        whole = Block(crs, left * factor, top * factor, width * factor, height * factor)
        part = self._blocks(whole, season, bands)
        place = (down - top, across - left)
        return Rendered(part.pixels[:, place[0], place[1]], part.clear_count[place])

    def _provenance(self, season: Season) -> Provenance:
        months = _months(season)
        return Provenance(
            source=self.name,
            product=self.product,
            acquisitions=tuple(f"sim-{self.product}-{m:%Y-%m}" for m in months),
            first_date=season.start.isoformat(),
            last_date=(season.end - timedelta(days=1)).isoformat(),
            terms=TERMS,
            redistributable=True,
            processing_baseline=f"simulation {CODE_VERSION}",
            acquisition_days=(days_text(season.start, season.end - timedelta(days=1)),),
            cloud_mask="simulated",
        )


def _months(season: Season) -> list[date]:
    """First days of the months of a season."""
    count = (season.end.year - season.start.year) * 12 + season.end.month - season.start.month
    first = season.start.year * 12 + season.start.month - 1
    return [date((first + k) // 12, (first + k) % 12 + 1, 1) for k in range(max(1, count))]
