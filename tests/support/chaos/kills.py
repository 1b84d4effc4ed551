"""Runs that are killed again and again, and an undisturbed one after them that has to end as if nothing had been."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.holdings import MANIFEST, database, holding, left_behind
from chaos.places import Disk, Place
from chaos.tally import Outcome
from commands import DEMO, Command, command
from tiny import Chain

BY_CHANCE = "killed at a random moment"
AT_WORK = "killed while an asset is made"
PUBLISHED = "killed right after a manifest appeared"

LONGEST = 4.0
"""Seconds after its start until which a run is killed by chance, where nothing else is waited for."""

_IDLE = 3
"""Runs that may end before they are killed, one after another."""


def kind_of(staged: str) -> str:
    """The asset of a partition that is being made; sets of one kind count as one."""
    room, asset = staged.split("~")[:2]
    return room if room == "reference" or (room == "tables" and asset != "database") else f"{room}/{asset}"


@dataclass
class Series:
    """One chain whose runs are killed. `fast` leaves the model alone, whose training takes longest."""

    place: Place
    chain: Chain
    chance: random.Random
    fast: bool = False

    def __post_init__(self) -> None:
        self._seen: set[str] = set()
        self._kills: dict[str, int] = {}
        self._losses: list[str] = []

    def run(self, kills: int) -> list[Outcome]:
        """Kill so many runs, let one come to its end, and compare."""
        idle = 0
        while sum(self._kills.values()) < kills and idle < _IDLE and not self._losses:
            kind = self._kill_one()
            if kind is None:
                idle += 1
                self.take_away()
            else:
                idle = 0
                self._kills[kind] = self._kills.get(kind, 0) + 1
                self._check_what_is_published()
        self._losses += compared(self.place, self.chain, command(self.chain, *DEMO))
        outcomes = []
        for n, (kind, count) in enumerate(sorted(self._kills.items())):
            losses = tuple(self._losses) if n == 0 else ()
            whole = 0 if self._losses else count
            outcomes.append(Outcome(kind, self.place.name, count, whole, whole, losses))
        return outcomes or [Outcome(BY_CHANCE, self.place.name, 0, 0, 0, tuple(self._losses))]

    def take_away(self) -> None:
        """Remove some assets whole, so that there is something to make."""
        store = self.place.store(self.chain)
        found = {path.rsplit("/", 1)[0] for path in store.list("") if _is_of_partition(path)}
        assets = sorted({"/".join(folder.split("/")[:2]) for folder in found})
        if self.fast or self.chance.random() < 0.8:
            assets = [asset for asset in assets if asset != "segmentation/segmentation_model"]
        for asset in self.chance.sample(assets, min(len(assets), self.chance.randint(2, 6))):
            for path in list(store.list(asset)):
                store.delete(path)
            self._seen.discard(kind_of(asset.replace("/", "~")))

    def _kill_one(self) -> str | None:
        """Start a run and kill it; the kind of moment, or None where it came to its end before."""
        run = Command(self.chain, *DEMO)
        kind = self.chance.choices((BY_CHANCE, AT_WORK, PUBLISHED), (3, 5, 2))[0]
        if kind == BY_CHANCE:
            due = time.monotonic() + self.chance.uniform(0.0, LONGEST)
            happened = run.wait_for(lambda: time.monotonic() >= due)
        else:
            happened = run.wait_for(lambda: bool(self._fresh()))
        at_work = sorted(self._fresh())
        if happened and kind == PUBLISHED and at_work:
            happened = run.wait_for(self._publication(self.chance.choice(at_work)))
        elif happened and kind == AT_WORK:
            time.sleep(self.chance.choice((0.0, self.chance.uniform(0.0, 0.3), self.chance.uniform(0.0, 2.0))))
        end = run.end(signal.SIGKILL)
        if end.code == -signal.SIGKILL:
            self._seen.update(kind_of(staged) for staged in at_work[:1])
            return kind
        if end.code:
            self._losses.append(f"a run ended with {end.code}: {end.text[-600:]}")
        return None

    def _fresh(self) -> list[str]:
        """Partitions being made of kinds in which nobody was killed yet; of any kind once all had their turn."""
        staged = self.place.staged(self.chain)
        return [one for one in staged if kind_of(one) not in self._seen]

    def _publication(self, staged: str) -> Callable[[], bool]:
        path = f"{staged.replace('~', '/')}/{MANIFEST}"
        before = self.place.mark(self.chain, path)
        return lambda: (
            self.place.mark(self.chain, path) not in {None, before} or staged not in self.place.staged(self.chain)
        )

    def _check_what_is_published(self) -> None:
        """After every kill on a disk, where reading costs little: manifests name what is there."""
        if isinstance(self.place, Disk):
            self._losses += [f"after a kill: {fault}" for fault in holding(self.place.store(self.chain)).faults]


def compared(place: Place, chain: Chain, end: object) -> list[str]:
    """What is wrong after a run that should have ended well, in a sentence each."""
    code, text = getattr(end, "code", None), str(getattr(end, "text", ""))
    if code:
        return [f"the undisturbed run ended with {code}: {text[-600:]}"]
    told = holding(place.store(chain)).against(place.expected)
    if database(chain) != place.rows:
        told.append("the database holds other rows")
    return told + left_behind(chain)


def series(
    place: Place, folder: Path, seed: str, kills: int, *, from_nothing: bool, fast: bool = False
) -> list[Outcome]:
    """A series in a folder, from an empty lake or from a whole one that something was taken out of."""
    chain = place.fresh(folder) if from_nothing else place.copied(folder)
    told = Series(place, chain, random.Random(seed), fast)
    if not from_nothing:
        told.take_away()
    outcomes = told.run(kills)
    if not any(one.losses for one in outcomes):
        place.discard(chain)
    return outcomes


def _is_of_partition(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 2 and not parts[0].startswith(".") and parts[0] != "inputs"
