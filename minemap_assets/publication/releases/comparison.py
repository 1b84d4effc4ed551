"""Ground that is mapped as mine in one state and not in another, each piece with its cause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.differences import without
from minemap_assets.geo.vector import WGS84, areas_km2, polygons_only
from minemap_assets.polygons.correction_file import Correction
from minemap_assets.polygons.corrections import MAJORITY
from minemap_assets.publication.releases.causes import Cause, Causes, Upstream, told
from minemap_assets.publication.releases.published import Published

Objects = npt.NDArray[np.object_]

GAINED, LOST = "gained", "lost"

_COLUMNS = ("region", "year", "site", "change", "cause", "km2")
_LEAST_KM2 = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Two states compared. `changes` has a row for all that a site gained or lost in a year by one cause: `region`,
    `year`, `site`, `change` (gained or lost), `cause`, `km2` (EPSG:6933).

    `km2` is what is mapped in either state in regions and years that both have; those that only one has are not
    compared.
    """

    before: str
    after: str
    km2: tuple[float, float]
    changes: pd.DataFrame
    only_before: tuple[tuple[str, int], ...]
    only_after: tuple[tuple[str, int], ...]

    def sums(self, *by: str) -> pd.DataFrame:
        """Square kilometres gained and lost by some columns, in order."""
        table = self.changes.pivot_table(index=list(by), columns="change", values="km2", aggfunc="sum", fill_value=0.0)
        return table.reindex(columns=[GAINED, LOST], fill_value=0.0).reset_index().rename_axis(columns=None)


@dataclass
class _Pieces:
    """Ground that changed in one region and year, and why, as far as it was judged."""

    sites: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    grounds: list[BaseGeometry] = field(default_factory=list)

    def add(self, site: str, change: str, causes: Causes, ground: BaseGeometry | None) -> None:
        """One more; nothing where there is no ground."""
        if ground is not None and not ground.is_empty:
            self.sites.append(site)
            self.changes.append(change)
            self.causes.append(told(causes))
            self.grounds.append(ground)

    def rows(self, region: str, year: int) -> pd.DataFrame:
        """Sums by site, change and cause."""
        km2 = areas_km2(gpd.GeoSeries(self.grounds, crs=WGS84)) if self.grounds else np.zeros(0)
        frame = pd.DataFrame({"site": self.sites, "change": self.changes, "cause": self.causes, "km2": km2})
        summed = frame.groupby(["site", "change", "cause"], as_index=False, sort=True)["km2"].sum()
        kept: pd.DataFrame = summed[summed["km2"] > _LEAST_KM2].assign(region=region, year=year)
        return kept[list(_COLUMNS)]


def compare(before: Published, after: Published) -> Comparison:
    """What changed from one state to the other. Raises `BadInputError` where they have no region and year in common."""
    common = sorted(before.mapped & after.mapped, key=lambda one: (one[1], one[0]))
    if not common:
        raise BadInputError(
            f"{before.label} and {after.label} have no region and year in common, so there is nothing to compare"
        )
    found, totals = [], [0.0, 0.0]
    upstream, sites = Upstream(before.lineage, after.lineage), before.sites & after.sites
    for year in sorted({year for _, year in common}):
        old, new = before.polygons(year), after.polygons(year)
        for region in [name for name, one in common if one == year]:
            pair = old[old["region"] == region], new[new["region"] == region]
            totals = [total + float(rows["area_km2"].sum()) for total, rows in zip(totals, pair, strict=True)]
            found.append(_OneYear(before, after, upstream, sites, region, year).changes(*pair))
    changes = pd.concat(found, ignore_index=True)
    only = [tuple(sorted(one.mapped - other.mapped)) for one, other in ((before, after), (after, before))]
    return Comparison(before.label, after.label, (totals[0], totals[1]), changes, only[0], only[1])


@dataclass(frozen=True)
class _OneYear:
    """One region in one year of two states, what these were made from, and the sites that both know."""

    before: Published
    after: Published
    upstream: Upstream
    sites: frozenset[str]
    region: str
    year: int

    def changes(self, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.DataFrame:
        """Rows of what changed, with causes."""
        pieces = _Pieces()
        if not self.upstream.same("mining_polygons", self.region, str(self.year)):
            self._judge(new, old, GAINED, self.before, pieces)
            self._judge(old, new, LOST, self.after, pieces)
        return pieces.rows(self.region, self.year)

    def _judge(
        self, rows: gpd.GeoDataFrame, others: gpd.GeoDataFrame, change: str, other: Published, pieces: _Pieces
    ) -> None:
        """Add what `rows` have beyond `others`, the polygons of the other state."""
        polygons = np.asarray(rows.geometry, dtype=object)
        left = without(polygons, np.asarray(others.geometry, dtype=object))
        corrected = _ground([one.ground for one in self._corrections()])
        outline = other.regions.get(self.region)
        for row in np.flatnonzero(~shapely.is_empty(left)):
            sites = tuple(rows["site_ids"].iloc[row])
            site = sites[0] if sites else ""
            if not self.sites.issuperset(sites):
                pieces.add(site, change, self.upstream.site(self.region), left[row])
                continue
            rest = left[row] if outline is None else self._beyond(left[row], outline, site, change, pieces)
            if rest is None:
                continue
            whole = shapely.area(shapely.intersection(polygons[row], corrected))
            if whole >= MAJORITY * shapely.area(polygons[row]):
                pieces.add(site, change, frozenset({Cause.CORRECTIONS}), rest)
                continue
            pieces.add(
                site, change, frozenset({Cause.CORRECTIONS}), polygons_only(shapely.intersection(rest, corrected))
            )
            pieces.add(site, change, self._causes(sites), polygons_only(shapely.difference(rest, corrected)))

    def _beyond(
        self, ground: BaseGeometry, outline: BaseGeometry, site: str, change: str, pieces: _Pieces
    ) -> BaseGeometry | None:
        """Ground inside the other state's outline of the region, None without; what lies beyond it is added."""
        if self.before.regions.get(self.region) == self.after.regions.get(self.region):
            return ground
        pieces.add(site, change, frozenset({Cause.BOUNDARY}), polygons_only(shapely.difference(ground, outline)))
        return polygons_only(shapely.intersection(ground, outline))

    def _causes(self, sites: Sequence[str]) -> Causes:
        found = self.upstream.causes(self.region, self.year, sites)
        return found or self.upstream.wider(self.region, self.year)

    def _corrections(self) -> Iterator[Correction]:
        """Corrections of the year that only one of the states has."""
        held = [
            {one.content: one for one in state.corrections if one.applies(self.year)}
            for state in (self.before, self.after)
        ]
        for content in sorted(held[0].keys() ^ held[1].keys()):
            yield held[0].get(content) or held[1][content]


def _ground(parts: list[BaseGeometry]) -> BaseGeometry:
    return shapely.union_all(np.array(parts, dtype=object)) if parts else shapely.Polygon()
