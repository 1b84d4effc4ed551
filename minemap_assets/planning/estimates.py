"""Estimates: what imagery of some regions and years would need, before anything is fetched.

What belongs here: from a project's sites and settings to costs, with rates measured where the lake knows them. What
does not: how a source works (`imagery/source_costs.py`), which partitions a command asks for
(`dagster_project/spending.py`), and showing figures.

Sources are asked for what they have where the caller says how; one that does not answer is not asked again, and its
figures are assumed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import geopandas as gpd
from odc.geo.geobox import GeoBox

from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.costs import ASKED, Cost, CostModel, Job, share_out
from minemap_assets.imagery.products import product as known_product
from minemap_assets.imagery.requests import imagery_grid
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.asking import Ask, AskedFirst
from minemap_assets.project.project import Project
from minemap_assets.sites.windows import site_grid

_KEEPING = frozenset({"stac", "planet-basemaps"})
"""Sources that fetch nothing for the reference year's imagery where the same year's is made, too."""


@dataclass(frozen=True, order=True)
class Wanted:
    """Imagery of a region and year through one product; `trains` where it is for training."""

    region: str
    year: int
    product: str
    trains: bool = False


@dataclass(frozen=True)
class Rate:
    """What one source took so far. `seconds` is None where nothing was timed."""

    site_years: int
    stored_bytes: int
    bytes_read: int
    seconds: float | None = None
    timed_site_years: int = 0


@dataclass(frozen=True)
class Line:
    """What is asked of one source for one product. `timed` is the number of site-years that its hours rest on."""

    source: str
    product: str
    cost: Cost
    timed: int = 0

    @property
    def hours(self) -> float:
        """Time at the measured rate, else at the assumed one."""
        return self.cost.seconds / 3600.0


@dataclass(frozen=True)
class Estimate:
    """All lines by source and product, chips for the model, and what could not be estimated, in sentences."""

    lines: tuple[Line, ...]
    chips: int
    chip_bytes: int
    gaps: tuple[str, ...]

    @property
    def total(self) -> Cost:
        """Everything together."""
        return reduce(add, (line.cost for line in self.lines), Cost())


@dataclass
class _Sums:
    """An estimate on its way."""

    costs: defaultdict[tuple[str, str], Cost] = field(default_factory=lambda: defaultdict(Cost))
    chips: int = 0
    gaps: list[str] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[str, int, str]] = field(default_factory=set)


def estimate(
    project: Project, wanted: Iterable[Wanted], rates: Mapping[str, Rate] | None = None, ask: Ask | None = None
) -> Estimate:
    """What imagery that is wanted needs. Sources are asked what they have with `ask`, or not at all without it.

    Raises `BadInputError` for wrong settings; a source that does not answer is named among the gaps.
    """
    sums = _Sums()
    for want in sorted(wanted):
        frame = sites_of(project, want.region)
        if frame is None:
            sums.gaps.append(
                f"the sites of {want.region} are not made yet, so it is left out here; "
                f"`minemap run --select +sites --regions {want.region}` makes them"
            )
        else:
            _add(project, want, [site_grid(row) for row in _in_order(frame)], ask, sums)
    silent = [f"{name} was not asked, so its figures are assumed: {why}" for name, why in sorted(sums.silent.items())]
    lines = [_at_rate(Line(s, p, cost), (rates or {}).get(s)) for (s, p), cost in sorted(sums.costs.items())]
    chips = project.settings.chips
    chip_bytes = sums.chips * len(chips.bands) * chips.size**2 * 2
    return Estimate(tuple(lines), sums.chips, chip_bytes, tuple(dict.fromkeys([*sums.gaps, *silent])))


def _add(project: Project, want: Wanted, grids: Sequence[GeoBox], ask: Ask | None, sums: _Sums) -> None:
    """Imagery of one partition."""
    settings = project.settings
    sums.chips += sum(len(tiles(grid, settings.chips.size, settings.chips.overlap)) for grid in grids)
    resolution = known_product(want.product).resolution
    season = project.season(project.region(want.region), want.year)
    bands = settings.imagery.bands_for(want.product)
    models = cost_models(project, want.product, ask, sums.silent)
    shares = share_out(models, [imagery_grid(grid, resolution) for grid in grids], season)
    fetched = (want.region, want.year, want.product) in sums.seen
    sums.seen.add((want.region, want.year, want.product))
    for model, served in shares:
        cost = model.cost(Job(want.product, season, bands, served))
        if fetched and model.name in _KEEPING:
            cost = replace(cost, requests=0, other_bytes=0)
        sums.costs[model.name, want.product] += cost
    left = len(grids) - sum(len(served) for _, served in shares)
    if left:
        sums.gaps.append(f"no source has {want.product} for {left} sites of {want.region} in {want.year}")


def _in_order(frame: gpd.GeoDataFrame) -> list[Any]:
    """Sites in the order in which they are read."""
    return list(frame.sort_values("site_id").itertuples(index=False))


def sites_of(project: Project, region: str) -> gpd.GeoDataFrame | None:
    """The sites table of a region; None where it was not made."""
    partition = project.lake.find(PartitionRef("sites", "sites", (region,)))
    return None if partition is None else read_geoparquet(partition.file("sites.parquet"))


def measured_rates(lake: Lake) -> dict[str, Rate]:
    """What each source took so far, from imagery partitions that one source alone served."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for asset in ("imagery", "reference_imagery"):
        for manifest in lake.manifests("imagery", asset):
            source = only_source(manifest.summary)
            if source is not None:
                sites = manifest.summary["sources"][source]
                figures = (sites, manifest.summary["bytes"], manifest.summary["bytes_read"])
                sums[source] = [a + int(b) for a, b in zip(sums[source], figures, strict=True)]
    return {source: Rate(*figures) for source, figures in sorted(sums.items()) if figures[0]}


