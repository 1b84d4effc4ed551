"""Regions and their maps of a year as the partitions hold them."""

from collections.abc import Mapping

import numpy as np

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.schemas import MINING_POLYGONS, UNOBSERVED_GROUND
from minemap_assets.project.regions import Region
from minemap_assets.sites.owned_ground import FILE as OWNED_GROUND_FILE
from minemap_assets.validation.map_reading import Points, RegionGround, RegionMap


def region_grounds(regions: Mapping[str, Region], owned: Mapping[str, Partition]) -> list[RegionGround]:
    """Every region with the ground of its sites; one whose owned_ground was not made has no sites yet."""
    found = []
    for slug, region in sorted(regions.items()):
        sites: list[str] = []
        grounds: Points = np.zeros(0, dtype=object)
        if slug in owned:
            frame = read_geoparquet(owned[slug].file(OWNED_GROUND_FILE))
            sites, grounds = [str(site) for site in frame["site_id"]], np.asarray(frame.geometry, dtype=object)
        found.append(RegionGround(slug, region.geometry, sites, grounds))
    return found


def region_map(mining: Partition) -> RegionMap:
    """The map of a mining_polygons partition."""
    polygons, unobserved = (
        np.asarray(read_geoparquet(mining.file(spec.file)).geometry, dtype=object)
        for spec in (MINING_POLYGONS, UNOBSERVED_GROUND)
    )
    return RegionMap(polygons, unobserved)
