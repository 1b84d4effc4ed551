"""The yearly tables the plain way: every table reads every region's files whole, geometry included.

Regions do not overlap here, and no mine crosses their borders: what the tables have to do where they do is not asked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from minemap_assets.geo.vector import write_geoparquet, write_parquet
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import MINING_POLYGONS, POLYGON_COUNTRY_AREA, SITE_AREA, read_table, stack

Folders = Mapping[str, Path]
"""The files of a region's mining polygons, by slug."""


def make_tables(year: int, folders: Folders, sites: Folders, boundaries: gpd.GeoDataFrame, target: Path) -> None:
    """Write polygons, polygon_country_area, site_panel, country_summary and region_summary of one year."""
    target.mkdir(parents=True)
    _polygons(_read(folders), target)
    _panel(_read(folders), sites, Borders(boundaries)).to_parquet(target / "site_panel.parquet")
    _countries(_read(folders), sites, boundaries).to_parquet(target / "country_summary.parquet")
    _regions(_read(folders)).assign(year=year).to_parquet(target / "region_summary.parquet")


def _read(folders: Folders) -> list[tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]]:
    specs = (MINING_POLYGONS, POLYGON_COUNTRY_AREA, SITE_AREA)
    return [tuple(read_table(folder / s.file, s) for s in specs) for _, folder in sorted(folders.items())]


def _polygons(parts: Sequence[tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]], target: Path) -> None:
    write_geoparquet(stack([p for p, _, _ in parts], MINING_POLYGONS), target / "polygons.parquet")
    write_parquet(stack([a for _, a, _ in parts], POLYGON_COUNTRY_AREA), target / "polygon_country_area.parquet")


def _panel(
    parts: Sequence[tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]], sites: Folders, borders: Borders
) -> pd.DataFrame:
    places = pd.concat([gpd.read_parquet(folder / "sites.parquet") for _, folder in sorted(sites.items())])
    panel = pd.concat([s for _, _, s in parts]).merge(places[["site_id", "longitude", "latitude"]], on="site_id")
    points = shapely.points(panel["longitude"], panel["latitude"])
    return panel.assign(country_iso3=borders.of_points(points)).sort_values("site_id")


def _countries(
    parts: Sequence[tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]], sites: Folders, boundaries: gpd.GeoDataFrame
) -> pd.DataFrame:
    panel = _panel(parts, sites, Borders(boundaries))
    areas = pd.concat([a for _, a, _ in parts]).groupby("iso3")["area_km2"].sum()
    polygons = pd.concat([p for p, _, _ in parts]).groupby("country_iso3")["area_km2"].agg(["count", "mean"])
    seen = panel.groupby("country_iso3")["observed_share"].agg(["count", "mean"]).add_prefix("sites_")
    return pd.concat([areas, polygons, seen], axis=1).rename_axis("iso3").reset_index()


def _regions(parts: Sequence[tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    rows = [(p["region"].iloc[0], len(p), p["area_km2"].sum(), len(s), s["observed_share"].mean()) for p, _, s in parts]
    return pd.DataFrame(rows, columns=["region", "polygons", "area_km2", "sites_expected", "covered_share"])