def only_source(summary: Mapping[str, Any]) -> str | None:
    """The source that served every site of an imagery partition; None where there were several, or none."""
    sources = summary.get("sources") or {}
    return str(next(iter(sources))) if len(sources) == 1 else None


def cost_models(
    project: Project, product: str, ask: Ask | None = None, silent: dict[str, str] | None = None
) -> tuple[CostModel, ...]:
    """The cost models of a product's sources, in their order. With `ask` their services are asked, but for those that
    were `silent` before.
    """
    names = project.settings.imagery.sources.get(product, ())
    if ask is None:
        return tuple(_model(project, name, product) for name in names)
    known: dict[str, str] = {} if silent is None else silent
    sources = dict(zip(names, project.sources(product), strict=True)) if names else {}
    return tuple(
        AskedFirst(_model(project, name, product, sources[name]), _model(project, name, product), ask, known)
        for name in names
    )


def _model(project: Project, name: str, product: str, source: Any = None) -> CostModel:
    """The model of one source, which asks `source` where that is given."""
    from minemap_assets.imagery.sources.archive.catalogue import open_archive, read_roots
    from minemap_assets.planning import source_costs

    sources = project.settings.sources
    match name:
        case "planet-basemaps":
            cache = project.lake.state / "cache" / "planet"
            return source_costs.PlanetCosts(sources.planet_basemaps, cache, source)
        case "stac":
            return source_costs.StacCosts(sources.stac, product, source)
        case "earth-engine":
            return source_costs.EarthEngineCosts(sources.earth_engine, product, source)
        case "archive":
            remote = any("://" in root for root in read_roots(project.lake.store).values())
            return source_costs.ArchiveCosts(open_archive(product, project.lake.store), remote)
        case _:
            return source_costs.SimulatedCosts(name)


def _at_rate(line: Line, rate: Rate | None) -> Line:
    """A line with what was measured in place of what is assumed: size on disk, time, and bytes of open scenes."""
    if rate is None:
        return line
    cost, share = line.cost, line.cost.site_years / rate.site_years
    cost = replace(cost, stored_bytes=round(rate.stored_bytes * share))
    if line.source == "stac" and rate.bytes_read and cost.basis != {ASKED}:
        cost = replace(cost, other_bytes=round(rate.bytes_read * share))
    if rate.seconds is None or not rate.timed_site_years:
        return replace(line, cost=cost)
    cost = replace(cost, seconds=rate.seconds / rate.timed_site_years * cost.site_years)
    return replace(line, cost=cost, timed=rate.timed_site_years)
