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
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.store import read_if_there
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
    """A frozen snapshot: settings, regions and input files as they were when it was first asked for each."""

    lake: Lake
    parts: Parts
    settings: Settings
    regions: Mapping[str, Region]
    sample: int | None = None
    listener: Listener = field(default_factory=Listener)
    _inputs: dict[str, bytes | None] = field(default_factory=dict, repr=False)
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _lock: Any = field(default_factory=threading.RLock, repr=False)

    def section(self, model: type[Model]) -> Model:
        """The settings of a room or source."""
        return self.settings.section(model)

    def extensions(self, kind: type[T]) -> tuple[T, ...]:
        """Everything of one type that the project was put together with."""
        return tuple(one for one in self.parts.extensions if isinstance(one, kind))

    def input(self, path: str) -> bytes | None:
        """The bytes of a file under `inputs/`, read once; None where there is none."""
        with self._lock:
            if path not in self._inputs:
                self._inputs[path] = read_if_there(self.lake.store, path)
            return self._inputs[path]

    def cached(self, compute: Callable[["Project"], T]) -> T:
        """What a function makes of this project, computed once; a `partial` is known by its function and arguments."""
        key: Hashable = (compute.func, compute.args) if isinstance(compute, partial) else compute
        with self._lock:
            if key not in self._known:
                self._known[key] = compute(self)
            found: T = self._known[key]
            return found

    def told(self, listener: Listener) -> "Project":
        """The same snapshot, telling somebody else how work goes on."""
        return replace(self, listener=listener)

    @property
    def where(self) -> str:
        """The settings file, for messages."""
        return f"{self.lake.store.root}/{SETTINGS_PATH}"

    @property
    def first_year(self) -> int:
        """The first year of the maps."""
        return self.settings.general.first_year

    def years(self) -> range:
        """Every year of the maps so far, the running one included."""
        return range(self.first_year, datetime.now(UTC).year + 1)

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
    def at(cls, home: str, state: Path, parts: Parts, sample: int | None = None) -> "ProjectHome":
        """The project whose lake lies at `home`, a folder or the URL of an object store."""
        return cls(Lake.at(home, state), parts, sample)

    def open(self) -> Project:
        """Read settings and regions. Raises `BadInputError` naming the file and the entry that is wrong."""
        if self.snapshot is not None:
            return self.snapshot
        data, drawn = read_if_there(self.lake.store, SETTINGS_PATH), read_if_there(self.lake.store, REGIONS_PATH)
        where = f"{self.lake.store.root}/{SETTINGS_PATH}"
        sections = self.parts.sections
        settings = default_settings(sections) if data is None else parse_settings(data, sections, where)
        regions = {} if drawn is None else read_regions(drawn)
        project = Project(self.lake, self.parts, settings, regions, self.sample)
        for rule in self.parts.rules:
            rule(project)
        return project

    def pinned(self, project: Project) -> "ProjectHome":
        """A home at which everybody finds this snapshot."""
        return replace(self, snapshot=project)
