"""A lake with the published tables of a large project: what the map is made from, without anything before it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from dagster_project.registry import Registry
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns, utm_epsg
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons.assets import SITE_HISTORY
from minemap_assets.polygons.history_schemas import SITE_HISTORY as HISTORY_TABLE
from minemap_assets.polygons.schemas import TableSpec, write_table
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES
from minemap_assets.sites.assets import SITES
from minemap_assets.tables import schemas
from minemap_assets.tables.assets import COUNTRY_SUMMARY, POLYGON_TABLE, REGION_SUMMARY, SITE_PANEL
from support.mining_districts import YEARS, mining_districts

REGIONS = 40
UNSEEN = 0.1
"""Share of the years of sites that were not observed, of those that show no mine."""

_COLUMNS, _ROWS = 20, 12
_WEST, _SOUTH, _EAST, _NORTH = -170.0, -60.0, 170.0, 78.0

Inputs = dict[PartitionRef, tuple[Asset, Partition]]


def world_of_countries() -> gpd.GeoDataFrame:
    """240 countries whose borders wriggle: as many corners as the world's at 1:10 million have once simplified."""
    wide, high = (_EAST - _WEST) / _COLUMNS, (_NORTH - _SOUTH) / _ROWS
    step = np.linspace(0.0, 1.0, 200)
    wriggle = 0.03 * np.sin(38.0 * np.pi * step) + 0.08 * np.sin(4.0 * np.pi * step)
    shapes = []
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            x, y = _WEST + column * wide, _SOUTH + row * high
            south = np.column_stack([x + step * wide, y + wriggle * high])
            west = np.column_stack([x + wriggle * wide, y + step * high])
            north, east = south + np.array([0.0, high]), west + np.array([wide, 0.0])
            shapes.append(shapely.Polygon(np.concatenate([south, east[1:], north[-2::-1], west[-2::-1]])))
    codes = [_code(number) for number in range(len(shapes))]
    return gpd.GeoDataFrame({"iso3": codes, "name": codes, "continent": ""}, geometry=shapes, crs=WGS84)


def _code(number: int) -> str:
    return f"X{chr(65 + number // 26)}{chr(65 + number % 26)}"


def published_lake(folder: Path, polygons: int) -> tuple[ProjectHome, Inputs]:
    """A project in a folder whose tables hold about so many polygons, one site with a window for each mine."""
    home = ProjectHome.at(str(folder / "lake"), folder / "state", Registry().parts())
    outlines = mining_districts(polygons)
    sites = _sites(outlines)
    bounds = sites.groupby("region")[["longitude", "latitude"]].agg(["min", "max"])
    boxes = [
        (str(slug), shapely.box(row.iloc[0], row.iloc[2], row.iloc[1], row.iloc[3])) for slug, row in bounds.iterrows()
    ]
    regions = [Region(slug, f"Region {slug[-2:]}", box.buffer(0.05)) for slug, box in boxes]
    home.lake.store.write_bytes(REGIONS_PATH, write_regions(regions))
    outlines = _placed(outlines, sites)
    panel = _panel(outlines, sites)
    made: Inputs = {}

    def put(asset: Asset, keys: tuple[str, ...], name: str, write: Callable[[Path], object]) -> None:
        ref = asset.ref(keys)
        made[ref] = (asset, _published(home.lake, ref, name, write))

    put(COUNTRY_BOUNDARIES, (), "boundaries.parquet", lambda path: write_geoparquet(world_of_countries(), path))
    yearly = {
        (POLYGON_TABLE, schemas.POLYGONS): outlines,
        (SITE_PANEL, schemas.SITE_PANEL): panel,
        (COUNTRY_SUMMARY, schemas.COUNTRY_SUMMARY): _summary(panel, "country_iso3", "iso3"),
        (REGION_SUMMARY, schemas.REGION_SUMMARY): _summary(panel, "region", "region"),
    }
    for (asset, spec), frame in yearly.items():
        for year in YEARS:
            rows = filled(frame[frame["year"] == year], spec)
            put(asset, (str(year),), spec.file, lambda path, rows=rows, spec=spec: write_table(rows, spec, path))
    history = filled(_history(outlines), HISTORY_TABLE)
    for slug, own in sites.groupby("region"):
        mines = history[history["region"] == slug]
        put(SITES, (str(slug),), "sites.parquet", lambda path, own=own: write_geoparquet(own, path))
        put(SITE_HISTORY, (str(slug),), HISTORY_TABLE.file, lambda path, m=mines: write_table(m, HISTORY_TABLE, path))
    return home, made


def context_of(home: ProjectHome, asset: Asset, made: Inputs, writer: PartitionWriter) -> BuildContext:
    """What the asset is built with where these inputs are all that exists."""
    partitions = {ref: partition for ref, (_, partition) in made.items()}
    upstream = {ref: one for ref, (one, _) in made.items()}
    return BuildContext(home.open(), asset.ref(), partitions, upstream, writer)


