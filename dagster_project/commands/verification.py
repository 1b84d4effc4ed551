"""What `minemap verify` reads, and what of it is not as it was published: everything, or one part of it a day."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from dagster_project.commands.partition_names import long_name
from minemap_assets.errors import BadInputError
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.publication.releases.release_damage import Amount, release_damage
from minemap_assets.reference.catalogue import entry_damage
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.promotion import MODELS_FOLDER, is_kept_whole, kept_versions

DAYS = 30
"""Days in which everything is read once, a slice a day."""

MOST_SLICES = 3660

TODAY = "today"

_SLICE = re.compile(r"(?P<number>\d{1,4}|today)(?:/(?P<of>\d{1,4}))?")


@dataclass(frozen=True)
class Slice:
    """Part `number` (from 1 on) of so many parts, into which names fall by their hash: always the same one."""

    number: int = 1
    of: int = 1

    @classmethod
    def of_day(cls, day: date, of: int = DAYS) -> "Slice":
        """The slice of a day: in so many days in a row, each comes once."""
        return cls(day.toordinal() % of + 1, of)

    @classmethod
    def parse(cls, text: str, today: date) -> "Slice":
        """From `3/30`, `today` or `today/7`. Raises `BadInputError`."""
        found = _SLICE.fullmatch(text.strip().lower())
        if found is None or (found["number"] != TODAY and found["of"] is None):
            raise BadInputError(f"--slice: {text!r} is no slice; write 3/30 for the third of thirty parts, or today")
        of = int(found["of"] or DAYS)
        if not 1 <= of <= MOST_SLICES:
            raise BadInputError(f"--slice: {text!r} has {of} parts; write 1 to {MOST_SLICES}")
        if found["number"] == TODAY:
            return cls.of_day(today, of)
        if not 1 <= int(found["number"]) <= of:
            raise BadInputError(f"--slice: {text!r} is not one of {of} parts; they are numbered from 1 to {of}")
        return cls(int(found["number"]), of)

    def holds(self, name: str) -> bool:
        """Whether a name falls into this slice."""
        return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


EVERYTHING = Slice()


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was published, in a sentence; `partition` is None for an input or a release."""

    partition: str | None
    sentence: str


@dataclass
class Found:
    """How much was read, and what of it is wrong: in partitions, among the inputs, and in frozen releases.

    `sets_aside` says whether damaged files are taken out of their partitions, and `slice` which part was read.
    """

    sets_aside: bool
    slice: str = str(EVERYTHING)
    partitions: int = 0
    files: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    inputs: list[Damage] = field(default_factory=list)
    releases: list[Damage] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: 1 where anything is wrong."""
        return 1 if self.damaged or self.inputs or self.releases else 0


Reading = Callable[[PartitionRef, int, int], None]
"""Told of each partition before it is read: which one, how many came before it, and of how many."""


@dataclass(frozen=True)
class Verification:
    """One reading of a lake. What is damaged is set aside unless `sets_aside` is False."""

    project: Project
    graph: Graph
    slice: Slice = EVERYTHING
    sets_aside: bool = True
    reading: Reading = lambda _, __, ___: None

    def run(self, told: Callable[[Damage], None]) -> Found:
        """Read all of the slice; `told` hears of each damage when it is found."""
        found = Found(self.sets_aside, str(self.slice))
        for damage in self._partitions(found):
            found.damaged.append(damage)
            told(damage)
        for damage in self._inputs():
            found.inputs.append(damage)
            told(damage)
        for damage in self._releases(found):
            found.releases.append(damage)
            told(damage)
        return found

    def _partitions(self, found: Found) -> Iterator[Damage]:
        lake = self.project.lake
        refs = [ref for asset in self.graph.assets for ref in lake.refs(asset.room, asset.name)]
        refs = [ref for ref in refs if self.slice.holds(ref.prefix)]
        for number, ref in enumerate(refs):
            self.reading(ref, number, len(refs))
            for sentence in _partition(lake, ref, found, set_aside=self.sets_aside):
                yield Damage(long_name(ref), sentence)

    def _inputs(self) -> Iterator[Damage]:
        """Registered files and kept models, which nothing here can make again."""
        store = self.project.lake.store
        for entry in catalogue(self.project).entries:
            if self.slice.holds(entry.name) and (sentence := entry_damage(entry, store)) is not None:
                yield Damage(None, sentence)
        for version in kept_versions(store):
            if self.slice.holds(version) and not is_kept_whole(store, version):
                where = f"{store.root}/{MODELS_FOLDER}/{version}"
                yield Damage(None, f"{where} is not the model that its name says; restore that folder")

    def _releases(self, found: Found) -> Iterator[Damage]:
        """Frozen releases, which nothing here can make again."""
        amount = Amount()
        for _, sentence in release_damage(self.project.lake.store, amount, self.slice.holds):
            yield Damage(None, sentence)
        found.files += amount.files
        found.bytes += amount.bytes


def _partition(lake: Lake, ref: PartitionRef, found: Found, *, set_aside: bool) -> Iterator[str]:
    found.partitions += 1
    try:
        manifest = lake.read_manifest(ref)
    except DamagedError as error:
        yield str(error)
        return
    if manifest is None:
        return
    found.files += len(manifest.files)
    found.bytes += sum(stored.bytes for stored in manifest.files)
    damaged = lake.damaged(manifest, thoroughly=True)
    if set_aside:
        lake.set_aside(ref, [stored.path for stored in damaged])
    for stored in damaged:
        yield f"{ref}: {lake.store.root}/{ref.prefix}/{stored.path} is gone or not what was published"
