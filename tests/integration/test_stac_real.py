"""The source `stac` on real pixels: two Sentinel-2 scenes over open pits near Beihai, repackaged as STAC items, agree
with the `archive` source that reads the same files directly.
"""

from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import mapping

from minemap_assets.geo.grid import at_resolution, square_grid, utm_epsg
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.archive import ArchiveSource
from minemap_assets.imagery.sources.archive_features import read_index
from minemap_assets.imagery.sources.archive_index import index_archive
from stac_service import World
from stac_world import write_cog

pytestmark = pytest.mark.integration

PITS = (109.5445, 21.5675)
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
WINTER = Season(2016, date(2016, 12, 1), date(2018, 4, 1))
"""Long enough for both dates."""


def repackaged(scene: Path, day: str, root: Path, url: str) -> dict[str, Any]:
    """One folder of files as a Planetary Computer item, all of it vegetation to the scene classification."""
    keys = {band: key for key, band in SENTINEL2_BANDS.items()}
    assets = {}
    for band in BANDS:
        (path,) = scene.glob(f"*_{keys[band]}.tif")
        with rasterio.open(path) as source:
            grid = GeoBox(source.shape, source.transform, str(source.crs))
            write_cog(root / scene.name / f"{keys[band]}.tif", source.read(1), grid)
        assets[keys[band]] = {"href": f"{url}/{scene.name}/{keys[band]}.tif"}
        if band == "swir16":
            write_cog(root / scene.name / "SCL.tif", np.full(grid.shape, 4, dtype=np.uint8), grid)
            assets["SCL"] = {"href": f"{url}/{scene.name}/SCL.tif"}
            outline = shapely.box(*grid.boundingbox.bbox)
    properties = {"datetime": f"{day}T03:11:22Z", "s2:processing_baseline": "02.04", "eo:cloud_cover": 0.0}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"S2A_MSIL2A_{day}",
        "collection": "sentinel-2-l2a",
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "properties": properties | {"s2:mgrs_tile": "49QCD"},
        "assets": assets,
        "links": [],
    }


def site() -> GeoBox:
    epsg = utm_epsg(*PITS)
    easting, northing = Transformer.from_crs(4326, epsg, always_xy=True).transform(*PITS)
    return at_resolution(square_grid(easting, northing, 400, epsg), 10.0)


def test_stac_and_archive_agree(test_data: Path, tmp_path: Path) -> None:
    beihai = test_data / "oscd-sentinel2-l1c" / "beihai"
    report = index_archive(str(beihai), name="beihai", product="sentinel-2-l2a")
    archive = ArchiveSource("sentinel-2-l2a", [read_index("beihai", str(beihai), report.features)])
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        scenes = (("imgs_1", "2016-12-09"), ("imgs_2", "2018-03-09"))
        items = [repackaged(beihai / name, day, world.root, world.files_url(1)) for name, day in scenes]
        world.serve([], items)
        ours = world.source().read(site(), WINTER, BANDS)
    theirs = archive.read(site(), WINTER, BANDS)
    assert (ours.clear_count == 2).all()
    assert (theirs.clear_count == 2).all()
    assert (ours.provenance.first_date, ours.provenance.last_date) == ("2016-12-09", "2018-03-09")
    difference = np.abs(ours.pixels.astype(int) - theirs.pixels)
    assert difference.max() <= 2
    assert difference.mean() < 0.01
    assert np.abs(np.diff(theirs.pixels.astype(int), axis=2)).mean() > 50  # a shift by a pixel would be noticed
