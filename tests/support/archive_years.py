"""A project of two regions and six years whose images lie in a team's own archive: a file for each site and year.

The ground is that of the tiny world, drawn for more years than it has; the model is one that was trained on it. Nothing
is trained here: the project has no labels. A test changes a file, or drops a new year's, and indexes the folder again,
as a person does.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox

from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.archive.catalogue import add_archive
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.locks import hold
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.schemas import read_table
from minemap_assets.project.regions import REGIONS_PATH, region_from_file, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.registration import register
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.promotion import promote
from minemap_assets.simulation.demo import LICENCE
from minemap_assets.simulation.export import write_inputs
from minemap_assets.simulation.source import SimulatedSource
from minemap_assets.simulation.world import World, to_wgs84
from minemap_assets.tables import schemas
from minemap_assets.tables.assets import database_path
from tiny import WORLD, Chain

PRODUCT, NAME = "planet-nicfi", "team"
BANDS = ("blue", "green", "red", "nir")
FIRST, LAST = 2017, 2023
YEARS = tuple(range(FIRST, LAST))
"""Years whose images the archive holds; of `LAST` there are none yet."""

LATER = 3
"""Years by which a correction shows a mine further on."""

MINES = {"alder-02": "alder-basin", "birch-02": "birch-delta"}
"""One site in each region."""

HALF = 1_500.0
"""Metres from the middle of a mine to the sides of its image, which is wider than the site's own grid."""

MARGIN = 10
"""Rows of an image that no site's grid reaches."""

SETTINGS = f"""\
# Settings of a team's archive.
first_year = {FIRST}
last_year = {LAST}

[imagery]
products = [{{ product = "{PRODUCT}" }}]
reference_year = 2019

[imagery.sources]
{PRODUCT} = ["archive"]
"""


@dataclass(frozen=True)
class ArchiveYears(Chain):
    """The project, with its archive in the folder `archive` beside the lake."""

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def drawn(self, years: Iterable[int] = YEARS) -> "ArchiveYears":
        """Write the images of some years."""
        for mine in MINES:
            for year in years:
                write_image(self.image(mine, year), mine, year)
        return self

    def image(self, mine: str, year: int) -> Path:
        """Where the image of a mine and year lies."""
        return self.archive / f"{mine}_{year}-08.tif"

    def indexed(self) -> "ArchiveYears":
        """Index the archive, as `minemap archive index` does."""
        report = index_archive(str(self.archive), name=NAME, product=PRODUCT, rules=ArchiveRules(bands=BANDS))
        assert not report.refused, report.refused
        add_archive(self.project.lake.store, NAME, str(self.archive), report.features)
        return self

    def correct(self, mine: str, year: int) -> None:
        """Put other pixels where an image lay, as after a correction: what the mine is three years later."""
        write_image(self.image(mine, year), mine, year + LATER)
        self.indexed()

    def spoil(self, mine: str, year: int) -> None:
        """Put an image in its place that shows nothing of the site."""
        write_image(self.image(mine, year), mine, year, clear=False)
        self.indexed()


@cache
def _world() -> World:
    return replace(WORLD, years=tuple(range(FIRST, LAST + LATER + 1)))


