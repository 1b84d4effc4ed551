"""A recipe: how one asset's partition is made, in plain Python.

What belongs here: the form every recipe has, and running one. What does not: what any room makes (its `recipes.py`),
and Dagster (its `assets.py`).

A recipe names the partitions it reads and the settings it depends on; their hashes and the recipe's version make the
partition's fingerprint. So anyone can ask whether a partition is current without making it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minemap_assets.errors import BadInputError, MinemapError, NotFoundError, StorageError
from minemap_assets.lake.lake import build_partition
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef, fingerprint
from minemap_assets.lake.partitions import Examine, Partition, PartitionWriter
from minemap_assets.project.project import Project

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Kitchen:
    """What a recipe's build works with: the project, the partition's keys, what it reads and where it writes."""

    project: Project
    keys: Keys
    writer: PartitionWriter
    inputs: Mapping[PartitionRef, Partition]

    def read(self, room: str, asset: str, *keys: str) -> Partition:
        """An input partition. Raises `NotFoundError` for an optional one that does not exist."""
        ref = PartitionRef(room, asset, keys)
        if ref not in self.inputs:
            raise NotFoundError(f"{ref} has not been made yet")
        return self.inputs[ref]

    def find(self, room: str, asset: str, *keys: str) -> Partition | None:
        """An optional input partition; None where it does not exist."""
        return self.inputs.get(PartitionRef(room, asset, keys))

    def progress(self, done: int, total: int) -> None:
        """Report work done on this partition."""
        self.project.progress(str(self.writer.ref), done, total)


def _nothing(_: Project, __: Keys) -> Sequence[PartitionRef]:
    return ()


def _no_config(_: Project, __: Keys) -> Any:
    return {}


def _intact(_: Project, __: Keys) -> bool:
    return True


@dataclass(frozen=True)
class Recipe:
    """How to make one asset.

    `needs` are partitions that must exist, `reads` ones that are used where they exist. `config` gives every setting
    and external input the result depends on, as JSON values. `version` is raised when the code gives other results.
    `intact` is False where something the recipe keeps outside the lake is gone.
    """

    room: str
    asset: str
    version: str
    build: Callable[[Kitchen], Outcome]
    needs: Callable[[Project, Keys], Sequence[PartitionRef]] = field(default=_nothing)
    reads: Callable[[Project, Keys], Sequence[PartitionRef]] = field(default=_nothing)
    config: Callable[[Project, Keys], Any] = field(default=_no_config)
    intact: Callable[[Project, Keys], bool] = field(default=_intact)

    def ref(self, keys: Keys) -> PartitionRef:
        """The partition these keys name."""
        return PartitionRef(self.room, self.asset, keys)

    def inputs(self, project: Project, keys: Keys) -> dict[PartitionRef, Partition]:
        """All existing inputs that passed their checks.

        Raises `BadInputError` where a needed one was never made or failed a check.
        """
        found: dict[PartitionRef, Partition] = {}
        for ref in self.needs(project, keys):
            partition = project.lake.find(ref)
            if partition is None:
                raise BadInputError(
                    f"{self.ref(keys)} needs {ref}, which has not been made; "
                    f"make it with `minemap run --select +{ref.asset}`{_where(ref)}"
                )
            if partition.manifest.rejected:
                raise BadInputError(f"{self.ref(keys)} needs {ref}, of which {partition.manifest.rejected[0]}")
            found[ref] = partition
        for ref in self.reads(project, keys):
            partition = project.lake.find(ref)
            if partition is not None and not partition.manifest.rejected:
                found[ref] = partition
        return found

    def is_current(self, project: Project, keys: Keys) -> bool:
        """True where the partition is whole, misses nothing, and everything it depends on is known and unchanged."""
        manifest = project.lake.manifest(self.ref(keys))
        if manifest is None or not manifest.complete or not self.intact(project, keys):
            return False
        try:
            inputs = _contents(self.inputs(project, keys))
            print_ = fingerprint(self.version, self.config(project, keys), inputs)
        except StorageError:
            raise
        except MinemapError:
            # making it says what is wrong
            return False
        return print_ == manifest.fingerprint and project.lake.is_whole(manifest, checksums=False)

    def make(self, project: Project, keys: Keys, examine: Examine | None = None) -> tuple[Manifest, bool]:
        """Make the partition unless it is current; returns its manifest and whether it was made now.

        What `examine` finds wrong with it is written in its manifest.
        """
        inputs = self.inputs(project, keys)

        def build(writer: PartitionWriter) -> Outcome:
            return self.build(Kitchen(project, keys, writer, inputs))

        return build_partition(
            project.lake,
            self.ref(keys),
            code_version=self.version,
            config=self.config(project, keys),
            inputs=_contents(inputs),
            build=build,
            intact=self.intact(project, keys),
            examine=examine,
        )


def _contents(inputs: Mapping[PartitionRef, Partition]) -> dict[str, str]:
    return {str(ref): partition.manifest.content for ref, partition in inputs.items()}


def _where(ref: PartitionRef) -> str:
    return f" for {'|'.join(ref.keys)}" if ref.keys else ""
