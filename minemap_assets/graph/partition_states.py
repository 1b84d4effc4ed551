"""Whether a partition is current, and making it where it is not: the one place that decides.

Manifests are read once for a project snapshot; what is made through here is read again. A partition that turns out to
be damaged while another one reads it is made again at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from minemap_assets.errors import BadInputError, MinemapError, PermanentError, StorageError
from minemap_assets.graph.context import BuildContext, CheckOutcome, InputContext, Keys
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partitioning import REGION, YEAR
from minemap_assets.graph.setting_texts import setting_texts
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.lake import build_partition
from minemap_assets.lake.manifests import DamagedError, Manifest, PartitionRef, fingerprint
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.store import Patience
from minemap_assets.lake.writer import WriteRules
from minemap_assets.project.project import Project

_MOST_DAMAGE = 100
"""Damaged partitions that making one partition heals before it gives up."""


class PartitionState(Enum):
    """What is to be said of a partition before anything is made."""

    CURRENT = "current"
    OUTDATED = "outdated"
    DAMAGED = "damaged"
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
        self._unreadable: dict[PartitionRef, DamagedError] = {}
        self._contents: dict[PartitionRef, tuple[Manifest, str]] = {}
        self.healed: list[Manifest] = []

    def manifest(self, ref: PartitionRef) -> Manifest | None:
        """The partition's manifest; None where it was never made, or cannot be read any more."""
        if ref not in self._manifests:
            try:
                self._manifests[ref] = self.project.lake.read_manifest(ref)
            except DamagedError as damage:
                self._manifests[ref], self._unreadable[ref] = None, damage
        return self._manifests[ref]

    def unreadable(self, ref: PartitionRef) -> DamagedError | None:
        """Why the partition's manifest cannot be read; None where it can, or where there is none."""
        self.manifest(ref)
        return self._unreadable.get(ref)

    def forget(self, refs: Sequence[PartitionRef]) -> None:
        """Read these manifests again: somebody may have made them."""
        for ref in refs:
            self._manifests.pop(ref, None)
            self._unreadable.pop(ref, None)

    def state(self, asset: Asset, keys: Keys) -> PartitionState:
        """Current: whole, misses nothing that is worth another try, and all it depends on is known and unchanged."""
        manifest = self.manifest(asset.ref(keys))
        if manifest is None:
            return PartitionState.DAMAGED if asset.ref(keys) in self._unreadable else PartitionState.MISSING
        if not self._is_due(asset, keys, manifest):
            return PartitionState.CURRENT if self.project.lake.is_whole(manifest) else PartitionState.DAMAGED
        return PartitionState.OUTDATED if manifest.complete else PartitionState.GAPS

    def _is_due(self, asset: Asset, keys: Keys, manifest: Manifest) -> bool:
        """True where it has to be made again, even if all its files are as they were published."""
        if not manifest.complete or not asset.intact(self.project, keys) or self.project.is_forced(asset.ref(keys)):
            return True
        return not self.is_made_from_now(asset, keys, manifest)

    def is_made_from_now(self, asset: Asset, keys: Keys, manifest: Manifest) -> bool:
        """Whether a partition was made from what there is now: the same code, settings and inputs.

        One that failed a check, or has gaps, may have been: made again it would come out the same, or with fewer gaps.
        """
        try:
            contents = {str(ref): self._content(ref, manifest) for ref, manifest in self._inputs(asset, keys).items()}
            print_ = fingerprint(asset.code_version, asset.settings(self.project, keys), contents)
        except StorageError:
            raise
        except MinemapError:
            # making it says what is wrong
            return False
        return manifest.fingerprint == print_

    def _content(self, ref: PartitionRef, manifest: Manifest) -> str:
        """The hash of what a partition holds, made once for all that read it."""
        known = self._contents.get(ref)
        if known is None or known[0] is not manifest:
            known = self._contents[ref] = (manifest, manifest.content)
        return known[1]

    def _inputs(self, asset: Asset, keys: Keys) -> dict[PartitionRef, Manifest]:
        """All existing inputs that passed their checks.

        Raises `BadInputError` where a needed one was never made or failed a check, and `DamagedError` where it was
        made, but cannot be read any more.
        """
        found: dict[PartitionRef, Manifest] = {}
        for ref, dep in self._graph.reads(asset, keys).items():
            manifest = self.manifest(ref)
            if manifest is not None and not manifest.rejected:
                found[ref] = manifest
            elif ref in self._unreadable:
                raise self._unreadable[ref]
            elif not dep.optional:
                lacking = _lacking(self._graph.asset(ref), ref, manifest)
                raise BadInputError(f"{asset.ref(keys)} needs {ref}, {lacking}")
        return found

    def make(self, asset: Asset, keys: Keys) -> Made:
        """Make the partition unless it is current. What its checks find wrong is written in its manifest.

        What it reads and finds damaged is made again first; the manifests of these are added to `healed`. Raises
        `BadInputError` where an input is missing, `PermanentError` where a damaged one cannot be made again, and
        whatever the asset's build function raises.
        """
        for _ in range(_MOST_DAMAGE):
            try:
                with self.project.lake.store.using():
                    return self._make(asset, keys)
            except DamagedError as damage:
                self._heal(damage, asset.ref(keys))
        raise PermanentError(
            f"{asset.ref(keys)} reads partitions that are damaged again as soon as they are made; check the disk that "
            f"holds {self.project.lake.store.root}"
        )

    def set_aside(self, damage: DamagedError) -> None:
        """Take a damaged file out of its partition, so that it counts as damaged from now on, and tell of it."""
        self.project.lake.set_aside(damage.ref, [damage.path] if damage.path is not None else [])
        self.project.listener.noticed(f"{damage}; {damage.ref} is made again")
        self.forget([damage.ref])

    def _heal(self, damage: DamagedError, reader: PartitionRef) -> None:
        """Have a damaged partition made again, unless somebody has done so since it was read."""
        used = self._manifests.get(damage.ref)
        self.forget([damage.ref])
        now = self.manifest(damage.ref)
        if now is not None and used is not None and now.files != used.files:
            return
        self.set_aside(damage)
        if damage.ref == reader:
            return
        try:
            made = self.make(self._graph.asset(damage.ref), damage.ref.keys)
        except StorageError:
            raise
        except MinemapError as error:
            raise PermanentError(f"{damage}, and it could not be made again: {error}") from error
        if made.failures:
            raise PermanentError(f"{damage}, and made again it fails: {made.failures[0]}")
        self.healed.append(made.manifest)

    def _rules(self, asset: Asset, ref: PartitionRef) -> WriteRules:
        project, general = self.project, self.project.settings.general
        told = project.listener.noticed
        return WriteRules(
            most_dropped=1.0 if project.accepts_losses else general.most_dropped,
            fetched=asset.fetched,
            anew=project.is_forced(ref),
            patience=Patience(general.wait_minutes * 60, lambda who: told(f"{ref} waits for {who}, which makes it")),
            told=told,
        )

    def _make(self, asset: Asset, keys: Keys) -> Made:
        project, ref = self.project, asset.ref(keys)
        manifests = self._inputs(asset, keys)
        upstream = {one: dep.upstream for one, dep in self._graph.reads(asset, keys).items()}
        inputs = {one: Partition(project.lake.store, manifest) for one, manifest in manifests.items()}
        context = InputContext(project, ref, inputs, upstream)
        findings: dict[str, CheckOutcome] = {}
        config = asset.settings(project, keys)

        def examine(partition: Partition) -> list[str]:
            findings.update({check.name: check.evaluate(partition, context) for check in asset.checks})
            return _failures(findings)

        manifest, now = build_partition(
            project.lake,
            ref,
            code_version=asset.code_version,
            config=config,
            settings=setting_texts(project, asset, keys, config),
            inputs={str(one): m.content for one, m in manifests.items()},
            build=lambda writer: asset.build(BuildContext(project, ref, inputs, upstream, writer)),
            intact=asset.intact(project, keys),
            examine=examine,
            rules=self._rules(asset, ref),
        )
        self._manifests[ref] = manifest
        project.was_made(ref)
        if not now:
            examine(Partition(project.lake.store, manifest))
        return Made(manifest, now, findings)


def _failures(findings: Mapping[str, CheckOutcome]) -> list[str]:
    failed = ((name, found) for name, found in findings.items() if not (found.passed or found.only_warns))
    return [f"check {name} failed: {found.sentence}" for name, found in failed]


def _lacking(asset: Asset, ref: PartitionRef, manifest: Manifest | None) -> str:
    """What is wrong with an input that is needed, and the command that makes it."""
    if manifest is not None:
        return f"of which {manifest.rejected[0]}"
    named = dict(zip(asset.partitions.names, ref.keys, strict=True))
    scope = "".join(f" --{name}s {named[name]}" for name in (REGION, YEAR) if name in named)
    return f"which has not been made; make it with `minemap run --select +{ref.asset}{scope}`"
