"""Parts: what one region gives to a year's tables, whether or not it was made.

Tables ask for columns, and for geometry only of the polygons that they have to cut; what was read is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import PermanentError
from minemap_assets.geo.vector import polygons_only, read_geoparquet
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.schemas import (
    CLIPPED_GROUND,
    MINING_POLYGONS,
    POLYGON_COUNTRY_AREA,
    SITE_AREA,
    UNOBSERVED_GROUND,
    TableSpec,
    read_table,
)
from minemap_assets.project.regions import Region

SITE_COLUMNS = ("site_id", "longitude", "latitude")
"""What tables need of a region's sites."""

_FACTS = ("polygon_id", "site_ids", "country_iso3", "area_km2", "status")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class MiningFiles:
    """The tables of one mining_polygons partition, each read when it is asked for. `file` gives a path by name.

    A table that lacks a column raises `PermanentError`.
    """

    def __init__(self, file: Callable[[str], Path]) -> None:
        self._file = file

    @property
    def path(self) -> Path:
        """The file of the polygons."""
        return self._file(MINING_POLYGONS.file)

    @property
    def country_areas_path(self) -> Path:
        """The file of their split at borders."""
        return self._file(POLYGON_COUNTRY_AREA.file)

    @cached_property
    def site_area(self) -> pd.DataFrame:
        """A row for every site."""
        return _frame(_columns(self._file(SITE_AREA.file), SITE_AREA, SITE_AREA.names))

    @cached_property
    def country_areas(self) -> pd.DataFrame:
        """The split of the polygons at borders."""
        return _frame(_columns(self.country_areas_path, POLYGON_COUNTRY_AREA, POLYGON_COUNTRY_AREA.names))

    @cached_property
    def polygons(self) -> pd.DataFrame:
        """[polygon_id, country_iso3, area_km2, status], a row for each polygon, in the order of the file."""
        return _frame(self._facts.drop_columns(["site_ids"]))

    @cached_property
    def site_counts(self) -> npt.NDArray[np.int64]:
        """Number of sites of each polygon."""
        return np.asarray(pc.list_value_length(self._lists).to_numpy(), dtype=np.int64)

    @cached_property
    def sites(self) -> npt.NDArray[np.object_]:
        """Ids of the polygons' sites, those of one polygon after those of the one before it."""
        return np.asarray(pc.list_flatten(self._lists).to_numpy(zero_copy_only=False), dtype=object)

    @cached_property
    def bounds(self) -> npt.NDArray[np.float64]:
        """West, south, east and north of each polygon, shape (n, 4)."""
        box = _columns(self.path, MINING_POLYGONS, ["bbox"]).column("bbox").combine_chunks()
        corners = [np.asarray(box.field(name), dtype=np.float64) for name in _CORNERS]
        return np.stack(corners, axis=-1) if len(box) else np.zeros((0, 4))

    def geometries(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        """Geometries (EPSG:4326) of some polygons."""
        if not len(rows):
            return np.zeros(0, dtype=object)
        stored = self._stored.take(pa.array(rows))
        return np.asarray(shapely.from_wkb(stored.to_numpy(zero_copy_only=False)), dtype=object)

    @cached_property
    def unobserved(self) -> gpd.GeoDataFrame:
        """Ground [site_id, geometry] that sites own and that was not observed."""
        return read_table(self._file(UNOBSERVED_GROUND.file), UNOBSERVED_GROUND)

    @property
    def clips(self) -> bool:
        """Whether anything is mapped outside the region."""
        return int(pq.read_metadata(self._file(CLIPPED_GROUND.file)).num_rows) > 0

    @cached_property
    def clipped(self) -> gpd.GeoDataFrame:
        """What is mapped on the sites' own ground [site_id, area_km2, geometry] outside the region."""
        return read_table(self._file(CLIPPED_GROUND.file), CLIPPED_GROUND)

    @cached_property
    def _facts(self) -> pa.Table:
        return _columns(self.path, MINING_POLYGONS, _FACTS)

    @cached_property
    def _lists(self) -> pa.ListArray:
        return self._facts.column("site_ids").combine_chunks()

    @cached_property
    def _stored(self) -> Any:
        return _columns(self.path, MINING_POLYGONS, ["geometry"]).column("geometry")


@dataclass(frozen=True, eq=False)
class RegionPart:
    """A region that is expected in a year: its sites [site_id, longitude, latitude], and its mining polygons, None
    where they were not made. `owned` gives the ground [site_id, geometry] that each site owns.
    """

    region: Region
    sites: pd.DataFrame
    mining: MiningFiles | None
    owned: Callable[[], gpd.GeoDataFrame]

    @cached_property
    def ground(self) -> gpd.GeoDataFrame:
        """The ground that each site owns, read once."""
        return self.owned()

    @cached_property
    def cells(self) -> dict[str, BaseGeometry]:
        """The same by site."""
        return dict(zip(self.ground["site_id"], self.ground.geometry, strict=True))

    @cached_property
    def seen(self) -> frozenset[str]:
        """Sites of which some ground was observed."""
        if self.mining is None:
            return frozenset()
        panel = self.mining.site_area
        return frozenset(panel.loc[panel["observed_share"] > 0.0, "site_id"])

    def observed_ground(self, within: BaseGeometry) -> BaseGeometry | None:
        """What the region's windows observed of some ground that lies in it; None where that is nothing.

        A window speaks for the ground that its site owns, as far as the region goes.
        """
        inside = polygons_only(shapely.intersection(within, self.region.geometry))
        if self.mining is None or inside is None:
            return None
        cells = self.ground
        mine = cells["site_id"].isin(self.seen).to_numpy() & shapely.intersects(np.asarray(cells.geometry), inside)
        if not mine.any():
            return None
        hidden = self.mining.unobserved
        unseen = hidden.loc[hidden["site_id"].isin(set(cells["site_id"][mine])), "geometry"]
        seen = shapely.intersection(shapely.union_all(np.asarray(cells.geometry)[mine]), inside)
        return polygons_only(shapely.difference(seen, shapely.union_all(np.asarray(unseen, dtype=object))))


def read_part(region: Region, sites: Partition, owned: Partition | None, mining: Partition | None) -> RegionPart:
    """A region's part from its published partitions; ground that was not kept is computed from the sites."""

    def ground() -> gpd.GeoDataFrame:
        if owned is not None:
            return read_geoparquet(owned.file("owned_ground.parquet"))
        from minemap_assets.sites.windows import ownership

        cells = ownership(read_geoparquet(sites.file("sites.parquet")))
        return gpd.GeoDataFrame({"site_id": list(cells)}, geometry=list(cells.values()), crs="EPSG:4326")

    with pq.ParquetFile(sites.file("sites.parquet")) as file:
        places = _frame(file.read(list(SITE_COLUMNS), use_threads=False))
    return RegionPart(region, places, None if mining is None else MiningFiles(mining.file), ground)


def by_slug(parts: Iterable[RegionPart]) -> list[RegionPart]:
    """Parts in the order of their regions' slugs."""
    return sorted(parts, key=lambda part: part.region.slug)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _columns(path: Path, spec: TableSpec, names: Sequence[str]) -> pa.Table:
    """Some columns of a table's file."""
    # for small files, opening once is most of what the usual way of reading costs
    with pq.ParquetFile(path) as file:
        absent = sorted(set(names) - set(file.schema_arrow.names), key=list(names).index)
        if absent:
            raise PermanentError(f"the table {spec.name} lacks the column {absent[0]}; make its partition again")
        return file.read(list(names), use_threads=False)
