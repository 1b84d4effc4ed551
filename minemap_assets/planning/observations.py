"""Clear observations by month: what a season should hold for a region, from catalogues alone.

What belongs here: asking sources what they have. What does not: pixels, and what fetching them would cost
(`estimates.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import MinemapError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
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
    by_month: Mapping[date, float]
    clear: bool


def months(season: Season) -> tuple[Season, ...]:
    """The months of a season, each as a season of its own."""
    starts = [season.start]
    while (after := _next_month(starts[-1])) < season.end:
        starts.append(after)
    return tuple(Season(season.year, start, min(_next_month(start), season.end)) for start in starts)


def observations(project: Project, region: str, year: int) -> Observations | None:
    """What the first source that has anything holds; None where the region's sites are not made or there are none.

    Raises the first source's error where no source can say.
    """
    frame = sites_of(project, region)
    if frame is None or frame.empty:
        return None
    area = project.region(region)
    season, product = project.season(area, year), project.product_for(area, year)
    rows = list(frame.itertuples(index=False))
    outlines = [footprint_wgs84(site_grid(row)) for row in rows[:: max(1, len(rows) // SITES)][:SITES]]
    failure: MinemapError | None = None
    for source in project.sources(product):
        try:
            counts = _clear_scenes(project, source, outlines, season)
            clear = counts is not None
            if counts is None:
                counts = _images(source, outlines, season)
        except MinemapError as error:
            failure = failure or error
            continue
        if any(counts.values()):
            return Observations(region, year, source.name, counts, clear)
    if failure is not None:
        raise failure
    return Observations(region, year, "no source", dict.fromkeys((m.start for m in months(season)), 0.0), False)


def _images(source: ImagerySource, outlines: Sequence[BaseGeometry], season: Season) -> dict[date, float]:
    return {
        month.start: sum(source.available(outline, month).images for outline in outlines) / len(outlines)
        for month in months(season)
    }


def _clear_scenes(
    project: Project, source: ImagerySource, outlines: Sequence[BaseGeometry], season: Season
) -> dict[date, float] | None:
    """Overpasses in open catalogues, each counted as the share of it without cloud; None for other sources."""
    if source.name != "stac" or source.product != "sentinel-2-l2a":
        return None
    from minemap_assets.imagery.sources.stac.search import Catalogues
    from minemap_assets.imagery.sources.stac.services import Services

    config = project.settings.sources.stac
    services = Services(config)
    clients = {c.endpoint: services.catalogue(c.endpoint) for c in config.collections}
    catalogues = Catalogues(config.collections, clients, config.gap_days)
    counts = dict.fromkeys((month.start for month in months(season)), 0.0)
    try:
        for outline in outlines:
            overpasses: dict[tuple[str, str], float] = {}
            for scene in catalogues.select(outline, season).scenes:
                if scene.cloud_cover <= config.max_cloud_cover:
                    clear = 1.0 - scene.cloud_cover / 100.0
                    overpasses[scene.overpass] = max(clear, overpasses.get(scene.overpass, 0.0))
            for (day, _), clear in overpasses.items():
                month = max(start for start in counts if start <= date.fromisoformat(day))
                counts[month] += clear / len(outlines)
    finally:
        services.close()
    return counts


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
