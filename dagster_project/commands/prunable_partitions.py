"""Imagery and chips whose pixels nobody needs any more: what may be taken out of partitions that stay current."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from dagster_project.commands.context import Session
from dagster_project.commands.refetching import why_lasting
from minemap_assets.chips.assets import CHIPS, TRAINING_CHIPS
from minemap_assets.errors import BadInputError
from minemap_assets.graph.context import Keys
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.partitioning import REGION, YEAR
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import Manifest, PartitionRef, StoredFile
from minemap_assets.lake.pruned import pruned_files, take_out

NOT_CURRENT = "not current"
FOLLOWS = "something made from it is not current"
OPEN_YEAR = "its year is not over"


@dataclass(frozen=True)
class Candidate:
    """A partition, and those of its files that may go."""

    manifest: Manifest
    files: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        """What their going saves."""
        return sum(stored.bytes for stored in self.files)


@dataclass
class Choice:
    """What may go, and how many partitions stay as they are, by reason."""

    candidates: list[Candidate] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)


class PrunablePartitions:
    """Looks for pixels that may go, in the regions and years of a scope."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope
        self._settled: dict[tuple[PartitionRef, str], bool] = {}

    def pixels(self) -> Choice:
        """Rasters of years that are over, that can be fetched again, and from which everything is made."""
        return self._choose((COMPOSITES,), lambda stored: stored.is_item, self._why_pixels_stay)

    def chips(self) -> Choice:
        """The arrays of chips from which everything is made."""
        return self._choose((CHIPS, TRAINING_CHIPS), lambda stored: "/" in stored.name, lambda _, __: "")

    def _choose(
        self,
        assets: tuple[Asset, ...],
        may_go: Callable[[StoredFile], bool],
        why_stay: Callable[[Asset, Manifest], str],
    ) -> Choice:
        choice, states, store = Choice(), self._session.states, self._session.project.lake.store
        for asset, manifest in self._made(assets):
            entries = store.entries(manifest.ref.prefix)
            gone = pruned_files(store, manifest.ref, entries)
            files = [one for one in manifest.files if may_go(one)]
            left = [one for one in files if gone.get(one.path) != one.sha256 or _path(manifest, one) in entries]
            if not left:
                continue
            current = states.state(asset, manifest.ref.keys) is PartitionState.CURRENT
            reason = why_stay(asset, manifest) if current else NOT_CURRENT
            if not reason and not self._is_settled(manifest.ref, _year(asset, manifest.ref.keys)):
                reason = FOLLOWS
            if reason:
                choice.kept[reason] += 1
            else:
                choice.candidates.append(Candidate(manifest, tuple(left)))
        return choice

    def _made(self, assets: tuple[Asset, ...]) -> Iterator[tuple[Asset, Manifest]]:
        known = set(self._session.graph.assets)
        for asset in assets:
            for manifest in self._session.project.lake.manifests(asset.room, asset.name) if asset in known else ():
                if self._is_asked(asset, manifest.ref.keys):
                    yield asset, manifest

    def _is_asked(self, asset: Asset, keys: Keys) -> bool:
        if len(keys) != len(asset.partitions.names):
            return False
        named = dict(zip(asset.partitions.names, keys, strict=True))
        years = {str(year) for year in self._scope.years}
        return named.get(REGION, "") in {"", *self._scope.regions} and (YEAR not in named or named[YEAR] in years)

    def _why_pixels_stay(self, _: Asset, manifest: Manifest) -> str:
        if int(manifest.ref.keys[-1]) >= datetime.now(UTC).year:
            return OPEN_YEAR
        return why_lasting(self._session.project, manifest)

    def _is_settled(self, ref: PartitionRef, year: str) -> bool:
        """Whether all that is made from a partition is current, or not to be made.

        What was never made counts where everything that it needs is there, unless nobody may have asked for it: of
        another `year`, or made on request.
        """
        if (ref, year) not in self._settled:
            self._settled[ref, year] = all(
                self._rests(asset, keys, year) and self._is_settled(asset.ref(keys), year)
                for asset, keys in self._readers(ref)
            )
        return self._settled[ref, year]

    def _rests(self, asset: Asset, keys: Keys, year: str) -> bool:
        states, graph = self._session.states, self._session.graph
        state = states.state(asset, keys)
        if state is not PartitionState.MISSING:
            return state is PartitionState.CURRENT
        if asset not in graph.standard:
            return True
        other = _year(asset, keys) not in {"", year}
        return other or any(states.manifest(needed) is None for needed in graph.needs(asset, keys))

    def _readers(self, ref: PartitionRef) -> list[tuple[Asset, Keys]]:
        return self._all_readers.get(ref, [])

    @cached_property
    def _all_readers(self) -> dict[PartitionRef, list[tuple[Asset, Keys]]]:
        graph, project = self._session.graph, self._session.project
        found: dict[PartitionRef, list[tuple[Asset, Keys]]] = {}
        for asset in graph.assets:
            for keys in asset.partitions.every(project) if graph.applies(asset) else ():
                try:
                    reads = graph.reads(asset, keys)
                except BadInputError:  # it cannot be made as the settings are; whoever makes it says why
                    continue
                for read in reads:
                    found.setdefault(read, []).append((asset, keys))
        return found


def take_pixels_out(session: Session, candidates: list[Candidate]) -> list[Candidate]:
    """Delete them for good; returns those that were made anew meanwhile, and stay."""
    store = session.project.lake.store
    return [one for one in candidates if not take_out(store, one.manifest, one.files)]


def _path(manifest: Manifest, stored: StoredFile) -> str:
    return f"{manifest.ref.prefix}/{stored.path}"


def _year(asset: Asset, keys: Keys) -> str:
    """The year of a partition; empty where it has none."""
    return dict(zip(asset.partitions.names, keys, strict=True)).get(YEAR, "")
