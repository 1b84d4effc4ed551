"""Confirmation: what the years around a year leave of its outlines, by the temporal rule of the settings.

Outlines are joined across sites before any rule, because the lines between sites are ours and not the mine's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from odc.geo.geobox import GeoBox

from minemap_assets.errors import PermanentError
from minemap_assets.geo.vector import WGS84, areas_km2
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.merge import Merged, merge_sites
from minemap_assets.polygons.outlines import outline
from minemap_assets.polygons.raw import Gathered, clip_to, mask_facts, read_mask
from minemap_assets.polygons.schemas import (
    RAW_POLYGONS,
    SITE_OBSERVATION,
    UNOBSERVED_GROUND,
    TableSpec,
    read_table,
)
from minemap_assets.polygons.temporal.chain import Decision, decide, estimate
from minemap_assets.polygons.temporal.hmm import Chances
from minemap_assets.polygons.temporal.window_rule import YearView, window_rule
from minemap_assets.project.regions import Region
from minemap_assets.sites.cells import SiteCell


@dataclass(frozen=True, eq=False)
class Confirmed:
    """Objects of a year that stay; `merged.members` are rows of `outlines` [site_id, mean_probability, area_km2,
    geometry]. `facts` are what the rule did, for people.
    """

    merged: Merged
    outlines: gpd.GeoDataFrame
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class SiteSeen:
    """How much of a site's own ground and of its whole window a year shows (0 to 1), and its threshold, if any."""

    observed_share: float
    window_share: float
    threshold: float | None


class OutlinedYear:
    """A published `raw_polygons` partition; its tables are read when they are asked for."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    @cached_property
    def polygons(self) -> gpd.GeoDataFrame:
        """Outlines of the masks."""
        return self._table(RAW_POLYGONS)

    @cached_property
    def observation(self) -> pd.DataFrame:
        """What was seen of each site."""
        frame: pd.DataFrame = self._table(SITE_OBSERVATION)
        return frame

    @cached_property
    def seen(self) -> dict[str, SiteSeen]:
        """The same by site."""
        columns = ["site_id", "observed_share", "window_share", "threshold"]
        rows = self.observation[columns].itertuples(index=False, name=None)
        return {str(s): SiteSeen(float(o), float(w), None if pd.isna(t) else float(t)) for s, o, w, t in rows}

    @cached_property
    def unobserved(self) -> gpd.GeoDataFrame:
        """Ground that was not seen."""
        return self._table(UNOBSERVED_GROUND)

    def _table(self, spec: TableSpec) -> Any:
        return read_table(self._partition.file(spec.file), spec)


@dataclass(frozen=True, eq=False)
class Window:
    """A region's year with the years around it, as far as these were made. `masks` are needed by the rule hmm alone."""

    region: Region
    year: int
    cells: Mapping[str, SiteCell]
    years: Mapping[int, OutlinedYear]
    masks: Mapping[int, Partition]

    @property
    def own(self) -> OutlinedYear:
        """The year at hand."""
        return self.years[self.year]


def confirm(window: Window, config: PolygonsConfig) -> Confirmed:
    """Apply the temporal rule of the settings."""
    return _by_neighbours(window, config) if config.rule == "intersect" else _by_chain(window, config)


def objects(outlines: gpd.GeoDataFrame, cells: Mapping[str, SiteCell], config: PolygonsConfig) -> Merged:
    """Whole objects of a year, without those below the least area."""
    merged = merge_sites(outlines, {site: cell.crs for site, cell in cells.items()})
    if not len(merged.polygons) or config.min_area_km2 <= 0.0:
        return merged
    return merged.take(areas_km2(gpd.GeoSeries(merged.polygons, crs=WGS84)) >= config.min_area_km2)


