"""The tables that several files of the map are made from, read once."""

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from minemap_assets.graph.context import InputContext
from minemap_assets.polygons.assets import SITE_HISTORY
from minemap_assets.polygons.history_schemas import SITE_HISTORY as HISTORY_TABLE
from minemap_assets.publication.published import by_year, table
from minemap_assets.tables.assets import POLYGON_TABLE, SITE_PANEL
from minemap_assets.tables.schemas import POLYGONS
from minemap_assets.tables.schemas import SITE_PANEL as PANEL_TABLE


@dataclass(frozen=True, eq=False)
class MapTables:
    """Polygons and sites of all years, the history of mines, and the years that were mapped, in order.

    Geometries are in EPSG:4326.
    """

    polygons: gpd.GeoDataFrame
    panel: pd.DataFrame
    mines: gpd.GeoDataFrame
    years: tuple[int, ...]


def map_tables(context: InputContext) -> MapTables:
    """The tables of a project; without rows where they were not made."""
    return MapTables(
        table(context, POLYGON_TABLE, POLYGONS),
        table(context, SITE_PANEL, PANEL_TABLE),
        table(context, SITE_HISTORY, HISTORY_TABLE),
        tuple(sorted(by_year(context, POLYGON_TABLE))),
    )
