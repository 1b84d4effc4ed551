"""Sites an hour where neighbours share the blocks of a file, beside one site after the other with an empty cache.

Sites lie as real ones do: where the mines stand closest together in two published sets (`MINEMAP_TEST_DATA`), with the
windows that the room `sites` gives them. The source `stac` reads them from stand-in scenes behind a file server with a
stated latency and bandwidth. Prints sites an hour and the ratios; exits with 1 where one does not reach its goal, or
where the pixels differ.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).parent))

from support.scenes import BLOCK, Catalogue, every, served, write_scenes

from minemap_assets.geo.grid import at_resolution
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.source import StacSource
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.windows import centres, window_grids

LATENCY = 0.05
"""Seconds from a request to the first byte of its answer."""

BANDWIDTH = 50_000_000
"""Bytes a second."""

BANDS = ("blue", "green", "red", "nir")
DAYS = every(20, 2)
SEASON = Season(2021, DAYS[0], DAYS[-1].replace(day=DAYS[-1].day + 1))
TOGETHER_KM = 30.0
LARGEST = 1000
"""Pixels of 10 m on the side of the largest window that is taken."""


@dataclass(frozen=True)
class Place:
    """A published set, how many neighbouring sites of it are taken, and the ratio of sites an hour to be reached."""

    file: str
    sites: int
    goal: float


PLACES = (
    Place("earth-genome-mining-footprints/mining_202400_simplified.geojson", 60, 1.5),
    Place("p0017-paper-demo-polygons/mining_polygons_combined_demo.gpkg", 20, 1.0),
)


def clusters(path: Path, count: int) -> list[list[GeoBox]]:
    """Windows of the sites that have the nearest neighbours, in groups that lie close together in one UTM zone."""
    outlines = np.asarray(gpd.read_file(path).to_crs(4326).explode().geometry.array, dtype=object)
    grids = [at_resolution(grid, 10.0) for grid in window_grids(outlines, SitesConfig())]
    kept = [n for n, grid in enumerate(grids) if max(grid.shape) <= LARGEST]
    longitude, latitude = centres(outlines[kept]).T
    places = np.column_stack([longitude * np.cos(np.radians(latitude)), latitude]) * 111.2
    tree = cKDTree(places)
    around = min(count, len(kept) // 5)
    densest = int(np.argmin(tree.query(places, around)[0][:, -1]))
    near = tree.query(places, 2)[0][:, 1]
    chosen = tree.query(places[densest], count)[1] if around == count else np.argsort(near)[:count]
    groups: dict[Any, list[int]] = {}
    for place in sorted(chosen.tolist()):
        zone = str(grids[kept[place]].crs)
        close = [key for key in groups if key[0] == zone and np.hypot(*(places[key[1]] - places[place])) < TOGETHER_KM]
        groups.setdefault(close[0] if close else (zone, place), []).append(place)
    return [[grids[kept[place]] for place in members] for members in groups.values()]


def tile_around(grids: Sequence[GeoBox]) -> GeoBox:
    """A tile that holds some grids, its corner at the edges of blocks of 1024 pixels of 10 m."""
    step = BLOCK * 10.0
    boxes = np.array([grid.boundingbox.bbox for grid in grids])
    west, north = np.floor(boxes[:, 0].min() / step) * step, np.ceil(boxes[:, 3].max() / step) * step
    width, height = (round(v / 10) + 64 for v in (boxes[:, 2].max() - west, north - boxes[:, 1].min()))
    affine = Affine(10.0, 0.0, west, 0.0, -10.0, north)
    return GeoBox((height + height % 2, width + width % 2), affine, grids[0].crs)


@contextmanager
def offered(folder: Path, groups: Sequence[Sequence[GeoBox]]) -> Iterator[Catalogue]:
    """Scenes over all groups behind the servers."""
    items = []
    for number, grids in enumerate(groups):
        items += write_scenes(folder, tile_around(grids), DAYS, BANDS, mgrs=f"{number + 1:02d}MDB")
    with served(folder, items, latency=LATENCY, bandwidth=BANDWIDTH) as catalogue:
        yield catalogue


def read(catalogue: Catalogue, grids: Sequence[GeoBox], folder: Path, *, shared: bool) -> tuple[float, list[int]]:
    """Sites an hour, and a number for every site's pixels."""
    start, sums = time.perf_counter(), []
    source = StacSource("sentinel-2-l2a", catalogue.config, KeptFiles(folder / "shared"))
    for number, grid in enumerate(grids):
        if not shared:
            source = StacSource("sentinel-2-l2a", catalogue.config, KeptFiles(folder / f"alone-{number}"))
        sums.append(int(source.read(grid, SEASON, BANDS).pixels.astype(np.int64).sum()))
    return 3600.0 * len(grids) / (time.perf_counter() - start), sums


def compare(place: Place, path: Path) -> bool:
    """Measure one set, print it, and say whether it reached its goal."""
    groups = clusters(path, place.sites)
    grids = [grid for group in groups for grid in group]
    with tempfile.TemporaryDirectory() as name, offered(Path(name), groups) as catalogue:
        alone, expected = read(catalogue, grids, Path(name), shared=False)
        together, found = read(catalogue, grids, Path(name), shared=True)
    ratio = together / alone
    print(f"{path.parent.name}: {len(grids)} sites in {len(groups)} groups")
    print(f"  one by one {alone:8.0f} sites an hour, sharing {together:8.0f}   ratio {ratio:.2f}, goal {place.goal}")
    return found == expected and ratio >= place.goal


def main() -> None:
    """Measure, print and judge."""
    folder = os.environ.get("MINEMAP_TEST_DATA")
    if not folder:
        print("not run: set MINEMAP_TEST_DATA to the folder of real test data")
        return
    print(f"latency {1000 * LATENCY:.0f} ms, {BANDWIDTH / 1e6:.0f} MB/s, {len(DAYS)} dates, {len(BANDS)} bands")
    passed = [compare(place, Path(folder) / place.file) for place in PLACES]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
