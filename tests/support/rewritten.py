"""Partitions whose index is another than the one that was made."""

from collections.abc import Callable

import geopandas as gpd

from minemap_assets.geo.vector import read_geoparquet, write_geoparquet
from minemap_assets.lake.manifests import PartitionRef, file_sha256, manifest_bytes
from minemap_assets.lake.partitions import MANIFEST
from tiny import Chain


def rewrite(chain: Chain, ref: PartitionRef, change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]) -> None:
    """Change the index of a partition as if it had been published so."""
    part = chain.project.lake.open(ref)
    path = part.file("index.parquet")
    write_geoparquet(change(read_geoparquet(path)), path)
    now = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    files = tuple(one.model_copy(update=now) if one.name == path.name else one for one in part.manifest.files)
    changed = part.manifest.model_copy(update={"files": files})
    chain.project.lake.store.write_bytes(f"{ref.prefix}/{MANIFEST}", manifest_bytes(changed))