def filled(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """The frame with the columns of a table that it lacks: null where that may be, else empty or zero."""
    nothing: Mapping[str, Any] = {"string": "", "int32": 0, "float64": 0.0, "bool": False}
    absent: dict[str, Any] = {}
    for column in spec.columns:
        if column.name not in frame:
            lists = column.type.startswith("list")
            absent[column.name] = [[] for _ in range(len(frame))] if lists else nothing[column.type]
            if column.nullable:
                absent[column.name] = None
    return frame.assign(**absent)


def _published(lake: Lake, ref: PartitionRef, name: str, write: Callable[[Path], object]) -> Partition:
    def build(writer: PartitionWriter) -> Outcome:
        writer.write(name, write)
        return Outcome()

    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def _sites(outlines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A site for each mine, with a window around its last outline of 256 pixels of 5 m at least."""
    last = outlines.assign(site_id=[ids[0] for ids in outlines["site_ids"]]).drop_duplicates("site_id", keep="last")
    middle = shapely.get_coordinates(shapely.centroid(np.asarray(last.geometry)))
    zones = np.array([utm_epsg(x, y) for x, y in middle])
    grids: list[Any] = [None] * len(last)
    pixels = np.maximum(256, (np.sqrt(last["area_km2"].to_numpy()) * 320.0).astype(int) // 2 * 2)
    for zone in np.unique(zones).tolist():
        rows = np.flatnonzero(zones == zone)
        xs, ys = pyproj.Transformer.from_crs(WGS84, zone, always_xy=True).transform(*middle[rows].T)
        for row, x, y in zip(rows.tolist(), xs, ys, strict=True):
            grids[row] = square_grid(x, y, int(pixels[row]), zone)
    strips = pd.qcut(middle[:, 0], REGIONS, labels=False, duplicates="drop")
    frame = pd.DataFrame([asdict(to_columns(grid)) for grid in grids]).assign(
        site_id=last["site_id"].to_numpy(),
        region=[f"region-{strip:02}" for strip in strips],
        longitude=middle[:, 0],
        latitude=middle[:, 1],
        country_iso3=_country(middle),
    )
    return gpd.GeoDataFrame(frame, geometry=[footprint_wgs84(grid) for grid in grids], crs=WGS84)


def _country(middle: np.ndarray) -> list[str]:
    """The country of each place, by the grid that borders wriggle around."""
    columns = ((middle[:, 0] - _WEST) / (_EAST - _WEST) * _COLUMNS).astype(int)
    rows = ((middle[:, 1] - _SOUTH) / (_NORTH - _SOUTH) * _ROWS).astype(int)
    return [_code(row * _COLUMNS + column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)]


def _placed(outlines: gpd.GeoDataFrame, sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Outlines with the region and country of their site."""
    known = sites.set_index("site_id")[["region", "country_iso3"]].loc[[ids[0] for ids in outlines["site_ids"]]]
    facts = {"operating_point": "match_area", "temporal_rule": "chain", "product": "planet-nicfi", "model_version": "m"}
    named = {name: known[name].to_numpy() for name in known}
    return gpd.GeoDataFrame(outlines.assign(**named, **facts), geometry="geometry", crs=WGS84)


def _panel(outlines: gpd.GeoDataFrame, sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """A row for each site and year: what was not observed has no area."""
    keys = pd.MultiIndex.from_product([sites["site_id"], YEARS], names=["site_id", "year"])
    site = pd.Series([ids[0] for ids in outlines["site_ids"]], name="site_id")
    area = outlines["area_km2"].groupby([site.to_numpy(), outlines["year"].to_numpy()]).sum().reindex(keys).fillna(0.0)
    facts = sites.drop(columns="geometry").set_index("site_id")[["region", "country_iso3", "longitude", "latitude"]]
    panel = pd.DataFrame({"area_km2": area.to_numpy()}, index=keys).reset_index().join(facts, on="site_id")
    unseen = np.random.default_rng(1).random(len(panel)) < UNSEEN
    unseen &= panel["area_km2"].to_numpy() == 0.0
    status = np.where(panel["year"] < YEARS[-2], "final", "provisional")
    seen = {"observed_share": np.where(unseen, 0.0, 0.97), "not_observed_reason": np.where(unseen, "cloud", None)}
    areas = panel["area_km2"].where(~unseen)
    return panel.assign(**seen, area_km2=areas, uncorrected_km2=areas, status=status, product="planet-nicfi")


def _summary(panel: pd.DataFrame, by: str, name: str) -> pd.DataFrame:
    grouped = panel.groupby([by, "year"])
    counts = {"sites_expected": ("site_id", "size"), "sites_observed": ("area_km2", "count")}
    sums = grouped.agg(
        **counts, area_km2=("area_km2", "sum"), covered_share=("observed_share", "mean"), status=("status", "first")
    )
    rows = sums.reset_index().rename(columns={by: name})
    return rows.assign(polygons=rows["sites_observed"], name=rows[name])


def _history(outlines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A mine for each site: the ground of its largest year."""
    site = [ids[0] for ids in outlines["site_ids"]]
    rows = outlines.assign(mine_id=site).sort_values("area_km2", kind="stable").drop_duplicates("mine_id", keep="last")
    facts = {
        "first_year_low": None,
        "first_year_high": rows["first_year"],
        "last_year": YEARS[-1],
        "still_visible": True,
    }
    return rows.assign(**facts, ever_mined_km2=rows["area_km2"], first_year_posterior=0.9, last_year_posterior=0.9)
