"""Vector tiles of 200,000 polygons of nine years to zoom 12, beside GDAL's driver, and with what changed between years.

Run: `python benchmarks/vector_tiles.py [polygons] [polygons that GDAL gets too]`. Prints one JSON object: seconds,
bytes, the largest tile, how far the process's memory rose, for the smaller number of polygons seconds and bytes of ours
and of GDAL's PMTiles driver, and `with_changes`, the same file with the layers of changes, as the map and the dataset
have it. Exits with 1 where either takes longer than 360 seconds or more than 150 MB, where a tile is larger than
500 kB, or where square kilometres of polygons got lost at any zoom.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
from support.mining_districts import YEARS, mining_districts
from support.tile_sums import km2_by_zoom

from minemap_assets.publication.tiles.archive import TileFacts
from minemap_assets.publication.tiles.build import build_tiles
from minemap_assets.publication.tiles.gains_and_losses import gained_and_lost

LIMIT_S, LIMIT_BYTES, LIMIT_TILE = 360.0, 150_000_000, 500_000
COLUMNS = ["polygon_id", "year", "region", "country_iso3", "area_km2", "status", "mean_probability", "first_year"]


def peak_mb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def every_year(polygons: gpd.GeoDataFrame) -> pd.DataFrame:
    """A panel in which each site was seen in each year."""
    sites = polygons["site_ids"].explode().unique()
    keys = pd.MultiIndex.from_product([sites, YEARS], names=["site_id", "year"])
    return pd.DataFrame({"observed_share": 1.0}, index=keys).reset_index()


def by_gdal(polygons: gpd.GeoDataFrame, path: Path) -> float:
    """Seconds of GDAL's driver, which draws everything at every zoom and merges nothing."""
    start = time.perf_counter()
    plain = polygons[[*COLUMNS, "geometry"]]
    pyogrio.write_dataframe(plain, path, driver="PMTiles", layer="polygons", MINZOOM=0, MAXZOOM=12, MAX_SIZE=500_000)
    return time.perf_counter() - start


def fits(facts: TileFacts, seconds: float) -> bool:
    """Whether a file of tiles is within the limits."""
    return seconds <= LIMIT_S and facts.bytes <= LIMIT_BYTES and facts.largest_tile_bytes <= LIMIT_TILE


def with_changes(polygons: gpd.GeoDataFrame, path: Path) -> dict[str, float]:
    """The same file with what each site gained and lost."""
    start = time.perf_counter()
    changes = gained_and_lost(polygons, every_year(polygons))
    found = time.perf_counter() - start
    facts = build_tiles(polygons, path, changes=changes)
    seconds = time.perf_counter() - start
    return {
        "changes": len(changes),
        "drawn_with_outlines": int((changes["drawn_km2"] > 0.0).sum()),
        "seconds_of_finding": round(found, 1),
        "seconds_of_tiles": round(seconds - found, 1),
        "megabytes": round(facts.bytes / 1e6, 1),
        "largest_tile_kb": round(facts.largest_tile_bytes / 1e3, 1),
        "memory_peak_mb": round(peak_mb()),
        "within_limits": fits(facts, seconds),
    }


def main(count: int, few: int) -> int:
    """Measure, print, and judge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        polygons = mining_districts(count)
        before = peak_mb()
        start, cpu = time.perf_counter(), time.process_time()
        file = folder / "mines.pmtiles"
        facts = build_tiles(polygons, file, progress=lambda line: print(line, file=sys.stderr))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        after = peak_mb()
        total = float(polygons["area_km2"].sum())
        lost = max(abs(one - total) / total for one in km2_by_zoom(file).values())
        part = polygons.head(few)
        start = time.perf_counter()
        small = build_tiles(part, folder / "few.pmtiles")
        ours = time.perf_counter() - start
        theirs = by_gdal(part, folder / "gdal.pmtiles")
        told = {
            "polygons": len(polygons),
            "seconds": round(seconds, 1),
            "processor_seconds": round(cpu, 1),
            "tiles": facts.tiles,
            "megabytes": round(facts.bytes / 1e6, 1),
            "largest_tile_kb": round(facts.largest_tile_bytes / 1e3, 1),
            "coarser_tiles": facts.coarser_tiles,
            "memory_before_mb": round(before),
            "memory_peak_mb": round(after),
            "largest_share_of_km2_lost_at_a_zoom": lost,
            "compared": {
                "polygons": len(part),
                "seconds": round(ours, 1),
                "gdal_seconds": round(theirs, 1),
                "gdal_ratio": round(theirs / ours, 2),
                "megabytes": round(small.bytes / 1e6, 1),
                "gdal_megabytes": round((folder / "gdal.pmtiles").stat().st_size / 1e6, 1),
            },
            "with_changes": with_changes(polygons, folder / "changes.pmtiles"),
        }
    print(json.dumps(told, indent=1))
    return 0 if fits(facts, seconds) and told["with_changes"]["within_limits"] and lost < 1e-5 else 1


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    sys.exit(main(*(numbers + [200_000, 20_000][len(numbers) :])))
