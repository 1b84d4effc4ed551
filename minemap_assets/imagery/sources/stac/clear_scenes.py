"""How many clear views of a place a season should hold, by the open catalogues alone."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.seasons import Season, months
from minemap_assets.imagery.sources.stac.config import PRODUCT, StacConfig
from minemap_assets.imagery.sources.stac.search import Catalogues
from minemap_assets.imagery.sources.stac.services import Services
from minemap_assets.imagery.sources.stac.static_index import indexes, stand_in


def clear_scenes(
    config: StacConfig, outlines: Sequence[BaseGeometry], season: Season, folder: Path
) -> dict[date, float]:
    """Overpasses by month, each counted as the share of it without cloud; the mean over places (EPSG:4326).

    `folder` is where indexes from the web are kept.
    """
    services = Services(config)
    collections = config.collections_for(PRODUCT)
    clients = {c.endpoint: services.catalogue(c.endpoint) for c in collections}
    here, instead = indexes(collections, services, folder), stand_in(config, services, folder)
    catalogues = Catalogues(collections, clients, here, instead)
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
