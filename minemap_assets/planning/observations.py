"""Clear observations by month: what a season should hold for a region, from catalogues alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import MinemapError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.rules import product_of, season_of
from minemap_assets.imagery.seasons import Season, months
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.source_kind import MonthlyCounts, kinds_of, open_sources
from minemap_assets.planning.estimates import sites_of
from minemap_assets.project.project import Project
from minemap_assets.sites.windows import site_grid

SITES = 3
"""Sites of a region that are asked about; their mean stands for the region."""


@dataclass(frozen=True)
class Observations:
    """Expected observations of a site in each month of a season. `clear` is False where clouds are not known, so that
    these are images and not clear observations.
    """

    region: str
    year: int
    source: str
    by_month: MonthlyCounts
    clear: bool


def observations(project: Project, region: str, year: int) -> Observations | None:
    """What the first source that has anything holds; None where the region's sites are not made or there are none.

    Raises the first source's error where no source can say.
    """
    frame = sites_of(project, region)
    if frame is None or frame.empty:
        return None
    area = project.region(region)
    season, product = season_of(area, year), product_of(project, area, year)
    rows = list(frame.itertuples(index=False))
    outlines = [footprint_wgs84(site_grid(row)) for row in rows[:: max(1, len(rows) // SITES)][:SITES]]
    failure: MinemapError | None = None
    for kind, source in zip(kinds_of(project, product), open_sources(project, product), strict=True):
        try:
            told = None if kind.clear_scenes is None else kind.clear_scenes(project, product, outlines, season)
            counts = _images(source, outlines, season) if told is None else told
        except MinemapError as error:
            failure = failure or error
            continue
        if any(counts.values()):
            return Observations(region, year, source.name, counts, told is not None)
    if failure is not None:
        raise failure
    return Observations(region, year, "no source", dict.fromkeys((m.start for m in months(season)), 0.0), False)


def _images(source: ImagerySource, outlines: Sequence[BaseGeometry], season: Season) -> dict[date, float]:
    return {
        month.start: sum(source.available(outline, month).images for outline in outlines) / len(outlines)
        for month in months(season)
    }
