"""What a scan of the Amazon basin would need in one year, by product and source: requests, bytes, and hours.

Takes a part of the basin without gaps (4 x 2 degrees around 4 S, 61 W: 98,000 km2), asks each source's cost model what
its tiles need (no service is asked; assumptions on the high side, in `costs.py` of each source), and scales by area to
8.2 million km2. Hours of scoring are those of `--rate` patches a second, as `patch_scores.py` measures it.

    python benchmarks/scan_projection.py [--rate 170] [--year 2024]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import shapely

from dagster_project.registry import Registry
from minemap_assets.detection.patch_grid import tiles_of
from minemap_assets.detection.projection import PATCHES, STEP_KM2, project_scan
from minemap_assets.detection.published import BANDS
from minemap_assets.imagery.products import product
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH

PART = shapely.box(-63.0, -5.0, -59.0, -3.0)
BASIN_KM2 = 8.2e6

SETTINGS = """
[imagery.sources]
sentinel-2-l2a = ["stac", "earth-engine"]
sentinel-2-l1c = ["earth-engine"]
planet-nicfi = ["planet-basemaps"]
satellite-embedding = ["earth-engine"]
"""
READ = {
    "sentinel-2-l2a": ("blue", "green", "red", "nir", "swir16", "swir22"),
    "sentinel-2-l1c": BANDS[12],
    "planet-nicfi": ("blue", "green", "red", "nir"),
    "satellite-embedding": product("satellite-embedding").bands,
}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A year of the Amazon basin.")
    parser.add_argument("--rate", type=float, default=170.0, help="patches a second on a machine")
    parser.add_argument("--year", type=int, default=2024)
    options = parser.parse_args()
    tiles = list(tiles_of(PART))
    scale = BASIN_KM2 / (len(tiles) * PATCHES * STEP_KM2)
    patches = len(tiles) * PATCHES * scale
    print(f"{len(tiles):,} tiles, times {scale:.1f}: {patches / 1e6:.0f} million patches of the basin in a year")
    print(f"scoring: {patches / options.rate / 3600:,.0f} hours of a machine at {options.rate:g} patches a second")
    print("product | source | requests | TB to fetch | downloads | EECU-hours | TB on disk | hours of fetching")
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        (lake / SETTINGS_PATH).parent.mkdir(parents=True)
        (lake / SETTINGS_PATH).write_text(SETTINGS)
        project = ProjectHome.at(str(lake), Path(folder) / "state", Registry().parts()).open()
        for name, bands in READ.items():
            for one in project_scan(project, name, bands, SeasonRule().season(options.year), tiles):
                cost = one.cost
                print(
                    f"{name} | {one.source} | {cost.requests * scale / 1e6:,.1f} million | "
                    f"{cost.bytes_read * scale / 1e12:,.1f} | {cost.downloads * scale:,.0f} | "
                    f"{cost.eecu_hours * scale:,.0f} | {cost.stored_bytes * scale / 1e12:,.1f} | "
                    f"{cost.seconds * scale / 3600:,.0f}"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
