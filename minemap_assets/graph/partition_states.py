"""Whether a partition is current, and making it where it is not: the one place that decides.

Manifests are read once for a project snapshot; what is made through here is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from minemap_assets.errors import BadInputError, MinemapError, StorageError
from minemap_assets.graph.context import BuildContext, CheckOutcome, InputContext, Keys
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.lake import build_partition
from minemap_assets.lake.manifests import Manifest, PartitionRef, fingerprint
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project


class PartitionState(Enum):
    """What is to be said of a partition before anything is made."""

    CURRENT = "current"
    OUTDATED = "outdated"
    GAPS = "gaps"
    MISSING = "missing"


@dataclass(frozen=True)
class Made:
    """A partition after `make`: its manifest, whether it was made now, and what its checks found, by their names."""

    manifest: Manifest
    now: bool
    findings: Mapping[str, CheckOutcome]

    @property
    def failures(self) -> list[str]:
        """A sentence for each check that failed."""
        return _failures(self.findings)


class PartitionStates:
    """States of partitions of one graph, as one project snapshot sees them."""

    def __init__(self, graph: Graph, project: Project) -> None:
        self._graph = graph
        self.project = project
        self._manifests: dict[PartitionRef, Manifest | None] = {}

    def manifest(self, ref: PartitionRef) -> Manifest | None:
        """The partition's manifest; None where it was never made."""
        if ref not in self._manifests:
            self._manifests[ref] = self.project.lake.manifest(ref)
        return self._manifests[ref]

    def forget(self, refs: Sequence[PartitionRef]) -> None:
        """Read these manifests again: somebody may have made them."""
        for ref in refs:
            self._manifests.pop(ref, None)

    def state(self, asset: Asset, keys: Keys) -> PartitionState:
        """Current: whole, misses nothing that is worth another try, and all it depends on is known and unchanged."""
        manifest = self.manifest(asset.ref(keys))
        if manifest is None:
            return PartitionState.MISSING
        if self._is_current(asset, keys, manifest):
            return PartitionState.CURRENT
        return PartitionState.GAPS if manifest.missing or manifest.rejected else PartitionState.OUTDATED

    def _is_current(self, asset: Asset, keys: Keys, manifest: Manifest) -> bool:
        if not asset.intact(self.project, keys):
            return False
        try:
            contents = {str(ref): manifest.content for ref, manifest in self._inputs(asset, keys).items()}
            print_ = fingerprint(asset.code_version, asset.settings(self.project, keys), contents)
        except StorageError:
            raise
        except MinemapError:
            # making it says what is wrong
            return False
        return self.project.lake.is_current(manifest, print_, checksums=False)

    def _inputs(self, asset: Asset, keys: Keys) -> dict[PartitionRef, Manifest]:
        """All existing inputs that passed their checks.

        Raises `BadInputError` where a needed one was never made or failed a check.
        """
        found: dict[PartitionRef, Manifest] = {}
        for ref, dep in self._graph.reads(asset, keys).items():
            manifest = self.manifest(ref)
            if manifest is not None and not manifest.rejected:
                found[ref] = manifest
            elif not dep.optional:
                raise BadInputError(f"{asset.ref(keys)} needs {ref}, {_lacking(ref, manifest)}")
        return found

    def make(self, asset: Asset, keys: Keys) -> Made:
        """Make the partition unless it is current. What its checks find wrong is written in its manifest.

        Raises `BadInputError` where an input is missing, and whatever the asset's build function raises.
        """
        project, ref = self.project, asset.ref(keys)
        manifests = self._inputs(asset, keys)
        upstream = {one: dep.upstream for one, dep in self._graph.reads(asset, keys).items()}
        inputs = {one: Partition(project.lake.store, manifest) for one, manifest in manifests.items()}
        context = InputContext(project, ref, inputs, upstream)
        findings: dict[str, CheckOutcome] = {}

        def examine(partition: Partition) -> list[str]:
            findings.update({check.name: check.evaluate(partition, context) for check in asset.checks})
            return _failures(findings)

        manifest, now = build_partition(
            project.lake,
            ref,
            code_version=asset.code_version,
            config=asset.settings(project, keys),
            inputs={str(one): m.content for one, m in manifests.items()},
            build=lambda writer: asset.build(BuildContext(project, ref, inputs, upstream, writer)),
            intact=asset.intact(project, keys),
            examine=examine,
        )
        self._manifests[ref] = manifest
        if not now:
            examine(Partition(project.lake.store, manifest))
        return Made(manifest, now, findings)


def _failures(findings: Mapping[str, CheckOutcome]) -> list[str]:
    return [f"check {name} failed: {found.sentence}" for name, found in findings.items() if not found.passed]


def _lacking(ref: PartitionRef, manifest: Manifest | None) -> str:
    if manifest is not None:
        return f"of which {manifest.rejected[0]}"
    where = f" for {'|'.join(ref.keys)}" if ref.keys else ""
    return f"which has not been made; make it with `minemap run --select +{ref.asset}`{where}"
