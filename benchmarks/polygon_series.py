"""Polygons made elsewhere, from reading to written tables, against the published rule in plain geopandas.

Run: `MINEMAP_TEST_DATA=... python benchmarks/polygon_series.py [polygons a year]...`; the folder holds
`p0017-paper-demo-polygons` and `natural-earth`. Real outlines are put to many places of the tropics, where they grow,
drift by some 20 m, drop out in 12 % of the years and overlap a neighbour in a quarter of the cases; 9 years are written
to one GeoPackage. For each number (16,700 a year is the paper's) two processes do the same steps: temporal rule, merge,
holes, countries, areas, writing. With several numbers the plain side runs for the first one only, and times and memory
of ours show how they grow; `--ours` leaves the plain side out. `--countries 10m` takes the finer borders. Prints one
JSON object; seconds are of processor time, and ratios come from one run.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from support.plain_postprocessing import postprocess_plainly
from support.polygon_years import local_outlines, write_years

from minemap_assets.geo.vector import WGS84, read_geoparquet, write_geoparquet
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.series_build import build_series
from minemap_assets.reference.boundaries import country_table
from minemap_assets.reference.catalogue import read_catalogue
from minemap_assets.reference.series_files import SeriesColumns, register_series

PAPER = 16_700
NAME = "published"


def ours(folder: Path) -> int:
    """Build the registered series of a lake; returns rows."""
    lake = Lake.local(folder / "home", folder / "state")
    ref = PartitionRef("polygons", f"series_{NAME}", ())
    boundaries = read_geoparquet(folder / "countries.parquet")
    entry = next(one for one in read_catalogue(lake.store).entries if one.name == NAME)
    build_partition(
        lake,
        ref,
        code_version="1",
        config={},
        inputs={},
        build=lambda writer: build_series(entry, lake.store, boundaries, 5.0, writer),
    )
    return int(lake.open(ref).manifest.summary["rows"])


def plain(folder: Path) -> int:
    """The same in plain geopandas; returns rows."""
    return postprocess_plainly(
        folder / "predictions.gpkg", gpd.read_parquet(folder / "countries.parquet"), folder / "plain.gpkg"
    )


def measured(side: str, folder: Path) -> dict[str, Any]:
    """Processor seconds and peak memory of one side, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_side(side: str, folder: Path) -> dict[str, Any]:
    """What `measured` reads."""
    start, wall = time.process_time(), time.perf_counter()
    rows = {"ours": ours, "plain": plain}[side](folder)
    return {
        "cpu_s": round(time.process_time() - start, 2),
        "wall_s": round(time.perf_counter() - wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "rows": rows,
    }


def prepared(data: Path, borders: str, count: int, folder: Path) -> int:
    """Write predictions and countries, and register the series; returns the polygons of all years."""
    source = data / "natural-earth" / f"countries-{borders}.json"
    countries = country_table(read_vector(source, layer="countries", crs=WGS84))
    write_geoparquet(countries, folder / "countries.parquet")
    demo = gpd.read_file(data / "p0017-paper-demo-polygons" / "mining_polygons_combined_demo.gpkg")
    polygons = write_years(
        local_outlines(demo), np.asarray(countries.geometry, dtype=object), count, folder / "predictions.gpkg"
    )
    lake = Lake.local(folder / "home", folder / "state")
    rules = {"rule": "intersect", "window": 1, "buffer_m": 0.0, "holes": "all", "min_hole_km2": 0.01}
    columns = SeriesColumns(year_column="year", id_column="uid")
    register_series(
        lake.store, [folder / "predictions.gpkg"], name=NAME, licence="unknown", columns=columns, rules=rules
    )
    return polygons


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("counts", type=int, nargs="*", default=[PAPER])
    options.add_argument("--countries", choices=["10m", "50m"], default="50m")
    options.add_argument("--ours", action="store_true")
    options.add_argument("--side", nargs=2, metavar=("SIDE", "FOLDER"))
    given = options.parse_intermixed_args()
    if given.side:
        print(json.dumps(run_side(given.side[0], Path(given.side[1]))))
        return
    data = os.environ.get("MINEMAP_TEST_DATA")
    if not data:
        print("set MINEMAP_TEST_DATA to the folder with p0017-paper-demo-polygons and natural-earth to run this")
        return
    report: list[dict[str, Any]] = []
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            polygons = prepared(Path(data), given.countries, count, Path(folder))
            one: dict[str, Any] = {"polygons": polygons, "ours": measured("ours", Path(folder))}
            if not report and not given.ours:
                one["plain"] = measured("plain", Path(folder))
                one["times_faster"] = round(one["plain"]["cpu_s"] / one["ours"]["cpu_s"], 1)
                one["share_of_memory"] = round(one["ours"]["peak_mb"] / one["plain"]["peak_mb"], 2)
            one["us_per_polygon"] = round(1e6 * one["ours"]["cpu_s"] / polygons, 1)
            report.append(one)
    print(json.dumps({"countries": given.countries, "runs": report}, indent=1))


if __name__ == "__main__":
    main()
