"""Ground truth: several polygon sets as one, around one region.

Two layers: `labels`, the union of the sets that count as truth, and `outlines`, the union of all sets, which says where
mines are. The union keeps the outer boundary where polygons intersect (paper, Methods, ground truth) and every hole:
land that no set calls a mine is no mine, also where a ring of polygons encloses it.

Geometries are whole, never cut at the region's border: a cut would move the centre that a site's id is made from, so
that overlapping regions would disagree, and would call a mine across the border background in the windows that reach
over it. `area_km2` is the part inside the region. Labels outside are kept where a site's window shows them, with
`area_km2` 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84, areas_km2, connected_components, write_geoparquet
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.regions import Region
from minemap_assets.reference.catalogue import Role
from minemap_assets.sites.config import SitesConfig
from minemap_assets.sites.geohash import position_ids
from minemap_assets.sites.windows import centres, window_grids, window_outlines

FILE = "ground_truth.parquet"
COLUMNS = ["truth_id", "layer", "sets", "group", "area_km2", "geometry"]
GROUP_SEPARATOR = "|"
"""Stands between the groups of a polygon that unites several; each is written `<set>:<group>`."""

Objects = npt.NDArray[np.object_]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PolygonSet:
    """One polygon set [polygon_id, group, geometry] in EPSG:4326 and what it counts as."""

    name: str
    role: Role
    frame: gpd.GeoDataFrame


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The table, and what was done to make it as JSON values."""

    frame: gpd.GeoDataFrame
    summary: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Pool:
    """Single polygons of some sets, with an index."""

    geometries: Objects
    sets: Objects
    groups: Objects
    tree: shapely.STRtree

    @classmethod
    def of(cls, geometries: Objects, sets: Objects, groups: Objects) -> "_Pool":
        return cls(geometries, sets, groups, shapely.STRtree(geometries))

    def only(self, mask: npt.NDArray[np.bool_]) -> "_Pool":
        return _Pool.of(self.geometries[mask], self.sets[mask], self.groups[mask])

    def touching(self, shapes: Any) -> Positions:
        """Positions of polygons that meet any of the shapes, sorted."""
        hits = self.tree.query(shapes, predicate="intersects")
        return np.unique(hits if hits.ndim == 1 else hits[1])

    def closure(self, seeds: Positions) -> Positions:
        """The seeds and all polygons connected to them, sorted: groups are whole, wherever the search began."""
        found = np.zeros(len(self.geometries), dtype=bool)
        found[seeds] = True
        frontier = seeds
        while len(frontier):
            hits = self.touching(self.geometries[frontier])
            frontier = hits[~found[hits]]
            found[frontier] = True
        return np.flatnonzero(found)


def build_ground_truth(
    sets: Sequence[PolygonSet], region: Region, config: SitesConfig, writer: PartitionWriter
) -> Outcome:
    """Write `ground_truth.parquet` [truth_id, layer, sets, group, area_km2, geometry], sorted by layer and truth_id."""
    truth = unite_sets(sets, region, config)
    writer.write(FILE, lambda path: write_geoparquet(truth.frame, path))
    return Outcome(summary=truth.summary)


