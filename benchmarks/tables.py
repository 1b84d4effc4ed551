"""The tables of 9 years and 150,000 polygons, and the DuckDB file, beside the plain way of making them.

Run: `python benchmarks/tables.py [polygons a year] [regions]`. Polygons, sites, areas and ground lie in files as the
lake holds them; both ways read them and write Parquet, and the same database is built from either. Prints one JSON
object, seconds of processor time and the ratio of the two; exits with 1 where ours takes longer than the limit, or
where the areas of the two differ.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from polygons_vector import countries
from support.plain_tables import make_tables

from minemap_assets.geo.vector import WGS84, areas_km2, read_geoparquet, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.polygons import schemas as upstream
from minemap_assets.polygons.countries import Borders, largest_share
from minemap_assets.polygons.schemas import TableSpec, empty_table, read_table, write_table
from minemap_assets.project.regions import Region
from minemap_assets.tables.build import build_country_summary, build_polygons, build_region_summary, build_site_panel
from minemap_assets.tables.change import build_change_grid
from minemap_assets.tables.database import build_database
from minemap_assets.tables.parts import RegionPart, read_part
from minemap_assets.tables.schemas import SITE_GRID, SITE_PANEL

Made = dict[tuple[str, ...], Partition]
"""Sites by region, and mining polygons by region and year."""

YEARS = range(2016, 2025)
LIMIT_S = 30.0
VERTICES = 70
WEST, SOUTH, EAST, NORTH = -5.9, -0.4, 0.9, 9.4
"""Ground of the polygons, which the checkerboard of countries covers."""


def regions_of(count: int) -> list[Region]:
    """Strips that meet."""
    sides = np.linspace(WEST, EAST, count + 1)
    boxes = [shapely.box(sides[n], SOUTH, sides[n + 1], NORTH) for n in range(count)]
    return [Region(f"r{n:03}", f"r{n:03}", box) for n, box in enumerate(boxes)]


def sites_of(region: Region, count: int, seed: int) -> gpd.GeoDataFrame:
    """Windows of about 2 km that do not overlap."""
    rng = np.random.default_rng(seed)
    west, south, east, north = region.geometry.bounds
    columns = max(1, int((east - west) / 0.03))
    rows = max(count // columns + 1, int((north - south) / 0.03))
    places = rng.permutation(columns * rows)[:count]
    x = west + (places % columns + 0.5) * (east - west) / columns
    y = south + (places // columns + 0.5) * (north - south) / rows
    ids = [f"{region.slug}-{n:06}" for n in range(count)]
    return gpd.GeoDataFrame(
        {"site_id": ids, "longitude": x, "latitude": y}, geometry=shapely.box(x - 0.01, y - 0.01, x + 0.01, y + 0.01)
    ).set_crs(WGS84)


def mines(sites: gpd.GeoDataFrame, seed: int) -> np.ndarray:
    """A blob of 70 vertices around each site's centre."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radius = rng.uniform(0.0005, 0.002, (len(sites), 1)) * (1 + 0.2 * rng.random((len(sites), VERTICES)))
    middle = sites[["longitude", "latitude"]].to_numpy()
    return shapely.polygons(middle[:, None] + radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1))


def mining_frames(
    region: Region, year: int, sites: gpd.GeoDataFrame, borders: Borders
) -> list[tuple[TableSpec, pd.DataFrame]]:
    """The tables of a mining_polygons partition."""
    shapes = mines(sites, year)
    area = areas_km2(gpd.GeoSeries(shapes, crs=WGS84))
    split = borders.split(shapes)
    ids = np.array([f"{region.slug}-{year}-{n:06}" for n in range(len(shapes))], dtype=object)
    common = {"region": region.slug, "year": year, "status": "final", "product": "planet-nicfi"}
    rows = pd.DataFrame(dict.fromkeys(upstream.MINING_POLYGONS.names, "x"), index=range(len(shapes))).assign(**common)
    rows = rows.assign(polygon_id=ids, area_km2=area, mean_probability=0.8, clear_fraction=0.9, geometry=shapes)
    rows["country_iso3"] = largest_share(split, len(rows))
    for name, values in (("site_ids", sites["site_id"]), ("sources", "archive"), ("acquisitions", "mosaic")):
        rows[name] = [[value] for value in ([values] * len(rows) if isinstance(values, str) else values)]
    number = split["polygon"].to_numpy(dtype=np.int64)
    areas = pd.DataFrame({"polygon_id": ids[number], "iso3": split["iso3"], "area_km2": split["share"] * area[number]})
    panel = pd.DataFrame(
        {"site_id": sites["site_id"], "observed_share": 1.0, "area_km2": area, "uncorrected_km2": area}
    )
    panel = panel.assign(**common, not_observed_reason=None)
    frames = ((upstream.MINING_POLYGONS, rows), (upstream.POLYGON_COUNTRY_AREA, areas), (upstream.SITE_AREA, panel))
    nothing = [(spec, empty_table(spec)) for spec in (upstream.UNOBSERVED_GROUND, upstream.CLIPPED_GROUND)]
    return [*frames, *nothing]


