"""Raw polygons: the outlines of one year's masks in EPSG:4326, each ground point counted for one site.

No rule about which polygon is a mine is applied here (`mining.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.raster import read_raster
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only, read_geoparquet
from minemap_assets.lake.manifests import Missing, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.preview import PREVIEW, polygon_sheet
from minemap_assets.polygons.schemas import RAW_POLYGONS, conform, empty_table, write_table
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell, site_cells

NOT_OBSERVED = 255
"""Stored value of a mask pixel without an observation; others are probability x 254."""


@dataclass(frozen=True, eq=False)
class MaskYear:
    """One region and year, vectorised.

    `frame` holds the raw polygons; `observed` the share of each site's own ground that was seen (0 for a site without
    a mask); `unobserved` the ground that was not, as polygons in EPSG:4326; `index` the masks' index by site.
    """

    frame: gpd.GeoDataFrame
    observed: Mapping[str, float]
    unobserved: npt.NDArray[np.object_]
    index: pd.DataFrame
    missing: tuple[Missing, ...]


@dataclass(eq=False)
class _Collected:
    """Geometries of one CRS, gathered site by site."""

    polygons: list[BaseGeometry] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    hidden: list[BaseGeometry] = field(default_factory=list)


def build_raw_polygons(
    region: Region,
    year: int,
    sites: gpd.GeoDataFrame,
    masks: Partition,
    config: PolygonsConfig,
    writer: PartitionWriter,
) -> Outcome:
    """Write `raw_polygons.parquet`: outlines of the pixels each site owns, clipped to the region.

    Sites without a readable mask are reported as missing.
    """
    cells = site_cells(sites)
    found = vectorise_year(region, year, cells, masks, config)
    path = writer.path(RAW_POLYGONS.file)
    rows = write_table(found.frame, RAW_POLYGONS, path)
    writer.add(RAW_POLYGONS.file)
    writer.write(PREVIEW, lambda path: path.write_bytes(polygon_sheet(found.frame["geometry"].to_numpy(), cells)))
    seen = [share for share in found.observed.values() if share > 0.0]
    summary = {
        "rows": rows,
        "area_km2": round(float(found.frame["area_km2"].sum()), 6),
        "sites_expected": len(found.observed),
        "sites_observed": len(seen),
        "covered_share": round(float(np.mean(list(found.observed.values()))), 6) if found.observed else None,
    }
    return Outcome(summary, found.missing)


def vectorise_year(
    region: Region,
    year: int,
    cells: Mapping[str, SiteCell],
    masks: Partition,
    config: PolygonsConfig,
) -> MaskYear:
    """Outline all masks of a region and year. The same masks give the same rows."""
    index = read_geoparquet(masks.file("index.parquet")).set_index("site_id", drop=False).sort_index()
    collected: dict[str, _Collected] = {}
    hidden: list[BaseGeometry] = []
    observed: dict[str, float] = {}
    missing: list[Missing] = []
    for cell in cells.values():
        gathered = collected.setdefault(cell.crs, _Collected())
        try:
            if cell.site_id not in index.index:
                raise NotFoundError("it has no raw mask")
            row = index.loc[cell.site_id]
            observed[cell.site_id] = _collect(cell, masks, row, _lookup(row, config), gathered)
        except (NotFoundError, _UnreadableError) as error:
            observed[cell.site_id] = 0.0
            missing.append(Missing(item=cell.site_id, reason=str(error), retry=False))
            hidden.append(cell.cell)
    frame = _frame(region, year, collected)
    for crs, gathered in sorted(collected.items()):
        hidden.extend(to_wgs84(gathered.hidden, crs))
    return MaskYear(frame, observed, np.array(hidden, dtype=object), index, tuple(missing))


def observe_year(cells: Mapping[str, SiteCell], masks: Partition) -> tuple[dict[str, float], pd.DataFrame]:
    """Share of each site's own ground that a year's masks observed, and the masks' index by site; no outlines."""
    index = read_geoparquet(masks.file("index.parquet")).set_index("site_id", drop=False).sort_index()
    observed: dict[str, float] = {}
    for cell in cells.values():
        observed[cell.site_id] = 0.0
        if cell.site_id not in index.index:
            continue
        try:
            raster = read_raster(masks.file(str(index.loc[cell.site_id, "file"])))
        except (BadInputError, NotFoundError):
            # `raw_polygons` reports it
            continue
        observed[cell.site_id] = _share(raster.pixels[0] != NOT_OBSERVED, cell.owned(raster.grid))
    return observed, index


