"""A finished project's partitions with its sites over and over: the tables that a report reads, and no more pixels."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.geo.vector import read_geoparquet, write_geoparquet, write_parquet
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.build import INDEX
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.store import Store
from minemap_assets.polygons.assets import SITE_HISTORY
from minemap_assets.tables.assets import POLYGON_TABLE, SITE_PANEL

_PANEL = "site_panel.parquet"
_FILES = {
    COMPOSITES.name: INDEX,
    SITE_PANEL.name: _PANEL,
    POLYGON_TABLE.name: "polygons.parquet",
    SITE_HISTORY.name: "site_history.parquet",
}
"""Files with rows of sites, by asset."""


def many_sites(
    store: Store, held: Mapping[PartitionRef, Partition], sites: int, folder: Path
) -> dict[PartitionRef, Partition]:
    """The same partitions with so many sites in all, each known one as often as it takes under other ids.

    The tables of sites are written into `folder`; everything else is what it was.
    """
    folder.mkdir(parents=True)
    panels = [part.file(_PANEL) for ref, part in held.items() if ref.asset == SITE_PANEL.name]
    known = sorted({str(site) for path in panels for site in pd.read_parquet(path)["site_id"]})
    copies = {site: len(range(place, sites, len(known))) for place, site in enumerate(known)}
    found = dict(held)
    for number, (ref, part) in enumerate(held.items()):
        name = _FILES.get(ref.asset)
        if name is not None and name in part.names():
            path = folder / f"{number}-{name}"
            _write_repeated(part.file(name), copies, path)
            found[ref] = Partition(store, part.manifest, {name: path})
    return found


def _write_repeated(source: Path, copies: Mapping[str, int], target: Path) -> None:
    plain = source.name.startswith("site_panel")
    frame = pd.read_parquet(source) if plain else read_geoparquet(source)
    several = "site_ids" in frame
    site = [str(ids[0]) if several else str(ids) for ids in frame["site_ids" if several else "site_id"]]
    times = np.array([copies[one] for one in site], dtype=np.int64)
    if frame.empty:
        shutil.copyfile(source, target)
        return
    rows = frame.iloc[np.repeat(np.arange(len(frame)), times)].reset_index(drop=True)
    mark = [f"-{n:05}" for count in times for n in range(count)]
    for column in ("site_id", "polygon_id", "mine_id"):
        if column in rows:
            rows[column] = rows[column].astype(str) + mark
    if several:
        rows["site_ids"] = [[f"{ids[0]}{end}"] for ids, end in zip(rows["site_ids"], mark, strict=True)]
    if isinstance(rows, gpd.GeoDataFrame):
        write_geoparquet(rows, target)
    else:
        write_parquet(rows, target)
