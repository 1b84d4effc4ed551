"""The asset graph of one project: its assets in order, what each partition reads, and the steps that a scope needs.

All of it follows from the rooms' statements.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from minemap_assets.graph.context import Keys
from minemap_assets.graph.partitioning import REGION, YEAR, Partitioning
from minemap_assets.graph.statement import Asset, AssetFamily, Dep, Job, Room
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project


@dataclass(frozen=True)
class Scope:
    """What a run is about: some assets, regions in order of their slugs, years in order."""

    assets: frozenset[Asset]
    regions: tuple[str, ...]
    years: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """Assets made together for one partition: each reads of the others only its own partition."""

    assets: tuple[Asset, ...]
    keys: Keys

    @property
    def title(self) -> str:
        """Rooms and keys, for people."""
        rooms = " and ".join(dict.fromkeys(asset.room for asset in self.assets))
        return f"{rooms} {' '.join(self.keys) or 'all'}"

    @property
    def refs(self) -> tuple[PartitionRef, ...]:
        """The partitions it makes."""
        return tuple(asset.ref(self.keys) for asset in self.assets)


class Graph:
    """The assets of all rooms for one project."""

    def __init__(self, rooms: Sequence[Room], project: Project) -> None:
        self.rooms = tuple(rooms)
        self._project = project
        self._families: dict[AssetFamily, tuple[Asset, ...]] = {}
        self.assets = tuple(asset for room in rooms for one in room.assets for asset in self._members(one))
        self._by_name = {(asset.room, asset.name): asset for asset in self.assets}
        self._reads: dict[PartitionRef, Mapping[PartitionRef, Dep]] = {}

    def _members(self, one: Asset | AssetFamily) -> tuple[Asset, ...]:
        if isinstance(one, Asset):
            return (one,)
        if one not in self._families:
            self._families[one] = tuple(one.member(name) for name in one.names(self._project))
        return self._families[one]

    @property
    def standard(self) -> frozenset[Asset]:
        """What a run makes that names nothing."""
        unasked = {room.name for room in self.rooms if room.on_request}
        return frozenset(one for one in self.assets if one.room not in unasked and not one.on_request)

    def upstream(self, asset: Asset) -> Iterator[tuple[Dep, Asset]]:
        """Each dependency with its asset, families taken apart."""
        for dep in asset.deps:
            for member in self._members(dep.upstream):
                yield dep, member

    def widest(self, asset: Asset) -> list[tuple[Dep, Asset]]:
        """Each upstream asset once: where the year itself is needed and the years around are used, the latter."""
        found: dict[Asset, Dep] = {}
        for dep, upstream in self.upstream(asset):
            if upstream not in found or dep.mapping.reach is not None:
                found[upstream] = dep
        return [(dep, upstream) for upstream, dep in found.items()]

    def asset(self, ref: PartitionRef) -> Asset:
        """The asset of a partition. Raises `KeyError` for one that is not in the graph."""
        return self._by_name[ref.room, ref.asset]

    def reads(self, asset: Asset, keys: Keys) -> Mapping[PartitionRef, Dep]:
        """Every partition that one is made from, needed and optional, with the dependency that says so."""
        ref = asset.ref(keys)
        if ref not in self._reads:
            self._reads[ref] = self._looked_up(asset, keys)
        return self._reads[ref]

    def _looked_up(self, asset: Asset, keys: Keys) -> dict[PartitionRef, Dep]:
        found: dict[PartitionRef, Dep] = {}
        for dep, upstream in self.upstream(asset):
            if dep.lineage:
                continue
            for theirs in dep.mapping.keys(self._project, upstream.partitions, asset.partitions, keys):
                ref = upstream.ref(theirs)
                if ref not in found or found[ref].optional:
                    found[ref] = dep
        return found

    def needs(self, asset: Asset, keys: Keys) -> list[PartitionRef]:
        """The partitions that must exist."""
        return [ref for ref, dep in self.reads(asset, keys).items() if not dep.optional]

    def applies(self, asset: Asset) -> bool:
        """False where the project has nothing to make it from, or from which to make what it needs."""
        needed = (upstream for dep, upstream in self.upstream(asset) if not (dep.optional or dep.lineage))
        return asset.applies(self._project) and all(self.applies(upstream) for upstream in needed)

    def jobs(self) -> dict[Job, tuple[Asset, ...]]:
        """The named jobs with their assets."""
        found: dict[Job, tuple[Asset, ...]] = {}
        for asset in self.assets:
            if asset.job is not None:
                found[asset.job] = (*found.get(asset.job, ()), asset)
        return found

    def closure(self, assets: Iterable[Asset], *, upstream: bool) -> frozenset[Asset]:
        """Assets with all they are made from, or all that is made from them."""
        found, open_ = set[Asset](), list(assets)
        while open_:
            asset = open_.pop()
            if asset not in found:
                found.add(asset)
                open_ += [a for _, a in self.upstream(asset)] if upstream else self._downstream[asset]
        return frozenset(found)

    def followers(self, ref: PartitionRef) -> list[PartitionRef]:
        """All partitions, whether they were made or not, that are made from one, directly or not; inputs first."""
        found: dict[PartitionRef, None] = {}
        behind = self.closure([self.asset(ref)], upstream=False)
        for asset in (asset for stage in self.stages for asset in stage if asset in behind):
            for keys in asset.partitions.every(self._project):
                if any(one == ref or one in found for one in self.reads(asset, keys)):
                    found[asset.ref(keys)] = None
        return list(found)

    @cached_property
    def _downstream(self) -> dict[Asset, list[Asset]]:
        found: dict[Asset, list[Asset]] = {asset: [] for asset in self.assets}
        for asset in self.assets:
            for _, upstream in self.upstream(asset):
                found[upstream].append(asset)
        return found

    @cached_property
    def stages(self) -> tuple[tuple[Asset, ...], ...]:
        """Assets in the order in which inputs come first, together where they share partitions and read only these.

        An asset joins the earliest stage of its partitions that is not before any of its inputs.
        """
        stages: list[list[Asset]] = []
        place: dict[Asset, int] = {}
        for asset in self.assets:
            after = max((place[a] + (not _same(dep, a, asset)) for dep, a in self.upstream(asset)), default=0)
            fits = (n for n in range(after, len(stages)) if stages[n][0].partitions == asset.partitions)
            place[asset] = next(fits, len(stages))
            if place[asset] == len(stages):
                stages.append([])
            stages[place[asset]].append(asset)
        return tuple(tuple(stage) for stage in stages)

    def steps(self, scope: Scope) -> list[Step]:
        """Every step that a scope asks for, in an order in which inputs come first."""
        wanted: dict[Asset, set[Keys]] = {}
        for stage in reversed(self.stages):
            for asset in reversed(stage):
                if asset in scope.assets and self.applies(asset):
                    wanted.setdefault(asset, set()).update(_in_scope(asset.partitions, self._project, scope))
                    for keys in wanted[asset]:
                        self._want_inputs(asset, keys, scope, wanted)
        return [step for stage in self.stages for step in _steps_of(stage, wanted)]

    def _want_inputs(self, asset: Asset, keys: Keys, scope: Scope, wanted: dict[Asset, set[Keys]]) -> None:
        for ref in self.needs(asset, keys):
            upstream = self.asset(ref)
            if upstream in scope.assets:
                wanted.setdefault(upstream, set()).add(ref.keys)


def _same(dep: Dep, upstream: Asset, asset: Asset) -> bool:
    """True where a partition reads of the other asset only the partition with its own keys; lineage comes before."""
    return not dep.lineage and dep.mapping.reach is None and upstream.partitions == asset.partitions


def _in_scope(partitions: Partitioning, project: Project, scope: Scope) -> list[Keys]:
    """Partitions of the scope's regions and years; of other dimensions, all."""
    if set(partitions.names) - {REGION, YEAR}:
        return partitions.every(project)
    chosen: dict[str, Sequence[str]] = {REGION: scope.regions, YEAR: [str(y) for y in scope.years]}
    keys: list[Keys] = [()]
    for dimension in partitions.dimensions:
        wanted = chosen[dimension.name]
        if dimension.chosen(project):
            known = set(dimension.keys(project))
            wanted = [key for key in wanted if key in known]
        keys = [(*before, key) for before in keys for key in wanted]
    return keys


def _steps_of(stage: Sequence[Asset], wanted: dict[Asset, set[Keys]]) -> Iterator[Step]:
    """One step for each partition; years come before regions, and products before theirs, as in the keys of a scope."""
    every = {keys for asset in stage for keys in wanted.get(asset, ())}
    for keys in sorted(every, key=_order(stage[0].partitions)):
        yield Step(tuple(asset for asset in stage if keys in wanted.get(asset, ())), keys)


def _order(partitions: Partitioning) -> Callable[[Keys], tuple[str, ...]]:
    """Sorts by year first: a year is finished for all regions before the next."""

    def key(keys: Keys) -> tuple[str, ...]:
        named = dict(zip(partitions.names, keys, strict=True))
        return (named.get(YEAR, ""), *keys)

    return key
