"""Checks of the room polygons."""

import geopandas as gpd

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.quality import countries_known, positive_areas, valid_geometries
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES


def _polygons(partition: Partition) -> gpd.GeoDataFrame:
    return read_geoparquet(partition.file(f"{partition.manifest.asset}.parquet"))


def _countries(partition: Partition, context: InputContext) -> CheckOutcome:
    boundaries = context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet")
    return countries_known(_polygons(partition), read_geoparquet(boundaries))


RAW_CHECKS = (
    Check("valid_geometries", "Every outline is a valid polygon.", lambda made, _: valid_geometries(_polygons(made))),
    Check("positive_areas", "Every area is above zero.", lambda made, _: positive_areas(_polygons(made))),
)
POLYGON_CHECKS = (
    *RAW_CHECKS,
    Check("countries_known", "Every country code is known; ground outside every country is counted.", _countries),
)

_SERIES_FILE = "polygons.parquet"


def _series(partition: Partition) -> gpd.GeoDataFrame:
    return gpd.read_parquet(partition.file(_SERIES_FILE), columns=["polygon_id", "area_km2", "geometry"])


SERIES_CHECKS = (
    Check("valid_geometries", "Every outline is a valid polygon.", lambda made, _: valid_geometries(_series(made))),
    Check("positive_areas", "Every area is above zero.", lambda made, _: positive_areas(_series(made))),
)
