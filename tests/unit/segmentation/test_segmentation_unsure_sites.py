"""Unsure sites, from masks of known doubt."""

from collections.abc import Callable
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pytest

from minemap_assets.geo.grid import footprint_wgs84, square_grid
from minemap_assets.geo.raster import write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome
from minemap_assets.project.project import Project
from minemap_assets.segmentation.unsure_sites import doubt, unsure_sites

Make = Callable[..., Any]


class Here:
    """A project, as far as these functions know one."""

    def __init__(self, lake: Lake, *regions: str) -> None:
        self.lake = lake
        self._regions = regions

    def active_regions(self) -> dict[str, None]:
        return dict.fromkeys(self._regions)


def masks(values: dict[str, int]) -> Callable[[Any], Outcome]:
    """A mask of one stored value for each site."""

    def build(writer: Any) -> Outcome:
        rows = []
        for n, (site, value) in enumerate(values.items()):
            grid = square_grid(500_000.0 + 5_000 * n, 9_300_000.0, 16, 32721)
            stored = np.full((1, 16, 16), value, dtype=np.uint8)
            stored[0, 0] = 255
            write_cog(writer.path(f"{site}.tif"), stored, grid, ("probability",), nodata=255)
            writer.add(f"{site}.tif")
            rows.append({"site_id": site, "file": f"{site}.tif", "geometry": footprint_wgs84(grid)})
        frame = gpd.GeoDataFrame(rows, geometry="geometry", crs=WGS84)
        writer.write("index.parquet", lambda path: write_geoparquet(frame, path))
        return Outcome()

    return build


@pytest.fixture
def project(lake: Lake, make_partition: Make) -> Project:
    make_partition("segmentation", "raw_masks", "north", "2020", build=masks({"a": 127, "b": 127}))
    make_partition("segmentation", "raw_masks", "north", "2021", build=masks({"a": 127, "b": 64, "c": 0, "d": 255}))
    make_partition("segmentation", "raw_masks", "south", "2021", build=masks({"e": 100}))
    make_partition("segmentation", "raw_masks", "gone", "2021", build=masks({"f": 127}))
    return cast("Project", Here(lake, "north", "south"))


def test_the_least_sure_come_first_from_the_last_year(project: Project) -> None:
    found = unsure_sites(project, 10)
    assert [(s.site_id, s.region, s.year) for s in found] == [
        ("a", "north", "2021"),
        ("e", "south", "2021"),
        ("b", "north", "2021"),
        ("c", "north", "2021"),
        ("d", "north", "2021"),
    ]
    assert found[0].doubt == pytest.approx(0.25)
    assert found[2].doubt == pytest.approx(64 / 254 * 190 / 254)
    assert found[3].doubt == found[4].doubt == 0.0
    assert (found[0].longitude, found[0].latitude) == pytest.approx((-57.0, -6.33), abs=0.01)
    assert len(unsure_sites(project, 2)) == 2


def test_sites_with_labels_are_left_out(project: Project, make_partition: Make) -> None:
    frame = gpd.GeoDataFrame(
        {"site_id": ["a", "b"], "mine_fraction": [0.1, 0.0]}, geometry=gpd.points_from_xy([0, 1], [0, 1]), crs=WGS84
    )

    def build(writer: Any) -> Outcome:
        writer.write("index.parquet", lambda path: write_geoparquet(frame, path))
        return Outcome()

    make_partition("chips", "training_chips", "planet-nicfi", "north", build=build)
    assert [s.site_id for s in unsure_sites(project, 3)] == ["e", "b", "c"]


def test_no_masks_no_sites(lake: Lake) -> None:
    assert unsure_sites(cast("Project", Here(lake, "north")), 5) == []


def test_doubt_is_of_observed_pixels(project: Project) -> None:
    partition = next(iter(project.lake.refs("segmentation", "raw_masks")))
    assert partition.keys == ("gone", "2021")
    assert doubt(project.lake.open(partition).file("f.tif")) == pytest.approx(0.25)
