"""Export: the input files of a simulated world, in the forms a person would bring real ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minemap_assets.geo.vector import WGS84, repair, write_geoparquet
from minemap_assets.simulation.mines import Mine
from minemap_assets.simulation.noise import noise_key, uniform
from minemap_assets.simulation.world import World, to_wgs84

DIGITISING_NOISE = 3.0
"""Standard deviation, cut off at 5 m, by which a vertex of the precise outlines is off (metres)."""

POINTS_PER_YEAR = 120


@dataclass(frozen=True)
class WorldInputs:
    """Where the files of a world lie.

    `broad`: polygon_id, group, geometry, generous outlines of the mines of the reference year; `precise`: the same,
    close to the truth; `boundaries`: iso3, name, continent, geometry; `regions`: a GeoJSON file for each slug;
    `promoted`: outlines of mines that opened later (property `note`); `points`: point_id, year, label, geometry.
    """

    broad: Path
    precise: Path
    boundaries: Path
    regions: Mapping[str, Path]
    promoted: Path
    points: Path


def write_inputs(world: World, folder: Path) -> WorldInputs:
    """Write all input files of a world into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = WorldInputs(
        broad=folder / "broad.parquet",
        precise=folder / "precise.parquet",
        boundaries=folder / "boundaries.parquet",
        regions={r.slug: folder / f"{r.slug}.geojson" for r in world.regions},
        promoted=folder / "promoted.geojson",
        points=folder / "points.parquet",
    )
    outlines = world.known(world.reference_year)
    write_geoparquet(_polygons({m: _broad(m, g) for m, g in outlines.items()}), inputs.broad)
    write_geoparquet(_polygons({m: _precise(m, g) for m, g in outlines.items()}), inputs.precise)
    write_geoparquet(_boundaries(world), inputs.boundaries)
    write_geoparquet(_points(world), inputs.points)
    for region in world.regions:
        _write_geojson(inputs.regions[region.slug], [(region.geometry, {"title": region.title})])
    _write_geojson(inputs.promoted, _promoted(world))
    return inputs


def _polygons(outlines: Mapping[Mine, BaseGeometry]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"polygon_id": [m.mine_id for m in outlines], "group": [m.kind for m in outlines]},
        geometry=[to_wgs84(g) for g in outlines.values()],
        crs=WGS84,
    )


def _broad(mine: Mine, outline: BaseGeometry) -> BaseGeometry:
    """As an analyst at a coarse scale would draw it: 20 to 30 m outside, corners cut, gaps closed."""
    reach = 20.0 + 10.0 * uniform("broad", mine.mine_id)
    return outline.buffer(reach + 15.0, quad_segs=4).buffer(-15.0, quad_segs=4).simplify(8.0)


def _precise(mine: Mine, outline: BaseGeometry) -> BaseGeometry:
    """The truth with every vertex off by a few metres."""
    random = np.random.default_rng(noise_key("precise", mine.mine_id))

    def shaken(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        off = random.normal(0.0, DIGITISING_NOISE / np.sqrt(2.0), points.shape)
        length = np.maximum(np.hypot(*off.T), 1e-9)
        return np.asarray(points + off * np.minimum(1.0, 5.0 / length)[:, None])

    parts = []
    for part in shapely.get_parts(outline):
        rings = [shapely.get_coordinates(r)[:-1] for r in (part.exterior, *part.interiors)]
        shell, *holes = (shaken(r) for r in rings)
        parts.append(repair(shapely.Polygon(shell, holes)))
    return shapely.union_all([p for p in parts if p is not None])


def _boundaries(world: World) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "iso3": [c.iso3 for c in world.countries],
            "name": [c.name for c in world.countries],
            "continent": [c.continent for c in world.countries],
        },
        geometry=[to_wgs84(c.geometry) for c in world.countries],
        crs=WGS84,
    )


def _promoted(world: World) -> list[tuple[BaseGeometry, dict[str, str]]]:
    """Final outlines of the mines that open after the reference year."""
    rows = []
    for mine in world.mines:
        final = mine.outline(world.years[-1])
        if mine.mine_id not in world.hidden and mine.opening > world.reference_year and final is not None:
            rows.append((final.simplify(2.0), {"note": f"{mine.mine_id}, seen since {mine.opening}"}))
    return rows


def _points(world: World) -> gpd.GeoDataFrame:
    """Stratified validation points: a third inside mines, a third just outside, a third anywhere in the regions."""
    rows: list[tuple[str, int, bool, shapely.Point]] = []
    for year in world.years:
        truth = shapely.union_all(list(world.outlines(year).values()))
        ring = truth.buffer(400.0).difference(truth)
        anywhere = shapely.union_all([r.geometry for r in world.regions])
        random = np.random.default_rng(noise_key("points", world.seed, year))
        for stratum in (truth, ring, anywhere):
            for point in _scatter(stratum, POINTS_PER_YEAR // 3, random):
                rows.append((f"{year}-{len(rows):04d}", year, bool(truth.contains(point)), point))
    return gpd.GeoDataFrame(
        {"point_id": [r[0] for r in rows], "year": [r[1] for r in rows], "label": [r[2] for r in rows]},
        geometry=[to_wgs84(r[3]) for r in rows],
        crs=WGS84,
    )


def _scatter(area: BaseGeometry, count: int, random: np.random.Generator) -> list[shapely.Point]:
    """Points spread evenly over an area by rejection."""
    west, south, east, north = area.bounds
    shapely.prepare(area)
    found: list[shapely.Point] = []
    while len(found) < count:
        x, y = random.uniform(west, east, 2000), random.uniform(south, north, 2000)
        inside = shapely.contains_xy(area, x, y)
        found += [shapely.Point(px, py) for px, py in zip(x[inside], y[inside], strict=True)]
    return found[:count]


def _write_geojson(path: Path, rows: list[tuple[BaseGeometry, dict[str, str]]]) -> None:
    features = [
        {"type": "Feature", "properties": properties, "geometry": _rounded(mapping(to_wgs84(geometry)))}
        for geometry, properties in rows
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, sort_keys=True) + "\n", "utf-8")


def _rounded(geometry: object) -> object:
    """Coordinates to 7 decimals (1 cm)."""
    if isinstance(geometry, dict):
        return {k: _rounded(v) for k, v in geometry.items()}
    if isinstance(geometry, list | tuple):
        return [_rounded(v) for v in geometry]
    return round(geometry, 7) if isinstance(geometry, float) else geometry
