"""Owned ground: which ground belongs to which site, computed once for all that count on it."""

import geopandas as gpd
import numpy as np

from minemap_assets.geo.vector import WGS84, areas_km2, write_geoparquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.sites.windows import ownership

FILE = "owned_ground.parquet"


def build_owned_ground(sites: gpd.GeoDataFrame, writer: PartitionWriter) -> Outcome:
    """Write `owned_ground.parquet` [site_id, geometry]: disjoint, and together all windows.

    Geometries are in EPSG:4326, and empty for a site whose window belongs to others altogether.
    """
    owned = ownership(sites)
    ids = sorted(owned)
    frame = gpd.GeoDataFrame({"site_id": ids}, geometry=[owned[site] for site in ids], crs=WGS84)
    writer.write(FILE, lambda path: write_geoparquet(frame, path))
    return Outcome(
        {
            "sites": len(frame),
            "area_km2": round(float(np.sum(areas_km2(frame.geometry))), 6),
            "without_ground": int(frame.geometry.is_empty.sum()),
        }
    )
