"""What lies where: whether a region has land and known mines, and whether what is registered lies in a region.

All of it is doubt, a sentence each for a person to judge: what is far from everything may still be right.
"""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import MinemapError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector_files import areal_parts
from minemap_assets.project.project import Project
from minemap_assets.project.regions import Region
from minemap_assets.reference.boundaries import name_of_countries
from minemap_assets.reference.catalogue import ReferenceEntry, read_entry
from minemap_assets.reference.registered import PROMOTED_SITES_PATH, catalogue

Shapes = npt.NDArray[np.object_]

_BOUNDARIES, _POINTS = "country_boundaries", "validation_points"
_FAR_KM, _NEAR_KM = 2000.0, 300.0
"""A region so far from all others that would be so near one of them with its coordinates swapped most likely is."""
_RIGHT_ANGLE = 90.0
_SWAP = "with latitude and longitude in each other's place; if that is meant, swap them: longitude comes first"
_NOUNS = {"polygons": "polygon", "points": "point", "boundaries": "country", "series": "polygon"}


def notes_on_region(project: Project, area: BaseGeometry, named: str) -> tuple[str, ...]:
    """What is doubtful about an area (EPSG:4326), from what is registered and from the other regions.

    `named` is what it is called, such as `region north`. Nothing is said from a file that cannot be read: the next run
    says what is wrong with it.
    """
    on_land = _on_land(project, area, named)
    on_mines = _on_mines(project, area, named)
    swapped = any(_SWAP in note for note in (*on_land, *on_mines))
    return (*on_land, *on_mines, *(() if swapped else _on_others(project, area, named)))


def notes_on_entry(project: Project, entry: ReferenceEntry) -> tuple[str, ...]:
    """What is doubtful about a registered file, from the regions of the project."""
    regions = project.active_regions()
    noun = _NOUNS[entry.kind]
    if not regions:
        return (
            f"the project has no region yet; once there is one, `minemap regions add` says whether a {noun} of "
            f"{entry.name} lies in it",
        )
    frame = _frame(project, entry)
    if frame is None:
        return ()
    shapes = _filled(frame)
    if not shapes.size:
        return ()
    bare = [slug for slug, region in regions.items() if not _meeting(shapes, region.geometry).size]
    if entry.kind == "boundaries":
        none = f"no country of {entry.name} has land in {_regions(bare)}, so that what is mapped there is of no country"
        return (none,) if bare else ()
    if len(bare) < len(regions):
        return ()
    return (f"no {noun} of {entry.name} lies in {_regions(bare)}: {_where(shapes, regions)}",)


def meeting_sets(project: Project, outlines: Sequence[BaseGeometry]) -> npt.NDArray[np.bool_]:
    """For each outline (EPSG:4326) whether it meets a polygon of a registered set."""
    met = np.zeros(len(outlines), dtype=bool)
    for entry in _polygon_entries(project):
        frame = _frame(project, entry)
        shapes = np.zeros(0, dtype=object) if frame is None else _filled(frame)
        met |= np.array([bool(_meeting(shapes, outline).size) for outline in outlines], dtype=bool)
    return met


def where_from(shapes: Sequence[BaseGeometry], regions: dict[str, Region]) -> str:
    """Where shapes (EPSG:4326) lie that meet no region, and what may be wrong with them."""
    return _where(np.array(shapes, dtype=object), regions)


def _on_land(project: Project, area: BaseGeometry, named: str) -> tuple[str, ...]:
    entry = catalogue(project).find(_BOUNDARIES)
    frame = None if entry is None else _frame(project, entry)
    if entry is None or frame is None:
        return ()
    shapes = np.asarray(frame.geometry.array, dtype=object)
    if _meeting(shapes, area).size:
        return ()
    turned = _swapped(area)
    there = _meeting(shapes, turned) if turned is not None else np.zeros(0, dtype=np.int64)
    if there.size:
        country = name_of_countries(frame, entry.columns)[there[0]] or "one"
        return (f"no country of {_BOUNDARIES} has land in {named}, but {country} would {_SWAP}",)
    return (
        f"no country of {_BOUNDARIES} has land in {named}: it lies on open sea, or its country is missing there; check "
        "its coordinates",
    )


