"""Sources with gaps: the tiny world seen through a source that lacks some of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from dagster_project.registry import SOURCES, Registry
from minemap_assets.errors import MinemapError, NotCoveredError, RetryableError
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest
from minemap_assets.project.project import Project
from minemap_assets.simulation.kind import SIMULATED
from minemap_assets.simulation.source import SimulatedSource
from tiny import WORLD

Place = tuple[tuple[float, ...], int]
"""A site's window (its bounds in metres) and a year: the same whatever the product's pixels."""


def place(grid: GeoBox, year: int) -> Place:
    bounds = grid.boundingbox
    return tuple(float(v) for v in (bounds.left, bounds.bottom, bounds.right, bounds.top)), year


@dataclass
class Gaps:
    """What the source lacks, by site and year."""

    uncovered: set[Place] = field(default_factory=set)
    failing: dict[Place, MinemapError] = field(default_factory=dict)
    unseen: dict[Place, slice] = field(default_factory=dict)
    """Columns, as shares of the width in percent, of which nothing was observed."""
    corrected: set[int] = field(default_factory=set)
    """Years whose images were made anew, as a service would announce it."""
    silent: set[str] = field(default_factory=set)
    """Products of which nobody answers what there is."""
    asked: list[Place] = field(default_factory=list)
    """Every site and year that was read."""

    def registry(self) -> Registry:
        """In the place of the simulated source."""

        def opened(_: Project, product: str) -> ImagerySource:
            return GappedSource(SimulatedSource(WORLD, product), self)

        return Registry(sources=tuple(replace(k, open=opened) if k is SIMULATED else k for k in SOURCES))


class GappedSource(ImagerySource):
    """The simulated source with gaps."""

    def __init__(self, inner: SimulatedSource, gaps: Gaps) -> None:
        super().__init__(inner.name, inner.product, inner.revision)
        self.inner, self.gaps = inner, gaps

    def revision_for(self, grid: GeoBox, season: Season) -> str:
        """Another one where there are gaps, so that files made without them are not taken for these."""
        here = place(grid, season.year)
        gap = here in self.gaps.uncovered or here in self.gaps.unseen
        return f"{self.revision}-gap" if gap else self.revision

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        here = place(grid, season.year)
        self.gaps.asked.append(here)
        if here in self.gaps.failing:
            raise self.gaps.failing[here]
        if here in self.gaps.uncovered:
            raise NotCoveredError("nobody has looked there")
        whole = self.inner.read(grid, season, bands)
        if here not in self.gaps.unseen:
            return whole
        share, width = self.gaps.unseen[here], grid.shape[1]
        columns = slice(share.start * width // 100, share.stop * width // 100)
        pixels, count = whole.pixels.copy(), whole.clear_count.copy()
        pixels[:, :, columns] = 0
        count[:, columns] = 0
        return replace(whole, pixels=pixels, clear_count=np.asarray(count, dtype=np.uint16))

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        return self.inner.available(area, season)

    def latest(self) -> Latest:
        """As of a service: the revisions speak of images, and nothing here changes with them."""
        if self.product in self.gaps.silent:
            raise RetryableError("the service is overloaded")
        found = self.inner.latest()
        years = {year: "corrected" if year in self.gaps.corrected else "first" for year in found.revisions}
        return replace(found, revisions=years, remote=True)
