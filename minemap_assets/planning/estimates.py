"""Estimates: what imagery of some regions and years would need, before anything is fetched.

Rates that were measured take the place of assumed ones. A source that does not answer is not asked again, and its
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

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.tiling import tiles
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.cost_models import RunQuery, cost_models, costs_by_source
from minemap_assets.imagery.costs import ASKED, Cost
from minemap_assets.imagery.rules import season_of
from minemap_assets.imagery.source_kind import kind_named
from minemap_assets.planning.rates import Rate
from minemap_assets.project.project import Project
from minemap_assets.sites.assets import SITES
from minemap_assets.sites.windows import site_grid


@dataclass(frozen=True, order=True)
class Wanted:
    """Imagery of a region and year through one product; `trains` where it is for training."""

    region: str
    year: int
    product: str
    trains: bool = False


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
    unreachable: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[str, int, str]] = field(default_factory=set)


def estimate(
    project: Project, wanted: Iterable[Wanted], rates: Mapping[str, Rate] | None = None, query: RunQuery | None = None
) -> Estimate:
    """What imagery that is wanted needs. Sources' services are asked through `query`, or not at all without it.

    Raises `BadInputError` for wrong settings and for a source that states no cost; one that does not answer is named
    among the gaps.
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
            _add(project, want, [site_grid(row) for row in _in_order(frame)], query, sums)
    assumed = [f"{n} was not asked, so its figures are assumed: {why}" for n, why in sorted(sums.unreachable.items())]
    lines = [_line(project, *key, cost, rates or {}) for key, cost in sorted(sums.costs.items())]
    chips = project.section(ChipsConfig)
    chip_bytes = sums.chips * len(chips.bands) * chips.size**2 * 2
    return Estimate(tuple(lines), sums.chips, chip_bytes, tuple(dict.fromkeys([*sums.gaps, *assumed])))


def _line(project: Project, source: str, product: str, cost: Cost, rates: Mapping[str, Rate]) -> Line:
    varies = kind_named(project, source).transfer_varies
    return _at_rate(Line(source, product, cost), rates.get(source), transfer_varies=varies)


def _add(project: Project, want: Wanted, grids: Sequence[GeoBox], query: RunQuery | None, sums: _Sums) -> None:
    """Imagery of one partition."""
    chips = project.section(ChipsConfig)
    sums.chips += sum(len(tiles(grid, chips.size, chips.overlap)) for grid in grids)
    season = season_of(project.region(want.region), want.year)
    bands = project.section(ImageryConfig).bands_for(want.product)
    models = cost_models(project, want.product, query, sums.unreachable)
    found = costs_by_source(models, want.product, season, bands, grids)
    fetched = (want.region, want.year, want.product) in sums.seen
    sums.seen.add((want.region, want.year, want.product))
    for name, cost in found.costs.items():
        kept = fetched and kind_named(project, name).keeps_fetched
        sums.costs[name, want.product] += replace(cost, requests=0, other_bytes=0, otherwise=None) if kept else cost
    if found.unserved:
        sums.gaps.append(f"no source has {want.product} for {found.unserved} sites of {want.region} in {want.year}")


def _in_order(frame: gpd.GeoDataFrame) -> list[Any]:
    """Sites in the order in which they are read."""
    return list(frame.sort_values("site_id").itertuples(index=False))


def sites_of(project: Project, region: str) -> gpd.GeoDataFrame | None:
    """The sites table of a region; None where it was not made."""
    partition = project.lake.find(SITES.ref((region,)))
    return None if partition is None else read_geoparquet(partition.file("sites.parquet"))


def _at_rate(line: Line, rate: Rate | None, *, transfer_varies: bool) -> Line:
    """A line with what was measured in place of what is assumed: size on disk, time, and bytes where they vary."""
    if rate is None:
        return line
    cost, share = line.cost, line.cost.site_years / rate.site_years
    cost = replace(cost, stored_bytes=round(rate.stored_bytes * share))
    if transfer_varies and rate.bytes_read and cost.basis != {ASKED}:
        cost = replace(cost, other_bytes=round(rate.bytes_read * share))
    if rate.seconds is None or not rate.timed_site_years:
        return replace(line, cost=cost)
    cost = replace(cost, seconds=rate.seconds / rate.timed_site_years * cost.site_years)
    return replace(line, cost=cost, timed=rate.timed_site_years)
