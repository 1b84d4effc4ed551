"""Building the yearly tables: rows to Parquet files, and what to tell people about them.

`verdict` is what the model behind the areas is worth, as every row says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import TableSpec, write_table
from minemap_assets.tables import summaries
from minemap_assets.tables.counted import count_regions
from minemap_assets.tables.panel import site_grid, site_panel
from minemap_assets.tables.parts import RegionPart, by_slug
from minemap_assets.tables.schemas import (
    ALL_REGIONS,
    COUNTRY_SUMMARY,
    IMAGERY_CLARITY,
    POLYGON_COUNTRY_AREA,
    POLYGONS,
    REGION_SUMMARY,
    SITE_GRID,
    SITE_PANEL,
)
from minemap_assets.tables.stacking import stack_files


def build_polygons(year: int, parts: Sequence[RegionPart], writer: PartitionWriter, verdict: str) -> Outcome:
    """Write `polygons.parquet` and `polygon_country_area.parquet`: all regions of a year below each other."""
    made = [part.mining for part in by_slug(parts) if part.mining is not None]
    polygons = stack_files([m.path for m in made], POLYGONS, writer.path(POLYGONS.file), {"model_verdict": verdict})
    splits = [m.country_areas_path for m in made]
    stack_files(splits, POLYGON_COUNTRY_AREA, writer.path(POLYGON_COUNTRY_AREA.file))
    for spec in (POLYGONS, POLYGON_COUNTRY_AREA):
        writer.add(spec.file)
    return _told(len(polygons), year, parts, area_km2=_total(polygons.column("area_km2").to_pandas()))


def build_site_panel(
    year: int, parts: Sequence[RegionPart], borders: Borders, writer: PartitionWriter, verdict: str
) -> Outcome:
    """Write `site_panel.parquet`, a row for every site, and `site_grid.parquet`, its areas by cell of the grid."""
    counted = count_regions(parts)
    panel = site_panel(year, parts, borders, verdict, counted)
    _write(panel, SITE_PANEL, writer)
    _write(site_grid(year, counted, panel), SITE_GRID, writer)
    seen = int((panel["observed_share"] > 0.0).sum())
    facts = {"sites_observed": seen, "area_km2": _total(panel["area_km2"]), "clipped_km2": _total(panel["clipped_km2"])}
    return _told(len(panel), year, parts, **facts)


def build_country_summary(
    year: int,
    parts: Sequence[RegionPart],
    panel: pd.DataFrame,
    countries: pd.DataFrame,
    writer: PartitionWriter,
    verdict: str,
    borders: Callable[[], Borders],
) -> Outcome:
    """Write `country_summary.parquet`."""
    frame = summaries.country_summary(year, parts, panel, countries, verdict, borders)
    _write(frame, COUNTRY_SUMMARY, writer)
    rows = frame.dropna(subset=["area_km2"]).sort_values(["area_km2", "iso3"], ascending=[False, True]).head(10)
    largest = [
        {"country": str(name), "area_km2": round(float(area), 3), "polygons": int(count)}
        for name, area, count in zip(rows["name"], rows["area_km2"], rows["polygons"], strict=True)
    ]
    return _told(len(frame), year, parts, area_km2=_total(frame["area_km2"]), largest=largest)


def build_region_summary(year: int, parts: Sequence[RegionPart], writer: PartitionWriter, verdict: str) -> Outcome:
    """Write `region_summary.parquet`."""
    frame = summaries.region_summary(year, parts, verdict)
    _write(frame, REGION_SUMMARY, writer)
    return _told(len(frame), year, parts)


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


def _told(rows: int, year: int, parts: Sequence[RegionPart], **facts: Any) -> Outcome:
    """What a table holds, and besides which regions were expected, and which of them were not made."""
    absent = [part.region.slug for part in by_slug(parts) if part.mining is None]
    expected = {"year": year, "regions_expected": len(parts), "regions_missing": absent}
    return Outcome({"rows": rows, **facts, **expected})
