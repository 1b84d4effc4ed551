"""Windows: the square of ground each site owns, and whose pixel is whose where squares overlap."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry import MultiPolygon, Polygon

from minemap_assets.geo.antimeridian import crossing, halves
from minemap_assets.geo.grid import SNAP_METRES, footprint, from_columns, square_grid, utm_epsg
from minemap_assets.geo.vector import WGS84, polygons_only, repair
from minemap_assets.sites.config import RESOLUTION, SitesConfig

_SIDE_STEP_METRES = 500.0
_SLIVER_METRES = 0.1
_MERCATOR = "EPSG:3395"
"""A conformal map of the whole world, so that which of two centres is nearer does not hang on a zone."""


@dataclass(frozen=True)
class Site:
    """One row of the sites table, its grid ready for use. `outline` is the window in EPSG:4326."""

    site_id: str
    region: str
    origin: str
    split_group: str
    longitude: float
    latitude: float
    grid: GeoBox
    ground_resolution: float
    outline: Polygon | MultiPolygon


def site_grid(row: Any) -> GeoBox:
    """The grid of a row of the sites table (a Series, a mapping or a named tuple)."""
    if not hasattr(row, "__getitem__") or isinstance(row, tuple):
        return from_columns(row.crs, row.transform, row.width, row.height)
    return from_columns(row["crs"], row["transform"], row["width"], row["height"])


def iter_sites(frame: gpd.GeoDataFrame) -> Iterator[Site]:
    """The sites of a table, in its order."""
    for row in frame.itertuples(index=False):
        yield Site(
            site_id=str(row.site_id),
            region=str(row.region),
            origin=str(row.origin),
            split_group=str(row.split_group),
            longitude=float(row.longitude),
            latitude=float(row.latitude),
            grid=site_grid(row),
            ground_resolution=float(row.ground_resolution),
            outline=row.geometry,
        )


def centres(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Centres (longitude, latitude) of the bounds of geometries in EPSG:4326, shape (n, 2)."""
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    return np.column_stack([(bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2])


def window_grids(outlines: npt.NDArray[np.object_], config: SitesConfig) -> list[GeoBox]:
    """The grid of each outline in EPSG:4326: a square around the centre of its bounds in its UTM zone.

    Its side is `window_factor` times the longest side of those bounds (paper, Methods: twice), at least `min_pixels` of
    5 m, rounded up to 10 m. A squeezed window keeps `min_pixels` and gets coarser pixels.
    """
    grids: list[GeoBox | None] = [None] * len(outlines)
    zones = np.array([utm_epsg(x, y) for x, y in centres(outlines)], dtype=np.int64)
    for zone in np.unique(zones):
        chosen = np.flatnonzero(zones == zone)
        projected = gpd.GeoSeries(outlines[chosen], crs=WGS84).to_crs(int(zone))
        for position, (west, south, east, north) in zip(chosen, np.asarray(projected.bounds), strict=True):
            longest = max(east - west, north - south)
            grids[position] = _window((west + east) / 2, (south + north) / 2, longest, int(zone), config)
    return [grid for grid in grids if grid is not None]


def window_outlines(grids: list[GeoBox]) -> npt.NDArray[np.object_]:
    """Outlines of grids in EPSG:4326, with points along the sides, cut where they cross the antimeridian."""
    outlines = np.empty(len(grids), dtype=object)
    zones = np.array([str(grid.crs) for grid in grids], dtype=object)
    for zone in sorted(set(zones)):
        chosen = np.flatnonzero(zones == zone)
        squares = shapely.segmentize([footprint(grids[n]) for n in chosen], _SIDE_STEP_METRES)
        outlines[chosen] = np.asarray(gpd.GeoSeries(squares, crs=zone).to_crs(WGS84).array, dtype=object)
    for n in crossing(outlines):
        outlines[n] = MultiPolygon([p for p in halves(outlines[n]) if isinstance(p, Polygon) and not p.is_empty])
    return outlines


def ownership(frame: gpd.GeoDataFrame) -> dict[str, Polygon | MultiPolygon]:
    """The ground each site of a table owns, in EPSG:4326: disjoint, and together all windows.

    Each point belongs to the site with the nearest window centre among the windows that hold it; where two centres
    are the same, to the smaller site_id. A site without overlapping neighbours owns its whole window. Strips
    narrower than 0.1 m, which are the rounding of sides that two windows share, belong to nobody.
    """
    frame = frame.sort_values("site_id", ignore_index=True)
    ids = [str(s) for s in frame["site_id"]]
    flat = gpd.GeoSeries(frame.geometry.array, crs=WGS84).to_crs(_MERCATOR)
    windows = np.asarray(flat.array, dtype=object)
    points = _grid_centres([site_grid(row) for row in frame.itertuples(index=False)])
    owned = {site: frame.geometry.iloc[n] for n, site in enumerate(ids)}
    left, right = shapely.STRtree(windows).query(windows, predicate="intersects")
    rivals: dict[int, list[int]] = {}
    for mine, other in zip(left.tolist(), right.tolist(), strict=True):
        if mine != other:
            rivals.setdefault(mine, []).append(other)
    cells: dict[str, Polygon | MultiPolygon] = {}
    for mine, others in sorted(rivals.items()):
        lost = [_lost(windows, points, mine, other) for other in sorted(others)]
        cells[ids[mine]] = _without_slivers(shapely.difference(windows[mine], shapely.union_all(lost)))
    if cells:
        dense = shapely.segmentize(list(cells.values()), _SIDE_STEP_METRES)
        back = gpd.GeoSeries(dense, crs=_MERCATOR).to_crs(WGS84)
        owned.update(zip(cells, [repair(cell) or Polygon() for cell in back], strict=True))
    return owned


def window_side(longest: float, config: SitesConfig) -> float:
    """Side in metres of the window of an outline whose bounds are `longest` metres long; a multiple of 10 m."""
    side = max(config.window_factor * longest, config.min_pixels * RESOLUTION)
    return math.ceil(side / SNAP_METRES - 1e-9) * SNAP_METRES


def _window(easting: float, northing: float, longest: float, epsg: int, config: SitesConfig) -> GeoBox:
    side = window_side(longest, config)
    if config.large == "squeeze" and side > config.min_pixels * RESOLUTION:
        return square_grid(easting, northing, config.min_pixels, epsg, side / config.min_pixels)
    return square_grid(easting, northing, round(side / RESOLUTION), epsg)


def _grid_centres(grids: list[GeoBox]) -> npt.NDArray[np.float64]:
    """Centres of grids in `_MERCATOR`, shape (n, 2)."""
    found = np.empty((len(grids), 2), dtype=np.float64)
    zones = np.array([str(grid.crs) for grid in grids], dtype=object)
    for zone in sorted(set(zones)):
        chosen = np.flatnonzero(zones == zone)
        middles = gpd.GeoSeries([footprint(grids[n]).centroid for n in chosen], crs=zone).to_crs(_MERCATOR)
        found[chosen] = shapely.get_coordinates(middles.array)
    return found


def _lost(
    windows: npt.NDArray[np.object_], points: npt.NDArray[np.float64], mine: int, other: int
) -> Polygon | MultiPolygon:
    """The part of the other's window that is nearer to its centre than to mine."""
    away = points[other] - points[mine]
    distance = float(np.hypot(*away))
    if distance == 0.0:
        return windows[other] if other < mine else Polygon()
    along = away / distance
    across = np.array([-along[1], along[0]])
    middle = (points[mine] + points[other]) / 2
    west, south, east, north = windows[other].bounds
    reach = 4.0 * (east - west + north - south) + distance
    corners = [middle - across * reach, middle + across * reach]
    corners += [corners[1] + along * reach, corners[0] + along * reach]
    lost = polygons_only(shapely.intersection(windows[other], Polygon(corners)))
    return lost if lost is not None else Polygon()


def _without_slivers(cell: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """The cell without strips narrower than 0.1 m, its other sides unmoved."""
    shrunk = shapely.buffer(cell, -_SLIVER_METRES / 2, join_style="mitre", mitre_limit=20.0)
    grown = polygons_only(shapely.buffer(shrunk, _SLIVER_METRES / 2, join_style="mitre", mitre_limit=20.0))
    return grown if grown is not None else Polygon()
