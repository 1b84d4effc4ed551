"""What a build function and a check work with: the project, the keys, the partitions that are read. Plain Python."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minemap_assets.errors import NotFoundError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.project import Project

Keys = tuple[str, ...]
"""A partition's keys in the lake, dimensions in alphabetical order; empty for an asset without partitions."""


@dataclass(frozen=True)
class InputContext:
    """A partition's project, keys and existing inputs; `upstream` names the asset or family that each was read of."""

    project: Project
    ref: PartitionRef
    inputs: Mapping[PartitionRef, Partition]
    upstream: Mapping[PartitionRef, object]

    @property
    def keys(self) -> Keys:
        """The partition's keys."""
        return self.ref.keys

    def inputs_of(self, upstream: object) -> dict[PartitionRef, Partition]:
        """The partitions of one upstream asset or family that exist, in order."""
        return {ref: self.inputs[ref] for ref in sorted(self.inputs) if self.upstream[ref] is upstream}

    def input(self, upstream: object) -> Partition:
        """The only partition of an upstream asset. Raises `NotFoundError` for an optional one that does not exist."""
        found = list(self.inputs_of(upstream).values())
        if len(found) != 1:
            raise NotFoundError(f"{self.ref} reads {len(found)} partitions of {upstream} and not one")
        return found[0]


@dataclass(frozen=True)
class BuildContext(InputContext):
    """What a build function works with besides: where it writes, and whom it tells how far it is."""

    writer: PartitionWriter

    def progress(self, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """Report work done on this partition (`Progress`)."""
        self.project.listener.progress(self.ref, done, total, stage, detail)


@dataclass(frozen=True)
class CheckOutcome:
    """What a check found: whether it passed, one sentence, and the facts behind it.

    One that `only_warns` is shown where it fails, and holds nothing up.
    """

    passed: bool
    sentence: str
    facts: Mapping[str, Any]
    only_warns: bool = False


@dataclass(frozen=True)
class Check:
    """A blocking check of a partition before it is published."""

    name: str
    description: str
    evaluate: Callable[[Partition, InputContext], CheckOutcome]
