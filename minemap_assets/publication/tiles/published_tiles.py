"""Tiles of everything that a project has published: outlines with their first year, and what changed by year."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from minemap_assets.publication.tiles.build import build_tiles
from minemap_assets.publication.tiles.first_years import with_first_year
from minemap_assets.publication.tiles.gains_and_losses import gained_and_lost


def write_published_tiles(
    polygons: gpd.GeoDataFrame,
    mines: gpd.GeoDataFrame,
    panel: pd.DataFrame,
    path: Path,
    *,
    verdict: str,
    attribution: str,
    max_zoom: int = 12,
) -> int:
    """Write one PMTiles file (`build_tiles`); returns the number of polygons whose first year is not known.

    `polygons`, `mines` and `panel` have the columns of the tables `polygons`, `site_history` and `site_panel`.
    """
    dated = with_first_year(polygons, mines)
    changes = gained_and_lost(dated, panel)
    build_tiles(dated, path, changes=changes, attribution=attribution, verdict=verdict, max_zoom=max_zoom)
    return int(dated["first_year"].isna().sum())
