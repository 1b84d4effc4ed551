"""Estimates: what imagery of some regions and years would need, before anything is fetched.

What belongs here: from a project's sites and settings to costs, with rates measured where the lake knows them. What
does not: how a source works (`imagery/source_costs.py`), which partitions a command asks for
(`dagster_project/spending.py`), and showing figures.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import geopandas as gpd

from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.costs import Cost, CostModel, Job, share_out
from minemap_assets.imagery.planning import imagery_grid
from minemap_assets.imagery.products import product as known_product
from minemap_assets.lake import Lake, PartitionRef
from minemap_assets.project import Project
from minemap_assets.sites.windows import site_grid


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


def estimate(project: Project, wanted: Iterable[Wanted], rates: Mapping[str, Rate] | None = None) -> Estimate:
    """What imagery that is wanted needs. Asks no service. Raises `BadInputError` for wrong settings."""
    settings = project.settings
    costs: defaultdict[tuple[str, str], Cost] = defaultdict(Cost)
    models: dict[str, tuple[CostModel, ...]] = {}
    gaps: list[str] = []
    chips = 0
    for want in sorted(wanted):
        frame = sites_of(project, want.region)
        if frame is None:
            gaps.append(
                f"the sites of {want.region} are not made yet, so it is left out here; "
                f"`minemap run --select +sites --regions {want.region}` makes them"
            )
            continue
        if want.product not in models:
            models[want.product] = cost_models(project, want.product)
        grids = [site_grid(row) for row in frame.itertuples(index=False)]
        chips += sum(len(tiles(grid, settings.chips.size, settings.chips.overlap)) for grid in grids)
        resolution = known_product(want.product).resolution
        season = project.season(project.region(want.region), want.year)
        bands = settings.imagery.bands_for(want.product)
        shares = share_out(models[want.product], [imagery_grid(grid, resolution) for grid in grids], season)
        for model, served in shares:
            costs[model.name, want.product] += model.cost(Job(want.product, season, bands, served))
        left = len(grids) - sum(len(served) for _, served in shares)
        if left:
            gaps.append(f"no source has {want.product} for {left} sites of {want.region} in {want.year}")
    lines = [_at_rate(Line(s, p, cost), (rates or {}).get(s)) for (s, p), cost in sorted(costs.items())]
    chip_bytes = chips * len(settings.chips.bands) * settings.chips.size**2 * 2
    return Estimate(tuple(lines), chips, chip_bytes, tuple(dict.fromkeys(gaps)))


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


def cost_models(project: Project, product: str) -> tuple[CostModel, ...]:
    """The cost models of a product's sources, in their order."""
    return tuple(_model(project, name, product) for name in project.settings.imagery.sources.get(product, ()))


def _model(project: Project, name: str, product: str) -> CostModel:
    from minemap_assets.imagery import source_costs
    from minemap_assets.imagery.sources.archive_catalogue import open_archive, read_roots

    sources = project.settings.sources
    match name:
        case "planet-basemaps":
            return source_costs.PlanetCosts(sources.planet_basemaps, project.lake.state / "cache" / "planet")
        case "stac":
            return source_costs.StacCosts(sources.stac, product)
        case "earth-engine":
            return source_costs.EarthEngineCosts(sources.earth_engine, product)
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
    if line.source == "stac" and rate.bytes_read:
        cost = replace(cost, other_bytes=round(rate.bytes_read * share))
    if rate.seconds is None or not rate.timed_site_years:
        return replace(line, cost=cost)
    cost = replace(cost, seconds=rate.seconds / rate.timed_site_years * cost.site_years)
    return replace(line, cost=cost, timed=rate.timed_site_years)
