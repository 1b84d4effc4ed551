"""What a project has published at one moment, as a frozen release keeps it or as it is now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import pandas as pd
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, Correction, parse_corrections
from minemap_assets.publication.releases.lineage import KEPT, Lineage, lineage_of, partitions_of
from minemap_assets.tables.assets import POLYGON_TABLE, SITE_PANEL
from minemap_assets.tables.schemas import POLYGONS
from minemap_assets.tables.schemas import SITE_PANEL as PANEL


@dataclass(frozen=True)
class Published:
    """One state: how people call it, what it was made from, corrections and outlines of regions as they were.

    `file` gives a local path of a file of a table, by the table's name, the year and the name of the file.
    """

    label: str
    lineage: Lineage
    corrections: tuple[Correction, ...]
    regions: Mapping[str, BaseGeometry]
    file: Callable[[str, int, str], Path]

    @cached_property
    def mapped(self) -> frozenset[tuple[str, int]]:
        """Regions and years that were mapped."""
        made = partitions_of(self.lineage, "mining_polygons")
        published = {int(year) for (year,) in partitions_of(self.lineage, POLYGON_TABLE.name)}
        return frozenset((region, int(year)) for region, year in made if int(year) in published)

    @cached_property
    def sites(self) -> frozenset[str]:
        """Sites that were known."""
        years = sorted({int(year) for (year,) in partitions_of(self.lineage, SITE_PANEL.name)})
        frames = [pd.read_parquet(self.file(PANEL.name, year, PANEL.file), columns=["site_id"]) for year in years]
        return frozenset(str(site) for frame in frames for site in frame["site_id"])

    def polygons(self, year: int) -> gpd.GeoDataFrame:
        """All polygons of a year."""
        return read_geoparquet(self.file(POLYGONS.name, year, POLYGONS.file))


def published_now(graph: Graph, states: PartitionStates) -> Published:
    """What is published at this moment."""
    project = states.project
    lineage = lineage_of(graph, states)

    def file(table: str, year: int, name: str) -> Path:
        asset = next(one for one in KEPT if one.name == table)
        return project.lake.open(asset.ref((str(year),))).file(name)

    where = f"{project.lake.store.root}/{CORRECTIONS_PATH}"
    corrections = project.parsed(CORRECTIONS_PATH, lambda data: parse_corrections(data, where))
    outlines = {slug: region.geometry for slug, region in project.active_regions().items()}
    return Published("now", lineage, corrections, outlines, file)
