"""The demo's inputs, written as a person would write them: settings, regions, reference files of a simulated world."""

import tempfile
from functools import partial
from pathlib import Path

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.project.regions import REGIONS_PATH, region_from_file, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from minemap_assets.reference.registration import register
from minemap_assets.simulation.config import SimulatedConfig
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
widths = [8, 12, 16]
detail = 4
folds = 2
steps = 48
crop = 256
batch_size = 4
learning_rate = 0.004
"""
SMALL_SCANS = """
[detection]
members = 2
steps = 80
levels = 3
enlarge = 1
"""
SCANS = """
[detection]
members = 3
steps = 150
levels = 3
enlarge = 1
"""
MORE = {"tiny": SMALL_MODEL + SMALL_SCANS, "frontier": SMALL_MODEL + SCANS, "demo": SCANS}


def prepare(project: Project, world: World) -> None:
    """Write the demo's inputs into an empty lake; a demo's own lake is left as it is.

    Raises `BadInputError` where the lake belongs to another project, or to the demo of another world.
    """
    store = project.lake.store
    more = MORE.get(world.name, "")
    settings = SETTINGS.format(mark=MARK, world=world.name, reference_year=world.reference_year, more=more)
    if store.size(SETTINGS_PATH) is not None and store.read_bytes(SETTINGS_PATH).startswith(MARK.encode()):
        held = project.section(SimulatedConfig).world
        if held != world.name:
            raise BadInputError(
                f"{store.root} holds the demo of the world {held!r}; use --world {held}, or set MINEMAP_HOME and "
                "MINEMAP_STATE to empty folders"
            )
        if store.size(REGIONS_PATH) is not None:
            return
    elif found := [path for path in INPUTS if store.size(path) is not None]:
        raise _another_project(store, found[0])
    from minemap_assets.simulation.export import write_inputs

    known = Inputs(store)
    kept = known.change(SETTINGS_PATH, partial(_unless_there, settings.encode())).after
    if kept is not None and not kept.startswith(MARK.encode()):
        raise _another_project(store, SETTINGS_PATH)
    with tempfile.TemporaryDirectory() as scratch:
        inputs = write_inputs(world, Path(scratch))
        register(store, inputs.broad, name="simulated_broad", kind="polygons", licence=LICENCE, role="outlines")
        register(store, inputs.precise, name="simulated_precise", kind="polygons", licence=LICENCE, role="labels")
        register(store, inputs.boundaries, name="country_boundaries", kind="boundaries", licence=LICENCE)
        register(store, inputs.points, name="validation_points", kind="points", licence=LICENCE)
        regions = [region_from_file(path, slug) for slug, path in sorted(inputs.regions.items())]
        known.change(PROMOTED_SITES_PATH, partial(_unless_there, inputs.promoted.read_bytes()))
        known.change(REGIONS_PATH, partial(_unless_there, write_regions(regions)))  # last: says that all is there


def _another_project(store: Store, path: str) -> BadInputError:
    return BadInputError(
        f"{store.root} holds another project ({path}); set MINEMAP_HOME and MINEMAP_STATE to empty folders for the demo"
    )


def _unless_there(new: bytes, found: bytes | None) -> bytes:
    """What somebody else wrote meanwhile stays."""
    return new if found is None else found