class _UnreadableError(Exception):
    """A mask that cannot be read: the site waits for a new one."""


def _lookup(row: "pd.Series[float]", config: PolygonsConfig) -> npt.NDArray[np.bool_]:
    """For each stored value 0..255, whether it is mine. Raises `BadInputError` for another operating point."""
    if config.threshold is not None:
        threshold = config.threshold
    elif str(row["operating_point"]) == config.operating_point:
        threshold = float(row["threshold"])
    else:
        raise BadInputError(
            f"the masks were made for the operating point {row['operating_point']!r}, polygons ask for "
            f"{config.operating_point!r}; set the same in [segmentation] and [polygons], or give a threshold"
        )
    table = np.arange(256) / 254.0 >= threshold
    table[NOT_OBSERVED] = False
    return np.asarray(table, dtype=bool)


def _collect(
    cell: SiteCell, masks: Partition, row: "pd.Series[float]", lookup: npt.NDArray[np.bool_], into: _Collected
) -> float:
    """Outline one mask into `into`; returns the observed share of the site's own ground."""
    try:
        raster = read_raster(masks.file(str(row["file"])))
    except BadInputError as error:
        raise _UnreadableError(str(error)) from error
    stored = raster.pixels[0]
    owned = cell.owned(raster.grid)
    hidden = (stored == NOT_OBSERVED) & owned
    found = outline(lookup[stored] & owned, raster.grid, (stored / np.float32(254.0)).astype(np.float32))
    into.polygons.extend(found.polygons)
    into.sites.extend([cell.site_id] * len(found.polygons))
    into.means.extend(float(m) for m in found.means)
    into.hidden.extend(outline(hidden, raster.grid).polygons)
    return _share(stored != NOT_OBSERVED, owned)


def _share(observed: npt.NDArray[np.bool_], owned: npt.NDArray[np.bool_]) -> float:
    total = int(np.count_nonzero(owned))
    return float(np.count_nonzero(observed & owned)) / total if total else 0.0


def _frame(region: Region, year: int, collected: Mapping[str, _Collected]) -> gpd.GeoDataFrame:
    """Rows of `raw_polygons`: in EPSG:4326, clipped to the region, numbered by site."""
    parts = [
        gpd.GeoDataFrame(
            {"site_id": c.sites, "mean_probability": c.means},
            geometry=to_wgs84(c.polygons, crs),
            crs=WGS84,
        )
        for crs, c in sorted(collected.items())
        if c.polygons
    ]
    if not parts:
        return empty_table(RAW_POLYGONS)
    frame = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs=WGS84)
    frame = clip_to(frame.explode(index_parts=False), region.geometry)
    frame = frame.sort_values("site_id", kind="stable").reset_index(drop=True)
    number = frame.groupby("site_id").cumcount()
    frame["raw_id"] = [f"{s}-{year}-{n:05d}" for s, n in zip(frame["site_id"], number, strict=True)]
    frame["region"] = region.slug
    frame["year"] = year
    frame["area_km2"] = areas_km2(frame.geometry)
    return conform(frame, RAW_POLYGONS)


def clip_to(frame: gpd.GeoDataFrame, area: BaseGeometry) -> gpd.GeoDataFrame:
    """The frame's polygons inside an area, one row for each piece; polygons wholly inside stay untouched."""
    shapely.prepare(area)
    inside = shapely.covers(area, np.asarray(frame.geometry, dtype=object))
    if inside.all():
        return frame
    cut = frame.loc[~inside].copy()
    cut["geometry"] = [polygons_only(g.intersection(area)) for g in cut.geometry]
    cut = cut[cut.geometry.notna()].explode(index_parts=False)
    return gpd.GeoDataFrame(pd.concat([frame.loc[inside], cut]).sort_index(kind="stable"), crs=frame.crs)