def unite_sets(sets: Sequence[PolygonSet], region: Region, config: SitesConfig) -> GroundTruth:
    """Both layers of a region. The cost grows with the polygons in and around the region, plus one index of all."""
    everything = _pool(sets)
    bad = everything.touching(shapely.points(np.asarray(config.known_bad, dtype=np.float64).reshape(-1, 2)))
    inside = everything.touching(region.geometry)
    kept = np.ones(len(everything.geometries), dtype=bool)
    kept[bad] = False
    pool = everything.only(kept)
    shapely.prepare(region.geometry)

    outlines = _unite(pool, pool.closure(pool.touching(region.geometry)), region, "outlines")
    area_m2 = outlines["area_km2"] * 1e6
    small = (area_m2 > 0) & (area_m2 < config.min_area_m2)
    outlines = outlines[(area_m2 > 0) & ~small]

    truth = pool.only(np.isin(pool.sets, [s.name for s in sets if s.role == "labels"]))
    windows = window_outlines(window_grids(np.asarray(outlines.geometry.array, dtype=object), config))
    seeds = np.union1d(truth.touching(region.geometry), truth.touching(windows))
    labels = _unite(truth, truth.closure(seeds), region, "labels")
    sliver = areas_km2(labels.geometry) * 1e6 < config.min_area_m2
    labels = labels[~sliver]

    frame = pd.concat([f for f in (labels, outlines) if len(f)] or [outlines], ignore_index=True)
    frame = gpd.GeoDataFrame(frame[COLUMNS], geometry="geometry", crs=WGS84)
    by_set = pd.Series(everything.sets[inside], dtype=object).value_counts()
    summary = {
        "polygons_in_region": {s.name: int(by_set.get(s.name, 0)) for s in sorted(sets, key=lambda s: s.name)},
        "removed_known_bad": len(np.intersect1d(bad, inside)),
        "dropped_outlines_below_min_area": int(small.sum()),
        "dropped_labels_below_min_area": int(sliver.sum()),
        "outlines": len(outlines),
        "labels": int((labels["area_km2"] > 0).sum()),
        "labels_outside_region": int((labels["area_km2"] == 0).sum()),
        "outlines_km2": round(float(outlines["area_km2"].sum()), 6),
        "labels_km2": round(float(labels["area_km2"].sum()), 6),
    }
    return GroundTruth(frame.sort_values(["layer", "truth_id"], ignore_index=True), summary)


def _pool(sets: Sequence[PolygonSet]) -> _Pool:
    """All sets as valid single polygons, in an order that does not hang on the order of the sets."""
    geometries: list[Objects] = [np.zeros(0, dtype=object)]
    names: list[Objects] = [np.zeros(0, dtype=object)]
    groups: list[Objects] = [np.zeros(0, dtype=object)]
    for one in sorted(sets, key=lambda s: s.name):
        frame = one.frame.sort_values("polygon_id", kind="stable")
        parts, origin = areal_parts(np.asarray(frame.geometry.array, dtype=object))
        geometries.append(parts)
        names.append(np.full(len(parts), one.name, dtype=object))
        own = [f"{one.name}:{group}" if group else "" for group in frame["group"]]
        groups.append(np.array(own, dtype=object)[origin])
    return _Pool.of(np.concatenate(geometries), np.concatenate(names), np.concatenate(groups))


def _unite(pool: _Pool, members: Positions, region: Region, layer: str) -> gpd.GeoDataFrame:
    """One row for each connected group of the members."""
    geometries = pool.geometries[members]
    labels = connected_components(geometries)
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    pieces = np.split(order, starts[1:]) if len(order) else []
    united = np.empty(len(pieces), dtype=object)
    for n, piece in enumerate(pieces):
        united[n] = geometries[piece[0]] if len(piece) == 1 else shapely.union_all(geometries[piece])
    middles = centres(united)
    sizes = areas_km2(gpd.GeoSeries(united, crs=WGS84))
    return gpd.GeoDataFrame(
        {
            "truth_id": position_ids(layer[0], middles[:, 0], middles[:, 1], sizes),
            "layer": layer,
            "sets": [sorted(set(pool.sets[members[piece]])) for piece in pieces],
            "group": [GROUP_SEPARATOR.join(sorted(set(pool.groups[members[piece]]) - {""})) for piece in pieces],
            "area_km2": _inside_km2(united, sizes, region),
        },
        geometry=united,
        crs=WGS84,
    )


def _inside_km2(united: Objects, sizes: npt.NDArray[np.float64], region: Region) -> npt.NDArray[np.float64]:
    """Areas of the parts inside the region; what lies wholly inside is not cut."""
    areas = np.where(shapely.intersects(region.geometry, united), sizes, 0.0)
    crossing = np.flatnonzero((areas > 0) & ~shapely.contains(region.geometry, united))
    if len(crossing):
        cut = shapely.intersection(united[crossing], region.geometry)
        areas[crossing] = areas_km2(gpd.GeoSeries(cut, crs=WGS84))
    return np.asarray(areas, dtype=np.float64)
