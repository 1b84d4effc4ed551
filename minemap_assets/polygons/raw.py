"""Raw polygons: the outlines of one year's masks in EPSG:4326, each ground point counted for one site.

No rule about which polygon is a mine is applied here (`mining.py`). What was observed and what was not is written
beside the outlines, so that the years around read it and never look at these masks again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.geo.antimeridian import to_wgs84
from minemap_assets.geo.raster import Raster, read_raster
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only, read_geoparquet
from minemap_assets.lake.manifests import Missing, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.chosen_threshold import ThresholdRule
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.preview import PREVIEW, polygon_sheet
from minemap_assets.polygons.schemas import (
    CLIPPED_GROUND,
    RAW_POLYGONS,
    SITE_OBSERVATION,
    UNOBSERVED_GROUND,
    TableSpec,
    conform,
    empty_table,
    write_table,
)
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell

NOT_OBSERVED = 255
"""Stored value of a mask pixel without an observation; others are probability x 254."""

INDEX = "index.parquet"


@dataclass(frozen=True, eq=False)
class MaskYear:
    """One region and year, vectorised, as the tables of a `raw_polygons` partition (`schemas.py`).

    `missing` are the sites without a readable mask.
    """

    polygons: gpd.GeoDataFrame
    observation: pd.DataFrame
    unobserved: gpd.GeoDataFrame
    clipped: gpd.GeoDataFrame
    missing: tuple[Missing, ...]

    def tables(self) -> tuple[tuple[TableSpec, pd.DataFrame], ...]:
        """Each table with its schema."""
        return (
            (RAW_POLYGONS, self.polygons),
            (SITE_OBSERVATION, self.observation),
            (UNOBSERVED_GROUND, self.unobserved),
            (CLIPPED_GROUND, self.clipped),
        )


@dataclass(eq=False)
class Gathered:
    """Outlines gathered site by site, each in the CRS of its site, with what is known of it."""

    polygons: list[BaseGeometry] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)

    def add(
        self, cell: SiteCell, polygons: npt.NDArray[np.object_], means: npt.NDArray[np.float64] | None = None
    ) -> None:
        """Outlines of one site, with the mean of something inside each."""
        values = np.zeros(len(polygons)) if means is None else means
        for polygon, mean in zip(cell.cut(polygons), values.tolist(), strict=True):
            if polygon is not None:
                self.polygons.append(polygon)
                self.sites.append(cell.site_id)
                self.means.append(mean)
                self.zones.append(cell.crs)

    def frame(self) -> gpd.GeoDataFrame:
        """[site_id, mean_probability, geometry (EPSG:4326)], simple polygons, by site."""
        zones = np.array(self.zones, dtype=object)
        local = np.array(self.polygons, dtype=object)
        degrees = np.empty(len(local), dtype=object)
        for zone in sorted(set(self.zones)):
            chosen = np.flatnonzero(zones == zone)
            degrees[chosen] = to_wgs84(list(local[chosen]), zone)
        columns = {"site_id": np.array(self.sites, dtype=object), "mean_probability": np.array(self.means, dtype=float)}
        frame = gpd.GeoDataFrame(columns, geometry=degrees, crs=WGS84)
        if (shapely.get_type_id(degrees) != shapely.GeometryType.POLYGON).any():
            frame = frame.explode(index_parts=False)
        return frame.sort_values("site_id", kind="stable", ignore_index=True)


def build_raw_polygons(
    region: Region,
    year: int,
    cells: Mapping[str, SiteCell],
    masks: Partition,
    thresholds: ThresholdRule,
    writer: PartitionWriter,
) -> Outcome:
    """Write the tables of `MaskYear.tables` as Parquet: outlines of the pixels each site owns, inside the region.

    Sites without a readable mask are reported as missing.
    """
    found = vectorise_year(region, year, cells, masks, thresholds)
    for spec, frame in found.tables():
        write_table(frame, spec, writer.path(spec.file))
        writer.add(spec.file)
    picture = polygon_sheet(found.polygons["geometry"].to_numpy(), cells)
    writer.write(PREVIEW, lambda path: path.write_bytes(picture))
    shares = found.observation["observed_share"].to_numpy(dtype=np.float64)
    summary = {
        "rows": len(found.polygons),
        "area_km2": round(float(found.polygons["area_km2"].sum()), 6),
        "clipped_km2": round(float(found.clipped["area_km2"].sum()), 6),
        "sites_expected": len(shares),
        "sites_observed": int(np.count_nonzero(shares > 0.0)),
        "covered_share": round(float(np.mean(shares)), 6) if len(shares) else None,
    }
    return Outcome(summary, found.missing)


def vectorise_year(
    region: Region, year: int, cells: Mapping[str, SiteCell], masks: Partition, thresholds: ThresholdRule
) -> MaskYear:
    """Outline all masks of a region and year. The same masks give the same rows."""
    facts = mask_facts(masks)
    reasons = {one.item: one.reason for one in masks.manifest.missing}
    mine, hidden = Gathered(), Gathered()
    rows: list[dict[str, Any]] = []
    missing: list[Missing] = []
    for cell in cells.values():
        row: dict[str, Any] = {"site_id": cell.site_id, "observed_share": 0.0, "window_share": 0.0}
        try:
            if cell.site_id not in facts:
                raise NotFoundError(reasons.get(cell.site_id, "it has no raw mask"))
            row |= _outlined(cell, masks, facts[cell.site_id], thresholds, mine, hidden)
        except (NotFoundError, UnreadableError) as error:
            missing.append(Missing(item=cell.site_id, reason=str(error), retry=False))
            row["not_observed_reason"] = str(error)
            hidden.add(cell, np.asarray(shapely.get_parts(cell.ground), dtype=object))
        rows.append(row)
    polygons, clipped = _in_region(mine.frame(), region, year)
    observation = pd.DataFrame(rows, columns=list(SITE_OBSERVATION.names)).assign(region=region.slug, year=year)
    unobserved = by_site(hidden.frame(), UNOBSERVED_GROUND, region, year)
    return MaskYear(polygons, conform(observation, SITE_OBSERVATION), unobserved, clipped, tuple(missing))


class UnreadableError(Exception):
    """A mask that cannot be read: the site waits for a new one."""


def mask_facts(masks: Partition) -> dict[str, dict[str, Any]]:
    """The row of each site in the index of a `raw_masks` partition."""
    rows = read_geoparquet(masks.file(INDEX)).sort_values("site_id").to_dict("records")
    return {str(row["site_id"]): {str(name): value for name, value in row.items()} for row in rows}


def read_mask(masks: Partition, file: str) -> Raster:
    """A mask as a raster. Raises `UnreadableError` where it is damaged, `NotFoundError` where it is gone."""
    try:
        return read_raster(masks.file(file))
    except BadInputError as error:
        raise UnreadableError(str(error)) from error


def _outlined(
    cell: SiteCell,
    masks: Partition,
    facts: Mapping[str, Any],
    thresholds: ThresholdRule,
    mine: Gathered,
    hidden: Gathered,
) -> dict[str, Any]:
    """Outline one mask into `mine` and what it does not show into `hidden`; returns what `site_observation` says."""
    product = str(facts["product"])
    model = str(facts["model_version"])
    threshold = thresholds.of(product, str(facts["operating_point"]), float(facts["threshold"]), model)
    raster = read_mask(masks, str(facts["file"]))
    stored = raster.pixels[0]
    met, unseen = cell.met(raster.grid), stored == NOT_OBSERVED
    found = outline(_lookup(threshold)[stored] & met, raster.grid, stored.astype(np.float32))
    mine.add(cell, found.polygons, found.means / 254.0)
    if unseen.any():
        hidden.add(cell, outline(unseen & met, raster.grid).polygons)
    owned = cell.owned(raster.grid) if cell.foreign else met
    share = _share(~unseen, owned)
    return {
        "observed_share": share,
        "window_share": float(facts["observed_fraction"]),
        "threshold": threshold,
        "product": product,
        "model_version": model,
        "not_observed_reason": None if share > 0.0 else "no pixel of its own ground was observed",
    }


def _lookup(threshold: float) -> npt.NDArray[np.bool_]:
    """For each stored value 0..255, whether it is mine."""
    table = np.arange(256) / 254.0 >= threshold
    table[NOT_OBSERVED] = False
    return np.asarray(table, dtype=bool)


def _share(observed: npt.NDArray[np.bool_], owned: npt.NDArray[np.bool_]) -> float:
    total = int(np.count_nonzero(owned))
    return float(np.count_nonzero(observed & owned)) / total if total else 0.0


def _in_region(frame: gpd.GeoDataFrame, region: Region, year: int) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Rows of `raw_polygons`, numbered by site, and of `clipped_ground`."""
    kept, beyond = clip_to(frame, region.geometry)
    if not len(kept):
        return empty_table(RAW_POLYGONS), by_site(beyond, CLIPPED_GROUND, region, year)
    number = kept.groupby("site_id").cumcount()
    kept["raw_id"] = [f"{s}-{year}-{n:05d}" for s, n in zip(kept["site_id"], number, strict=True)]
    kept["region"] = region.slug
    kept["year"] = year
    kept["area_km2"] = areas_km2(kept.geometry)
    return conform(kept, RAW_POLYGONS), by_site(beyond, CLIPPED_GROUND, region, year)


