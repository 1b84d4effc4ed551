"""An asset, stated once: what Dagster is told of it, what it is made from, and the function that makes it.

A room's `assets.py` holds one `Asset` for each thing it makes and one `Room` that lists them. Everything else follows
from these: Dagster's assets, jobs and automation (`dagster_assets.py`), the order in which the command line walks
(`graph.py`), and whether a partition is current (`partition_states.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minemap_assets.graph.context import BuildContext, Check, InputContext, Keys
from minemap_assets.graph.partitioning import Partitioning, PartitionMapping, along_shared_dimensions, unpartitioned
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project
from minemap_assets.project.settings import Section


@dataclass(frozen=True)
class Job:
    """A named job that a schedule, a sensor or a person starts; assets say which one they belong to."""

    name: str
    description: str


@dataclass(frozen=True)
class Dep:
    """An upstream asset or family, and which of its partitions are read.

    An `optional` partition is used where it exists and holds nothing up. `triggers` is False where its update asks for
    nothing by itself. One that is `lineage` only comes first and is shown, but is read, if at all, because something
    else names it: what it holds now does not enter the fingerprint.
    """

    upstream: "Asset | AssetFamily"
    mapping: PartitionMapping = along_shared_dimensions
    optional: bool = False
    triggers: bool = True
    lineage: bool = False


@dataclass(frozen=True)
class ColumnOrigin:
    """An upstream column: the name of a direct dependency (or of the asset itself) and the column there."""

    asset: str
    column: str


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a table before it exists: columns' descriptions beside the shared ones, and their origins."""

    descriptions: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, tuple[ColumnOrigin, ...]] = field(default_factory=dict)
    in_database: bool = False


@dataclass(frozen=True)
class Freshness:
    """When an asset has to be made anew: by `deadline`, a cron expression in UTC, and so many `days` before it at most.

    It is about the asset and not about a partition: an old year that is made again counts too.
    """

    deadline: str
    days: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Asset:
    """One asset. Room, key prefix, group and folder of the lake are one word.

    `settings` gives what of the settings and other files of the project the result depends on, as JSON values, and only
    that: with the contents of what is read and `code_version` it makes the fingerprint. `setting_names` are the names
    of these values where they are a list (`setting_texts.py`). `automated` assets are asked
    for by automation when inputs change; a `job` is what people and schedules start. What was `fetched` may not be
    there to be fetched again, so what replaces it does not delete it. `applies` is False where a project has nothing to
    make it from. `intact` is False where something kept outside the lake is gone. `headline` is what is to be known of
    a partition before its figures, by name, and `picture` draws one as WebP. `freshness` says by when people expect it.
    One `on_request` is made where it is named, and not by a run of everything.
    """

    room: str
    name: str
    description: str
    build: Callable[[BuildContext], Outcome]
    partitions: Partitioning = unpartitioned
    deps: tuple[Dep, ...] = ()
    settings: Callable[[Project, Keys], Any] = lambda _, __: {}
    setting_names: tuple[str, ...] = ()
    code_version: str = "1"
    checks: tuple[Check, ...] = ()
    kinds: frozenset[str] = frozenset({"parquet"})
    pool: str | None = None
    op_tags: Mapping[str, Any] = field(default_factory=dict)
    automated: bool = False
    job: Job | None = None
    fetched: bool = False
    columns: ColumnFacts = ColumnFacts()
    freshness: Freshness | None = None
    applies: Callable[[Project], bool] = lambda _: True
    intact: Callable[[Project, Keys], bool] = lambda _, __: True
    headline: Callable[[Project, Manifest], Mapping[str, str]] = lambda _, __: {}
    picture: Callable[[Partition, InputContext], bytes] | None = None
    on_request: bool = False

    def __str__(self) -> str:
        return f"{self.room}/{self.name}"

    def ref(self, keys: Keys = ()) -> PartitionRef:
        """The partition these keys name."""
        return PartitionRef(self.room, self.name, keys)


@dataclass(frozen=True, eq=False)
class AssetFamily:
    """Assets of one kind, as many as the project names. `member` states one of them."""

    room: str
    names: Callable[[Project], tuple[str, ...]]
    member: Callable[[str], Asset]

    def __str__(self) -> str:
        return f"{self.room}/*"


@dataclass(frozen=True)
class Room:
    """One stage: its assets in the order in which data flows, its settings, and rules over a project's settings.

    `extensions` is what others look up by type (`Project.extensions`). A room `on_request` is made where it is named,
    and not by a run of everything, because it costs more than all others together.
    """

    name: str
    assets: tuple[Asset | AssetFamily, ...]
    sections: tuple[Section, ...] = ()
    rules: tuple[Callable[[Project], None], ...] = ()
    extensions: tuple[object, ...] = ()
    on_request: bool = False