def _on_mines(project: Project, area: BaseGeometry, named: str) -> tuple[str, ...]:
    """Nothing where any set or promoted outline has a polygon in the area, or where no set is registered."""
    entries = _polygon_entries(project)
    if not entries or _meeting(_promoted(project), area).size:
        return ()
    found: list[Shapes] = []
    for entry in entries:
        frame = _frame(project, entry)
        if frame is None or _meeting(_filled(frame), area).size:
            return ()
        found.append(_filled(frame))
    shapes = np.concatenate(found)
    if not shapes.size:
        return ()
    sets = " or ".join(entry.name for entry in entries)
    turned = _swapped(area)
    if turned is not None and _meeting(shapes, turned).size:
        return (f"no polygon of {sets} lies in {named}, but one would {_SWAP}",)
    return (
        f"no polygon of {sets} lies in {named}, so that it has no sites and nothing is mapped there; the nearest is "
        f"some {_nearest_km(area, shapes):,.0f} km away: register a set that covers it with `minemap reference add "
        "NAME FILE`, or outline its mines and add them with `minemap sites promote FILE`",
    )


def _on_others(project: Project, area: BaseGeometry, named: str) -> tuple[str, ...]:
    """From the other regions and the validation points, where there is either."""
    entry = catalogue(project).find(_POINTS)
    points = None if entry is None else _frame(project, entry)
    regions = [r.geometry for r in project.active_regions().values() if not r.geometry.equals(area)]
    others = np.array([*regions, *([] if points is None else _filled(points))], dtype=object)
    turned = _swapped(area)
    if not len(others) or turned is None:
        return ()
    far, near = _nearest_km(area, others), _nearest_km(turned, others)
    if far < _FAR_KM or near > _NEAR_KM:
        return ()
    return (f"{named} is some {far:,.0f} km from any other region or validation point, but would be near one {_SWAP}",)


def _where(shapes: Shapes, regions: dict[str, Region]) -> str:
    west, south, east, north = shapely.total_bounds(shapes)
    distances = {slug: _nearest_km(region.geometry, shapes) for slug, region in regions.items()}
    slug = min(distances, key=lambda one: (distances[one], one))
    told = (
        f"they lie from {west:.4g} to {east:.4g} degrees east and {south:.4g} to {north:.4g} degrees north, some "
        f"{distances[slug]:,.0f} km from region {slug}"
    )
    turned = {name: _swapped(region.geometry) for name, region in regions.items()}
    met = [name for name, area in turned.items() if area is not None and _meeting(shapes, area).size]
    if met:
        return f"{told}, but some would lie in region {met[0]} {_SWAP}"
    return f"{told}; check their coordinates and CRS (--crs), or add a region there with `minemap regions add`"


def _polygon_entries(project: Project) -> list[ReferenceEntry]:
    return [entry for entry in catalogue(project).entries if entry.kind == "polygons"]


def _frame(project: Project, entry: ReferenceEntry) -> gpd.GeoDataFrame | None:
    """The features of a registered file; None where it cannot be read."""
    try:
        return read_entry(entry, project.lake.store)
    except MinemapError:
        return None


def _promoted(project: Project) -> Shapes:
    """Outlines that a person added as sites; none where they cannot be read."""
    try:
        data = project.input(PROMOTED_SITES_PATH)
        found = [] if data is None else list(shapely.get_parts(shapely.from_geojson(data)))
    except (MinemapError, shapely.errors.ShapelyError):
        found = []
    shapes: Shapes = np.array(found, dtype=object)
    return shapes


def _filled(frame: gpd.GeoDataFrame) -> Shapes:
    shapes = np.asarray(frame.geometry.array, dtype=object)
    filled: npt.NDArray[np.bool_] = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    return shapes[filled]


def _meeting(shapes: Shapes, area: BaseGeometry) -> npt.NDArray[np.int64]:
    """Positions of the shapes that meet an area, polygons as a run repairs them."""
    near = np.sort(shapely.STRtree(shapes).query(area)).astype(np.int64)
    if not near.size:
        return near
    found = shapes[near]
    if (shapely.get_dimensions(found) < shapely.get_dimensions(area)).all():
        return near[shapely.intersects(found, area)]
    parts, origin = areal_parts(short_way(found))
    return near[np.unique(origin[shapely.intersects(parts, area)])]


def _swapped(area: BaseGeometry) -> BaseGeometry | None:
    """With latitude and longitude in each other's place; None where that lies nowhere on Earth."""
    west, _, east, _ = area.bounds
    if min(west, -east) < -_RIGHT_ANGLE:
        return None
    return shapely.transform(area, lambda degrees: degrees[:, ::-1])


def _nearest_km(area: BaseGeometry, shapes: Shapes) -> float:
    """Geodesic kilometres to the shape that is nearest in degrees; 0 where they meet."""
    nearest = shapes[int(shapely.STRtree(shapes).nearest(area))]
    here, there = shapely.get_coordinates(shapely.shortest_line(area, nearest))
    return float(pyproj.Geod(ellps="WGS84").inv(*here, *there)[2]) / 1000.0


def _regions(slugs: Sequence[str]) -> str:
    return f"region{'' if len(slugs) == 1 else 's'} {', '.join(slugs)}"
