"""The demo: a project on a simulated world, and how well its polygons agree with what is truly there.

What belongs here: writing the demo's inputs as a person would, and comparing its tables with the truth. What does not:
the world itself (`simulation/`), and showing anything (`cli/demo.py`).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import EQUAL_AREA, read_geoparquet
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import PROMOTED_SITES_PATH, REGIONS_PATH, Project
from minemap_assets.project.regions import region_from_file, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH, register
from minemap_assets.simulation.world import World

LICENCE = "CC0-1.0 (simulated)"

INPUTS = (SETTINGS_PATH, REGIONS_PATH, CATALOGUE_PATH, PROMOTED_SITES_PATH)
"""What the demo writes, and never over what another project has."""

MARK = "# Settings of the demo"

SETTINGS = """\
{mark}: a simulated world, Planet until 2024 and Sentinel-2 from 2025.

[imagery]
products = [
  {{ product = "planet-nicfi", until = 2024 }},
  {{ product = "sentinel-2-l2a", from = 2025 }},
]
reference_year = {reference_year}

[imagery.sources]
planet-nicfi = ["simulated"]
sentinel-2-l2a = ["simulated"]
sentinel-2-l1c = ["simulated"]

[sources.simulated]
world = "{world}"
{more}"""

SMALL_MODEL = """
# A model small enough for a world of four mines.
[segmentation]
hidden_sizes = [8, 16, 16, 32]
heads = [1, 2, 2, 4]
decoder_width = 16
steps = 60
crop = 96
batch_size = 4
validate_every = 30
"""
MORE = {"tiny": SMALL_MODEL}


@dataclass(frozen=True)
class Agreement:
    """Mapped against true mining ground of one country and year (km2), and of a year over all countries (IoU)."""

    country: str
    year: int
    mapped_km2: float
    true_km2: float
    iou: float

    @property
    def error(self) -> float:
        """Mapped minus true area, as a share of the true area."""
        return (self.mapped_km2 - self.true_km2) / self.true_km2 if self.true_km2 else 0.0


def prepare(project: Project, world: World) -> None:
    """Write the demo's inputs into an empty lake; a demo's own lake is left as it is.

    Raises `BadInputError` where the lake belongs to another project, or to the demo of another world.
    """
    store = project.lake.store
    more = MORE.get(world.name, "")
    settings = SETTINGS.format(mark=MARK, world=world.name, reference_year=world.reference_year, more=more)
    if store.size(SETTINGS_PATH) is not None and store.read_bytes(SETTINGS_PATH).startswith(MARK.encode()):
        held = project.settings.sources.simulated.world
        if held != world.name:
            raise BadInputError(
                f"{store.root} holds the demo of the world {held!r}; use --world {held}, or set MINEMAP_HOME and "
                "MINEMAP_STATE to empty folders"
            )
        if store.size(REGIONS_PATH) is not None:
            return
    elif found := [path for path in INPUTS if store.size(path) is not None]:
        raise BadInputError(
            f"{store.root} holds another project ({found[0]}); set MINEMAP_HOME and MINEMAP_STATE to empty folders for "
            "the demo"
        )
    from minemap_assets.simulation.export import write_inputs

    store.write_bytes(SETTINGS_PATH, settings.encode())
    with tempfile.TemporaryDirectory() as scratch:
        inputs = write_inputs(world, Path(scratch))
        register(store, inputs.broad, name="simulated_broad", kind="polygons", licence=LICENCE, role="outlines")
        register(store, inputs.precise, name="simulated_precise", kind="polygons", licence=LICENCE, role="labels")
        register(store, inputs.boundaries, name="country_boundaries", kind="boundaries", licence=LICENCE)
        register(store, inputs.points, name="validation_points", kind="points", licence=LICENCE)
        regions = [region_from_file(path, slug) for slug, path in sorted(inputs.regions.items())]
        store.write_bytes(PROMOTED_SITES_PATH, inputs.promoted.read_bytes())
        store.write_bytes(REGIONS_PATH, write_regions(regions))  # last: says that the others are there


def compare(project: Project, world: World, years: tuple[int, ...]) -> list[Agreement]:
    """Agreement of the yearly tables with the truth, by year and country."""
    countries = read_geoparquet(
        project.lake.open(PartitionRef("reference", "country_boundaries")).file("boundaries.parquet")
    )
    rows: list[Agreement] = []
    for year in years:
        partition = project.lake.open(PartitionRef("tables", "polygons", (str(year),)))
        mapped = _ground(read_geoparquet(partition.file("polygons.parquet")))
        true = _ground(world.truth(year))
        for country in countries.to_crs(EQUAL_AREA).itertuples():
            rows.append(_agreement(str(country.name), year, mapped, true, country.geometry))
    return rows


def _ground(frame: gpd.GeoDataFrame) -> shapely.Geometry:
    projected = frame.geometry.to_crs(EQUAL_AREA)
    return shapely.union_all(shapely.make_valid(projected.to_numpy()))


def _agreement(
    name: str, year: int, mapped: shapely.Geometry, true: shapely.Geometry, country: shapely.Geometry
) -> Agreement:
    ours, theirs = shapely.intersection(mapped, country), shapely.intersection(true, country)
    both, either = shapely.intersection(ours, theirs).area, shapely.union(ours, theirs).area
    return Agreement(name, year, ours.area / 1e6, theirs.area / 1e6, both / either if either else 1.0)


def totals(rows: list[Agreement]) -> list[Agreement]:
    """Agreement by year over all countries; IoU from the summed intersections."""
    result = []
    for year in sorted({r.year for r in rows}):
        of_year = [r for r in rows if r.year == year]
        mapped, true = sum(r.mapped_km2 for r in of_year), sum(r.true_km2 for r in of_year)
        both = sum(_intersection(r) for r in of_year)
        result.append(Agreement("all", year, mapped, true, both / (mapped + true - both) if mapped + true else 1.0))
    return result


def _intersection(row: Agreement) -> float:
    """Recovered from IoU and the two areas: i = iou * (a + b) / (1 + iou)."""
    return row.iou * (row.mapped_km2 + row.true_km2) / (1.0 + row.iou)