def _by_neighbours(window: Window, config: PolygonsConfig) -> Confirmed:
    """The published rule: objects that no neighbouring year confirms go."""
    raw = window.own.polygons
    candidates = objects(raw, window.cells, config)

    def view(year: int) -> YearView | None:
        if year not in window.years:
            return None
        other = window.years[year]
        polygons = objects(other.polygons, window.cells, config).polygons
        return YearView(polygons, np.asarray(other.unobserved.geometry, dtype=object))

    verdict = window_rule(candidates.polygons, window.year, view, config.window, config.buffer_m)
    facts = {
        "outlines_before_the_temporal_rule": len(candidates.polygons),
        "dropped_by_the_temporal_rule": int(np.count_nonzero(~verdict.keep)),
        "kept_without_evidence": int(np.count_nonzero(~verdict.judged)),
    }
    return Confirmed(candidates.take(verdict.keep), raw, facts)


def _by_chain(window: Window, config: PolygonsConfig) -> Confirmed:
    """Every pixel decided by the chain of its years, then outlined."""
    chances = Chances.of(config)
    if config.hmm_parameters == "estimated":
        chances = estimate((site for _, _, site in _sites(window)), chances)
    gathered = Gathered()
    changed = {"added": 0.0, "removed": 0.0, "filled": 0.0}
    for cell, grid, site in _sites(window):
        decision = decide(site.stored, site.thresholds, site.clarity, window.year, chances)
        met = cell.met(grid)
        found = outline(decision.mine & met, grid, decision.posterior)
        gathered.add(cell, found.polygons, found.means)
        _count(changed, decision, met, abs(grid.affine.determinant) / 1e6)
    frame, _ = clip_to(gathered.frame(), window.region.geometry)
    frame["area_km2"] = areas_km2(frame.geometry)
    facts = {
        "outlines_before_the_temporal_rule": len(window.own.polygons),
        **{f"{what}_by_the_temporal_rule_km2": round(area, 6) for what, area in changed.items()},
        "chances": {"appear": round(chances.appear, 6), "disappear": round(chances.disappear, 6)},
    }
    return Confirmed(objects(frame, window.cells, config), frame, facts)


def _count(changed: dict[str, float], decision: Decision, met: npt.NDArray[np.bool_], pixel_km2: float) -> None:
    for what in changed:
        changed[what] += float(np.count_nonzero(getattr(decision, what) & met)) * pixel_km2


@dataclass(frozen=True, eq=False)
class SiteYears:
    """Stored probabilities (row, column) of a site by year, with their thresholds and clarity."""

    stored: Mapping[int, npt.NDArray[np.uint8]]
    thresholds: Mapping[int, float]
    clarity: Mapping[int, float]


def _sites(window: Window) -> Iterator[tuple[SiteCell, GeoBox, SiteYears]]:
    """Sites that were observed in the year and may have mines in it, with their masks.

    Where no year of the window reaches its threshold anywhere, the chain calls nothing a mine.
    """
    likely = set[str]().union(*(year.polygons["site_id"] for year in window.years.values()))
    facts = {year: mask_facts(masks) for year, masks in window.masks.items()}
    for site, cell in window.cells.items():
        if site not in window.own.seen or window.own.seen[site].observed_share <= 0.0:
            continue
        if site not in likely:
            continue
        grid, years = _read(window, facts, site)
        yield cell, grid, years


def _read(window: Window, facts: Mapping[int, Mapping[str, Any]], site: str) -> tuple[GeoBox, SiteYears]:
    """A site's masks of the years that have one, on its grid."""
    stored: dict[int, npt.NDArray[np.uint8]] = {}
    thresholds: dict[int, float] = {}
    clarity: dict[int, float] = {}
    grids: list[GeoBox] = []
    for year in sorted(set(window.years) & set(window.masks)):
        seen = window.years[year].seen.get(site)
        if seen is None or seen.threshold is None:
            continue
        raster = read_mask(window.masks[year], str(facts[year][site]["file"]))
        grids.append(raster.grid)
        stored[year], thresholds[year], clarity[year] = raster.pixels[0], seen.threshold, seen.window_share
    if any(grid != grids[0] for grid in grids):
        raise PermanentError(
            f"the masks of site {site} in {window.region.slug} lie on another grid in some years around {window.year}; "
            "make raw_masks of these years again"
        )
    return grids[0], SiteYears(stored, thresholds, clarity)
