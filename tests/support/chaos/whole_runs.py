"""Whole commands at the same time: runs over one lake, and registrations of inputs."""

import random
import shutil
import time
from pathlib import Path

from chaos.kills import compared
from chaos.places import Disk, Place
from chaos.tally import Outcome
from commands import DEMO, Command, command
from minemap_assets.errors import MinemapError
from minemap_assets.reference.catalogue import CATALOGUE_PATH, read_catalogue
from tiny import Chain

TWO_RUNS = "two whole runs at once"
REGISTRATIONS = "eight registrations at once"

HANDS = 8


def two_runs(place: Place, folder: Path, seed: str) -> list[Outcome]:
    """Two runs over a lake of which much is lacking; at a bucket each is a machine of its own."""
    chance, chain = random.Random(seed), place.copied(folder / f"{folder.name}-lake")
    store = place.store(chain)
    lacking = ["imagery/imagery", "chips/chips", "sites/sites", "polygons/raw_polygons", "polygons/mining_polygons"]
    lacking += ["segmentation/raw_masks", "tables/site_panel", "tables/polygons", "tables/database"]
    for asset in chance.sample(lacking, 5):
        for path in list(store.list(asset)):
            store.delete(path)
    other = chain
    if not isinstance(place, Disk):
        other = Chain(folder / "other", home=chain.home)
        shutil.copytree(chain.folder, other.folder)
    first = Command(chain, *DEMO)
    time.sleep(chance.uniform(0.0, 1.0))
    second = Command(other, *DEMO)
    ends = [first.end(), second.end()]
    losses = [f"one of two runs ended with {end.code}: {end.text[-600:]}" for end in ends if end.code]
    losses += compared(place, chain, command(chain, *DEMO))
    if not losses:
        place.discard(chain)
        shutil.rmtree(folder, ignore_errors=True)
    return [Outcome(TWO_RUNS, place.name, 1, int(not losses), int(not losses), tuple(losses))]


def registrations(place: Place, folder: Path, seed: str, source: Path) -> list[Outcome]:
    """Eight commands that register a file each: all of them are in the catalogue then, beside what was there."""
    chance, chain = random.Random(seed), place.fresh(folder / f"{folder.name}-lake")
    names = [f"set_{chance.randrange(1_000_000)}_{n}" for n in range(HANDS)]
    machines = [Chain(folder / f"machine{n}", home=chain.environment.home) for n in range(HANDS)]
    words = ["reference", "add"]
    more = ["--licence", "unknown"]
    runs = [Command(one, *words, name, str(source), *more) for one, name in zip(machines, names, strict=True)]
    ends = [run.end() for run in runs]
    losses = [f"registering ended with {end.code}: {end.text[-600:]}" for end in ends if end.code]
    store = place.store(chain)
    try:
        held = read_catalogue(store).entries
        losses += [f"{name} is not in {CATALOGUE_PATH}" for name in names if name not in {one.name for one in held}]
        losses += [f"{one.file} is not there" for one in held if store.size(one.file) != one.bytes]
    except MinemapError as error:
        losses.append(str(error))
    if not losses:
        place.discard(chain)
        shutil.rmtree(folder, ignore_errors=True)
    return [
        Outcome(REGISTRATIONS, place.name, HANDS, HANDS if not losses else 0, HANDS if not losses else 0, tuple(losses))
    ]
