"""A project as one command or one materialisation sees it: what people wrote under `inputs/`, read once.

It knows no room. Rooms and sources hand in their settings sections, rules over them, and whatever else others look up
by type (`Parts`).
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from minemap_assets.errors import BadInputError
from minemap_assets.lake.input_history import History
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.messages import suggestion
from minemap_assets.project.listener import Listener
from minemap_assets.project.regions import REGIONS_PATH, Region, read_regions
from minemap_assets.project.settings import SETTINGS_PATH, Section, Settings, default_settings, parse_settings

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Parts:
    """What a project is put together from besides its files.

    `sections` of the settings file; `rules` look at a project that was just read and raise `BadInputError`; others find
    `extensions` by their type (`Project.extensions`).
    """

    sections: tuple[Section, ...] = ()
    rules: tuple[Callable[["Project"], None], ...] = ()
    extensions: tuple[object, ...] = ()


@dataclass(frozen=True, eq=False)
class Project:
    """A frozen snapshot: settings, regions and input files as they were when it was first asked for each.

    `accepts_losses` says that a person has agreed to what a run would drop, and `forced` names partitions that a person
    wants made again though they are current; one that `was_made` meanwhile is not any more.
    """

    lake: Lake
    parts: Parts
    settings: Settings
    regions: Mapping[str, Region]
    sample: int | None = None
    listener: Listener = field(default_factory=Listener)
    accepts_losses: bool = False
    forced: frozenset[PartitionRef] = frozenset()
    _made: set[PartitionRef] = field(default_factory=set, repr=False)
    _inputs: dict[str, bytes | None] = field(default_factory=dict, repr=False)
    _damaged: set[str] = field(default_factory=set, repr=False)
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _made_from: dict[Hashable, set[str]] = field(default_factory=dict, repr=False)
    _computing: list[set[str]] = field(default_factory=list, repr=False)
    _lock: Any = field(default_factory=threading.RLock, repr=False)

    def section(self, model: type[Model]) -> Model:
        """The settings of a room or source."""
        return self.settings.section(model)

    def extensions(self, kind: type[T]) -> tuple[T, ...]:
        """Everything of one type that the project was put together with."""
        return tuple(one for one in self.parts.extensions if isinstance(one, kind))

    def input(self, path: str) -> bytes | None:
        """The bytes of a file under `inputs/`, read once; None where there is none.

        Raises `BadInputError` where there was one, and nobody removed it on purpose.
        """
        with self._lock:
            if self._computing:
                self._computing[-1].add(path)
            if path not in self._inputs:
                self._inputs[path] = Inputs(self.lake.store).read(path, lambda: self.cached(_history))
            return self._inputs[path]

    def parsed(self, path: str, parse: Callable[[bytes | None], T]) -> T:
        """What a function makes of a file under `inputs/`; where it raises `BadInputError`, the file is damaged, and
        the sentence also names its last good version.
        """
        data = self.input(path)
        try:
            with Inputs(self.lake.store).reading(path, data):
                return parse(data)
        except BadInputError:
            self._damaged.add(path)
            raise

    def wrote(self, path: str, data: bytes) -> None:
        """Take notice of a file under `inputs/` that this process itself has just written.

        What was computed from it is computed again. Settings and regions stay what they were.
        """
        with self._lock:
            self._inputs[path] = data
            self._damaged.discard(path)
            for key in [key for key, paths in self._made_from.items() if path in paths]:
                self._known.pop(key, None)
                del self._made_from[key]

    def record_inputs(self) -> None:
        """Keep a version of every input that this snapshot has read and that is not damaged, to be brought back later.

        What is kept already costs nothing. A lake that cannot be written to stays as it is.
        """
        with self._lock:
            found = {p: data for p, data in self._inputs.items() if data is not None and p not in self._damaged}
        Inputs(self.lake.store).record(found)

    def cached(self, compute: Callable[["Project"], T]) -> T:
        """What a function makes of this project, computed once; a `partial` is known by its function and arguments."""
        key: Hashable = (compute.func, compute.args) if isinstance(compute, partial) else compute
        with self._lock:
            if key not in self._known:
                self._computing.append(set())
                try:
                    value = compute(self)
                finally:
                    self._made_from[key] = self._computing.pop()
                    self._hand_up(key)
                self._known[key] = value
            self._hand_up(key)
            found: T = self._known[key]
            return found

    def _hand_up(self, key: Hashable) -> None:
        """What is being computed now was made from everything that one of its parts was made from."""
        if self._computing:
            self._computing[-1].update(self._made_from.get(key, ()))

    def told(self, listener: Listener) -> "Project":
        """The same snapshot, telling somebody else how work goes on."""
        return replace(self, listener=listener)

    def is_forced(self, ref: PartitionRef) -> bool:
        """Whether a partition is still to be made again because a person wants it."""
        return ref in self.forced and ref not in self._made

    def was_made(self, ref: PartitionRef) -> None:
        """Take notice that a partition was made from this snapshot."""
        self._made.add(ref)

    @property
    def where(self) -> str:
        """The settings file, for messages."""
        return f"{self.lake.store.root}/{SETTINGS_PATH}"

    @property
    def first_year(self) -> int:
        """The first year of the maps."""
        return self.settings.general.first_year

    @property
    def last_year(self) -> int | None:
        """The last year that the maps will ever have; None where every new year is mapped."""
        return self.settings.general.last_year

    def years(self) -> range:
        """Every year of the maps so far, the running one included."""
        running = datetime.now(UTC).year
        return range(self.first_year, min(running, self.last_year or running) + 1)

    def closed_years(self) -> range:
        """Those of them that have ended."""
        years = self.years()
        return range(years.start, min(years.stop, datetime.now(UTC).year))

    def active_regions(self) -> dict[str, Region]:
        """Regions that are not retired, in order of their slugs."""
        return {slug: r for slug, r in sorted(self.regions.items()) if not r.retired}

    def region(self, slug: str) -> Region:
        """One region. Raises `BadInputError` for an unknown slug."""
        if slug not in self.regions:
            known = ", ".join(sorted(self.regions)) or "none yet"
            raise BadInputError(
                f"unknown region {slug!r}{suggestion(slug, self.regions)}; the regions are {known}, and "
                f"`minemap regions add` adds one"
            )
        return self.regions[slug]


@dataclass(frozen=True)
class ProjectHome:
    """Where a project lies and what it is put together from; `open` reads it.

    `sample` limits the sites of each region, for a pilot. A home that was `pinned` to a snapshot always opens that one.
    """

    lake: Lake
    parts: Parts
    sample: int | None = None
    snapshot: Project | None = None

    @classmethod
    def at(
        cls, home: str, state: Path, parts: Parts, sample: int | None = None, cache_bytes: int | None = None
    ) -> "ProjectHome":
        """The project whose lake lies at `home`, a folder or the URL of an object store (`Lake.at`)."""
        return cls(Lake.at(home, state, cache_bytes), parts, sample)

    def open(self) -> Project:
        """Read settings and regions. Raises `BadInputError` naming the file and the entry that is wrong.

        So it does where a file is gone or blank that was neither, and nobody removed it on purpose. Raises
        `StorageError` where the lake is not of the layout that this minemap reads.
        """
        if self.snapshot is not None:
            return self.snapshot
        self.lake.check()
        store, inputs = self.lake.store, Inputs(self.lake.store)
        known: dict[Hashable, Any] = {}

        def history() -> History:
            if _history not in known:
                known[_history] = inputs.history()
            found: History = known[_history]
            return found

        data, drawn = (inputs.read(path, history) for path in (SETTINGS_PATH, REGIONS_PATH))
        if data is not None and not data.strip():
            history().refuse_lost(SETTINGS_PATH, store.root, data)
        where, sections = f"{store.root}/{SETTINGS_PATH}", self.parts.sections
        with inputs.reading(SETTINGS_PATH, data):
            settings = default_settings(sections) if data is None else parse_settings(data, sections, where)
        with inputs.reading(REGIONS_PATH, drawn):
            regions = {} if drawn is None else read_regions(drawn)
        found = {SETTINGS_PATH: data, REGIONS_PATH: drawn}
        project = Project(self.lake, self.parts, settings, regions, self.sample, _inputs=found, _known=known)
        try:
            for rule in self.parts.rules:
                rule(project)
        except BadInputError as error:
            if where not in str(error):
                raise
            with inputs.reading(SETTINGS_PATH, data):
                raise
        return project

    def pinned(self, project: Project) -> "ProjectHome":
        """A home at which everybody finds this snapshot."""
        return replace(self, snapshot=project)


def _history(project: Project) -> History:
    return Inputs(project.lake.store).history()