def write_image(path: Path, mine: str, year: int, *, clear: bool = True) -> None:
    """Draw the ground around a mine as one product of one year shows it; unless `clear`, only beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, grid = _drawn(mine, year)
    about = {"count": len(BANDS), "dtype": "uint16", "height": grid.shape[0], "width": grid.shape[1], "nodata": 0}
    with rasterio.open(path, "w", driver="GTiff", crs=str(grid.crs), transform=grid.affine, **about) as target:
        if not clear:
            pixels = pixels.copy()
            pixels[:, MARGIN:] = 0
        target.write(pixels)


@cache
def _drawn(mine: str, year: int) -> tuple[npt.NDArray[np.uint16], GeoBox]:
    (drawn,) = (one for one in _world().mines if one.mine_id == mine)
    outline = drawn.outline(WORLD.reference_year)
    assert outline is not None
    middle = gpd.GeoSeries([to_wgs84(outline.centroid)], crs=WGS84)
    crs = middle.estimate_utm_crs()
    point = middle.to_crs(crs)[0]
    x, y = (10.0 * round(value / 10.0) for value in (point.x, point.y))
    box = (x - HALF, y - HALF, x + HALF, y + HALF)
    grid = GeoBox.from_bbox(box, crs=str(crs), resolution=5.0)
    season = SeasonRule().season(year)
    return SimulatedSource(_world(), PRODUCT).read(grid, season, BANDS).pixels, grid


def prepare(chain: ArchiveYears, trained: Chain) -> None:
    """Write settings, regions and reference files, index the images, and put a trained model in use."""
    store = chain.project.lake.store
    Inputs(store).put(SETTINGS_PATH, SETTINGS.encode())
    inputs = write_inputs(_world(), chain.folder / "inputs")
    outlines = {mine: one for mine, one in _world().outlines(WORLD.reference_year).items() if mine.mine_id in MINES}
    mines = gpd.GeoDataFrame(
        {"polygon_id": [mine.mine_id for mine in outlines], "group": [mine.kind for mine in outlines]},
        geometry=[to_wgs84(shapely.convex_hull(one)) for one in outlines.values()],
        crs=WGS84,
    )
    write_geoparquet(mines, inputs.broad)
    register(store, inputs.broad, name="known", kind="polygons", licence=LICENCE, role="outlines")
    register(store, inputs.boundaries, name="country_boundaries", kind="boundaries", licence=LICENCE)
    register(store, inputs.points, name="validation_points", kind="points", licence=LICENCE)
    regions = [region_from_file(path, slug) for slug, path in sorted(inputs.regions.items())]
    Inputs(store).put(REGIONS_PATH, write_regions(regions))
    chain.drawn().indexed()
    promote(chain.project, load_model(trained.open("segmentation", "promoted_model")), "a test")


def finished_years(factory: pytest.TempPathFactory, trained: Chain) -> ArchiveYears:
    """The project with all its years run to their end; processes that run tests side by side make it once."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "archive-years"
    whole = shared.with_suffix(".whole")
    chain = ArchiveYears(shared)
    with hold(shared.with_suffix(".lock"), math.inf):
        if not whole.exists():
            prepare(chain, trained)
            report = chain.run(years=YEARS)
            assert not report.failures, report.failures
            whole.touch()
    return chain


def copied_years(chain: ArchiveYears, folder: Path) -> ArchiveYears:
    """A copy to change at will; its archive is its own."""
    return ArchiveYears(chain.copied(folder).folder).indexed()


def states(chain: Chain) -> dict[PartitionRef, PartitionState]:
    """What `minemap status` says of every partition that was ever made."""
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    states = PartitionStates(graph, project)
    found = {a.ref(keys): states.state(a, keys) for a in graph.assets for keys in a.partitions.every(project)}
    return {ref: state for ref, state in found.items() if state is not PartitionState.MISSING}


def assert_whole(chain: Chain) -> None:
    """Nothing is outdated, and the DuckDB file says what the Parquet tables say."""
    wrong = {str(ref): state for ref, state in states(chain).items() if state is not PartitionState.CURRENT}
    assert wrong == {}
    with duckdb.connect(str(database_path(chain.project)), read_only=True) as database:
        for spec in (schemas.POLYGONS, schemas.SITE_PANEL, schemas.COUNTRY_SUMMARY, schemas.REGION_SUMMARY):
            for year in YEARS:
                table = read_table(chain.open("tables", spec.name, str(year)).file(spec.file), spec)
                told = database.execute(
                    f"SELECT count(*), coalesce(sum(area_km2), 0) FROM {spec.name} WHERE year = {year}"
                ).fetchone()
                assert told == (len(table), pytest.approx(table["area_km2"].sum())), (spec.name, year)