def clip_to(frame: gpd.GeoDataFrame, area: BaseGeometry) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """The frame's polygons inside an area and beyond it, one row for each piece; those wholly inside stay untouched."""
    shapely.prepare(area)
    geometries = np.asarray(frame.geometry, dtype=object)
    inside = shapely.covers(area, geometries)
    if inside.all():
        return frame, frame.iloc[:0]
    crossing = frame.loc[~inside]
    cut = _pieces(crossing, lambda shapes: shapely.intersection(shapes, area))
    beyond = _pieces(crossing, lambda shapes: shapely.difference(shapes, area))
    kept = gpd.GeoDataFrame(pd.concat([frame.loc[inside], cut]).sort_index(kind="stable"), crs=frame.crs)
    return kept.reset_index(drop=True), beyond.reset_index(drop=True)


def _pieces(frame: gpd.GeoDataFrame, part: Callable[[npt.NDArray[np.object_]], Any]) -> gpd.GeoDataFrame:
    shapes = part(np.asarray(frame.geometry, dtype=object))
    made = frame.set_geometry(gpd.GeoSeries([polygons_only(s) for s in shapes], index=frame.index, crs=frame.crs))
    return made[made.geometry.notna()].explode(index_parts=False)


def by_site(frame: gpd.GeoDataFrame, spec: TableSpec, region: Region, year: int) -> gpd.GeoDataFrame:
    """Polygons of a site as one row of a table with site_id, region, year, geometry, and area_km2 where it has one."""
    if not len(frame):
        return empty_table(spec)
    groups = frame.groupby("site_id", sort=True).geometry
    shapes = [polygons_only(shapely.multipolygons(list(group))) for _, group in groups]
    table = gpd.GeoDataFrame({"site_id": [str(site) for site, _ in groups]}, geometry=shapes, crs=WGS84)
    return conform(table.assign(region=region.slug, year=year, area_km2=areas_km2(table.geometry)), spec)
