"""Which experiments a run of so many kills, damaged files and races is made of; the same ones for the same seed."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle, zip_longest
from pathlib import Path

from chaos.damage import round_of_copies, round_of_damage, round_of_references, round_unseen
from chaos.full_disk import full_disk
from chaos.kills import series
from chaos.places import Bucket, Disk, Place
from chaos.races import KINDS, one_race
from chaos.tally import Outcome
from chaos.whole_runs import registrations, two_runs

KILLS_OF_A_SERIES = 20
FAULTS_OF_A_ROUND = 24
FEW_FAULTS = 6
WHOLE_RUNS = 2
FULL_DISKS = 3


@dataclass(frozen=True)
class Experiment:
    """One experiment: a name that is its own, and what is done in an empty folder."""

    name: str
    run: Callable[[Path], list[Outcome]]


@dataclass(frozen=True)
class Amounts:
    """How many faults of each family there are to be."""

    kills: int
    flips: int
    races: int


def experiments(amounts: Amounts, seed: int, disk: Disk, bucket: Bucket, url: str, source: Path) -> list[Experiment]:
    """Everything that is to be done, the families in turns. `source` is a vector file that can be registered."""
    families = (
        _kills(amounts.kills, seed, disk, bucket),
        _flips(amounts.flips, seed, disk, bucket),
        _races(amounts.races, seed, url),
        _others(seed, disk, bucket, source) if amounts.races and amounts.flips else iter(()),
    )
    per_turn: Mapping[int, int] = {2: 4}
    turns = [_grouped(family, per_turn.get(n, 1)) for n, family in enumerate(families)]
    return [one for turn in zip_longest(*turns, fillvalue=()) for group in turn for one in group]


def _kills(amount: int, seed: int, disk: Disk, bucket: Bucket) -> Iterator[Experiment]:
    places: cycle[tuple[Place, bool]] = cycle(
        ((disk, True), (disk, False), (bucket, True), (disk, False), (bucket, False))
    )
    for number in count():
        if amount <= 0:
            return
        place, from_nothing = next(places)
        kills = min(amount, KILLS_OF_A_SERIES)
        name = f"kills-{number}"
        yield Experiment(name, partial(series, place, seed=f"{seed}:{name}", kills=kills, from_nothing=from_nothing))
        amount -= kills


def _flips(amount: int, seed: int, disk: Disk, bucket: Bucket) -> Iterator[Experiment]:
    rounds: cycle[tuple[str, int, Place]] = cycle(
        (
            ("seen", FAULTS_OF_A_ROUND, disk),
            ("unseen", FEW_FAULTS, disk),
            ("seen", FAULTS_OF_A_ROUND, bucket),
            ("copies", FEW_FAULTS, bucket),
            ("reference", 1, disk),
            ("seen", FAULTS_OF_A_ROUND, disk),
            ("unseen", FEW_FAULTS, bucket),
            ("reference", 1, bucket),
        )
    )
    done = {"seen": 0, "unseen": 0, "copies": 0}
    for number in count():
        if amount <= 0:
            return
        what, faults, place = next(rounds)
        faults, name = min(amount, faults), f"flips-{number}"
        own = f"{seed}:{name}"
        if what == "reference":
            yield Experiment(name, partial(round_of_references, place, seed=own))
        else:
            how = {"seen": round_of_damage, "unseen": round_unseen, "copies": round_of_copies}[what]
            yield Experiment(name, partial(how, place, seed=own, first=done[what], count=faults))
            done[what] += faults
        amount -= faults


def _races(amount: int, seed: int, url: str) -> Iterator[Experiment]:
    for number in range(amount):
        name = f"races-{number}"
        kind = KINDS[(number // 2) % len(KINDS)]
        yield Experiment(name, partial(_race, number % 2 == 0, url, f"{seed}:{name}", kind))


def _race(on_disk: bool, url: str, seed: str, kind: str, folder: Path) -> list[Outcome]:
    return one_race(str(folder / "lake") if on_disk else f"{url}/{folder.name}", folder, seed, kind)


def _others(seed: int, disk: Disk, bucket: Bucket, source: Path) -> Iterator[Experiment]:
    places: tuple[Place, ...] = (disk, bucket)
    chance = random.Random(seed)
    for number in range(WHOLE_RUNS):
        for place in places:
            name = f"runs-{place.name.replace(' ', '-')}-{number}"
            yield Experiment(name, partial(two_runs, place, seed=f"{chance.random()}"))
            name = f"registrations-{place.name.replace(' ', '-')}-{number}"
            yield Experiment(name, partial(registrations, place, seed=f"{chance.random()}", source=source))
    for number in range(FULL_DISKS):
        yield Experiment(f"disk-{number}", partial(full_disk, disk, seed=f"{chance.random()}"))


def _grouped(family: Iterator[Experiment], size: int) -> Iterator[tuple[Experiment, ...]]:
    group: list[Experiment] = []
    for one in family:
        group.append(one)
        if len(group) == size:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)
