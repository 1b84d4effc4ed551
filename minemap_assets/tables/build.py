"""Building the yearly tables: rows to Parquet files, and what to tell people about them.

`verdict` is what the model behind the areas is worth, as every row says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd

from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import TableSpec, stack, write_table
from minemap_assets.tables import summaries
from minemap_assets.tables.parts import RegionPart, by_slug
from minemap_assets.tables.schemas import (
    ALL_REGIONS,
    COUNTRY_SUMMARY,
    IMAGERY_CLARITY,
    POLYGON_COUNTRY_AREA,
    POLYGONS,
    REGION_SUMMARY,
    SITE_PANEL,
)


def build_polygons(year: int, parts: Sequence[RegionPart], writer: PartitionWriter, verdict: str) -> Outcome:
    """Write `polygons.parquet` and `polygon_country_area.parquet`: all regions of a year below each other."""
    made = [part.mining for part in by_slug(parts) if part.mining is not None]
    polygons = stack([m.polygons.assign(model_verdict=verdict) for m in made], POLYGONS)
    areas = stack([m.country_areas for m in made], POLYGON_COUNTRY_AREA)
    _write(areas, POLYGON_COUNTRY_AREA, writer)
    return _written(polygons, POLYGONS, writer, year, parts, area_km2=_total(polygons["area_km2"]))


def build_site_panel(
    year: int,
    parts: Sequence[RegionPart],
    boundaries: gpd.GeoDataFrame,
    writer: PartitionWriter,
    verdict: str,
    border_tolerance_km: float = 5.0,
) -> Outcome:
    """Write `site_panel.parquet`: a row for every site."""
    panel = summaries.site_panel(year, parts, Borders(boundaries, border_tolerance_km), verdict)
    seen = int((panel["observed_share"] > 0.0).sum())
    area = _total(panel["area_km2"])
    return _written(panel, SITE_PANEL, writer, year, parts, sites_observed=seen, area_km2=area)


def build_country_summary(
    year: int,
    parts: Sequence[RegionPart],
    boundaries: gpd.GeoDataFrame,
    writer: PartitionWriter,
    verdict: str,
    border_tolerance_km: float = 5.0,
) -> Outcome:
    """Write `country_summary.parquet`."""
    frame = summaries.country_summary(year, parts, boundaries, verdict, border_tolerance_km)
    rows = frame.dropna(subset=["area_km2"]).sort_values(["area_km2", "iso3"], ascending=[False, True]).head(10)
    largest = [
        {"country": str(name), "area_km2": round(float(area), 3), "polygons": int(count)}
        for name, area, count in zip(rows["name"], rows["area_km2"], rows["polygons"], strict=True)
    ]
    area_km2 = _total(frame["area_km2"])
    return _written(frame, COUNTRY_SUMMARY, writer, year, parts, area_km2=area_km2, largest=largest)


def build_region_summary(year: int, parts: Sequence[RegionPart], writer: PartitionWriter, verdict: str) -> Outcome:
    """Write `region_summary.parquet`."""
    return _written(summaries.region_summary(year, parts, verdict), REGION_SUMMARY, writer, year, parts)


def build_imagery_clarity(year: int, indexes: Mapping[str, pd.DataFrame], writer: PartitionWriter) -> Outcome:
    """Write `imagery_clarity.parquet` from the imagery indexes of a year by region."""
    frame = summaries.imagery_clarity(year, indexes)
    _write(frame, IMAGERY_CLARITY, writer)
    columns = ["product", "mean", "clear_count_mean", "largest_gap_ha", "largest_gap_days"]
    overall = frame.loc[frame["region"] == ALL_REGIONS, columns].round(4).astype(object)
    clarity = overall.where(overall.notna(), None).to_dict("records")
    return Outcome({"rows": len(frame), "year": year, "clarity": clarity})


def _write(frame: pd.DataFrame, spec: TableSpec, writer: PartitionWriter) -> None:
    writer.write(spec.file, lambda path: write_table(frame, spec, path))


def _total(values: "pd.Series[float]") -> float:
    return round(float(values.sum()), 6)


def _written(
    frame: pd.DataFrame, spec: TableSpec, writer: PartitionWriter, year: int, parts: Sequence[RegionPart], **facts: Any
) -> Outcome:
    """Write a table, and say besides which regions were expected, and which of them were not made."""
    _write(frame, spec, writer)
    absent = [part.region.slug for part in by_slug(parts) if part.mining is None]
    expected = {"year": year, "regions_expected": len(parts), "regions_missing": absent}
    return Outcome({"rows": len(frame), **facts, **expected})