def publish(lake: Lake, asset: str, keys: tuple[str, ...], build: Callable[[PartitionWriter], Outcome]) -> Partition:
    """One partition."""
    ref = PartitionRef("tables", asset, keys)
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build)
    return lake.open(ref)


def written(frames: list[tuple[str, Callable[[Path], object]]]) -> Callable[[PartitionWriter], Outcome]:
    """A build that writes some files."""

    def build(writer: PartitionWriter) -> Outcome:
        for name, write in frames:
            writer.write(name, write)
        return Outcome()

    return build


def generate(lake: Lake, regions: list[Region], polygons: int, borders: Borders) -> Made:
    """Sites and mining polygons of every region and year."""
    made: Made = {}
    for seed, region in enumerate(regions):
        sites = sites_of(region, polygons // len(regions), seed)
        names = ("sites.parquet", "owned_ground.parquet")
        files = [(name, lambda path, f=sites: write_geoparquet(f, path)) for name in names]
        made[region.slug,] = publish(lake, "sites", (region.slug,), written(files))
        for year in YEARS:
            frames = mining_frames(region, year, sites, borders)
            files = [(s.file, lambda path, s=s, f=f: write_table(f, s, path)) for s, f in frames]
            made[region.slug, str(year)] = publish(lake, "mining", (region.slug, str(year)), written(files))
    return made


def tables_of(year: int, lake: Lake, regions: list[Region], made: Made, boundaries: Path) -> dict[str, Partition]:
    """The tables of a year."""

    def parts() -> list[RegionPart]:
        some = ((r, made[r.slug,], made[r.slug, str(year)]) for r in regions)
        return [read_part(region, sites, sites, mining) for region, sites, mining in some]

    def borders() -> Borders:
        return Borders(read_geoparquet(boundaries))

    keys, mark = (str(year),), "weak"
    named = pd.read_parquet(boundaries, columns=["iso3", "name", "continent", "sovereign_iso3", "sovereign_name"])
    panel = publish(lake, "site_panel", keys, lambda w: build_site_panel(year, parts(), borders(), w, mark))
    rows = read_table(panel.file(SITE_PANEL.file), SITE_PANEL)
    builds: dict[str, Callable[[PartitionWriter], Outcome]] = {
        "polygons": lambda w: build_polygons(year, parts(), w, mark),
        "country_summary": lambda w: build_country_summary(year, parts(), rows, named, w, mark, borders),
        "region_summary": lambda w: build_region_summary(year, parts(), w, mark),
    }
    return {name: publish(lake, name, keys, build) for name, build in builds.items()} | {"site_panel": panel}


def ours(lake: Lake, regions: list[Region], made: Made, boundaries: Path) -> dict[str, list[Partition]]:
    """Every table of every year, and the change grid."""
    years = [tables_of(year, lake, regions, made, boundaries) for year in YEARS]
    found = {name: [tables[name] for tables in years] for name in years[0]}
    panels, grids = ([p.file(spec.file) for p in found["site_panel"]] for spec in (SITE_PANEL, SITE_GRID))
    found["change_grid"] = [publish(lake, "change_grid", (), lambda w: build_change_grid(panels, grids, w))]
    return found


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time, of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main(polygons: int, count: int) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lake, regions, boundaries = (
            Lake.local(root / "home", root / "state"),
            regions_of(count),
            root / "boundaries.parquet",
        )
        frame = countries().assign(sovereign_iso3=lambda f: f["iso3"], sovereign_name=lambda f: f["name"])
        write_geoparquet(frame, boundaries)
        made = generate(lake, regions, polygons, Borders(frame))
        found: dict[str, list[Partition]] = {}
        tables = timed(lambda: found.update(ours(lake, regions, made, boundaries)))
        files = {
            Path(name).stem: [p.file(name) for p in partitions]
            for partitions in found.values()
            for name in partitions[0].names()
            if name.endswith(".parquet")
        }
        database = timed(lambda: build_database(files, root / "ours.duckdb"))
        sites = {r.slug: made[r.slug,].file("sites.parquet").parent for r in regions}
        plain = timed(
            lambda: [
                make_tables(
                    year,
                    {r.slug: made[r.slug, str(year)].file("site_area.parquet").parent for r in regions},
                    sites,
                    read_geoparquet(boundaries),
                    root / f"plain-{year}",
                )
                for year in YEARS
            ]
        )
        names = [f"plain-{year}/country_summary.parquet" for year in YEARS]
        theirs = [pd.read_parquet(root / name)["area_km2"].sum() for name in names]
        mapped = [pd.read_parquet(path)["area_km2"].sum() for path in files["country_summary"]]
        same = bool(np.allclose(theirs, mapped, rtol=1e-9))
        told = {
            "polygons": polygons * len(YEARS),
            "regions": count,
            "tables_s": round(tables, 2),
            "database_s": round(database, 2),
            "plain_tables_s": round(plain, 2),
            "same_areas": same,
            "ratio_to_plain": round(plain / tables, 2),
            "limit_s": LIMIT_S,
        }
        print(json.dumps(told, indent=1))
        return int(tables + database > LIMIT_S or not same)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(arguments + [16_700, 20][len(arguments) :])))
