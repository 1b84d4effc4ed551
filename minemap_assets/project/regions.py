"""Regions: named areas of interest, and the versioned GeoJSON file that holds them.

The list is edited in `region_changes.py`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.antimeridian import short_way
from minemap_assets.geo.vector import geodesic_area_km2
from minemap_assets.geo.vector_files import check_degrees, read_vector
from minemap_assets.messages import shown as _shown
from minemap_assets.project.settings import EARLIEST_YEAR, LATEST_YEAR

REGIONS_PATH = "inputs/regions.geojson"
"""Where the lake keeps the file."""

MAX_AREA_KM2 = 3_000_000.0
"""A larger region is refused: its partitions would be too big to rerun."""

MIN_AREA_KM2 = 0.01
"""A smaller region is refused: it is 100 m wide, and a site's window is wider than that."""

_WORLD_KM2 = 100e6
"""Two thirds of the land on Earth."""

_EARTH_RADIUS_KM = 6371.0
_HALF_WAY = 180.0

_SLUG = re.compile(r"[a-z0-9_][a-z0-9_-]{0,59}")
_LAST_YEAR = 9999
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)
"""What comes of values of other kinds than are looked for."""
_PLACE = re.compile(r"(?P<what>[^\[]+)\[(?P<x>\S+) (?P<y>[^\s\]]+)")
_PROPERTIES = {"slug", "title", "season", "products", "reference_year", "retired"}
_PERIOD_KEYS = {"product", "from", "until"}


@dataclass(frozen=True)
class Region:
    """A named area in EPSG:4326.

    `season` is the first and last month of its images, None for the project's; `products` are the periods
    (product, from, until) that override the project's rule; a retired region gets no new partitions.
    """

    slug: str
    title: str
    geometry: Polygon | MultiPolygon
    season: tuple[int, int] | None = None
    products: tuple[dict[str, Any], ...] = ()
    reference_year: int | None = None
    retired: bool = False

    @property
    def area_km2(self) -> float:
        """Geodesic area in square kilometres."""
        return geodesic_area_km2(self.geometry)

    @cached_property
    def outline(self) -> str:
        """The geometry for fingerprints as hexadecimal WKB; made once, as every partition of the region asks for it."""
        return self.geometry.wkb_hex


def validate_slug(slug: str) -> str:
    """The slug itself. Raises `BadInputError` where it could not name a folder, a partition and a URL alike."""
    if not _SLUG.fullmatch(slug):
        raise BadInputError(
            f"{_shown(slug)} cannot name a region; use 1 to 60 lower-case letters, digits, hyphens and underscores, no "
            "hyphen first"
        )
    return slug


def validate_geometry(geometry: BaseGeometry | None, where: str) -> Polygon | MultiPolygon:
    """The geometry in two dimensions. Raises `BadInputError` unless it is a valid area in degrees that stays on one
    side of the antimeridian.
    """
    flat = _area(geometry, where)
    _check_antimeridian(flat, where)
    return flat


def _area(geometry: BaseGeometry | None, where: str) -> Polygon | MultiPolygon:
    if geometry is None or geometry.is_empty:
        raise BadInputError(f"{where} is empty; give a polygon")
    flat = shapely.force_2d(geometry)
    if not isinstance(flat, Polygon | MultiPolygon):
        raise BadInputError(f"{where} is a {flat.geom_type}; give a polygon")
    check_degrees(flat.bounds, where)
    if not flat.is_valid:
        raise BadInputError(f"{where} is not a valid polygon: {_fault(flat)}; redraw it there")
    return flat


def check_region(region: Region) -> Region:
    """The region itself. Raises `BadInputError` for a wrong slug, geometry, season or product period."""
    validate_slug(region.slug)
    validate_geometry(region.geometry, f"region {region.slug}")
    if region.season is not None and not all(1 <= month <= 12 for month in region.season):
        raise BadInputError(f"region {region.slug} has the season {region.season}; give two months from 1 to 12")
    _check_text(region.title, f"region {region.slug} has a title")
    for period in region.products:
        _check_period(period, region.slug)
    if region.reference_year is not None:
        _check_year(region.reference_year, f"region {region.slug} has the reference year")
    return region


def _check_period(period: Mapping[str, Any], slug: str) -> None:
    if not isinstance(period.get("product"), str) or set(period) - _PERIOD_KEYS:
        raise BadInputError(
            f"region {slug} has a product period {_shown(period)}; give product, and where wanted from and until"
        )
    _check_text(period["product"], f"region {slug} has a product period")
    first, until = period.get("from"), period.get("until")
    for year in (first, until):
        if year is not None and not (_is_whole(year) and 1 <= year <= _LAST_YEAR):
            raise BadInputError(f"region {slug} has a product period {_shown(period)}; from and until are years")
    if first is not None and until is not None and first > until:
        raise BadInputError(
            f"region {slug}: {period['product']} from {first} until {until} holds no year; swap the years"
        )


def _check_text(text: str, what: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInputError(f"{what} with half a letter in it, which no file can hold; write it again") from error


def _check_year(year: Any, what: str) -> None:
    if not _is_whole(year) or not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise BadInputError(f"{what} {_shown(year)}, of which there are no images; give one from {EARLIEST_YEAR} on")


def _is_whole(value: Any) -> bool:
    """A whole number, and not true or false, which Python takes for one."""
    return isinstance(value, int) and not isinstance(value, bool)


def region_from_file(
    path: Path,
    slug: str,
    *,
    title: str | None = None,
    season: tuple[int, int] | None = None,
    products: Iterable[Mapping[str, Any]] = (),
    reference_year: int | None = None,
    layer: str | None = None,
    crs: str | None = None,
) -> Region:
    """A region that is the union of all features of a vector file (see `read_vector`). Raises `BadInputError`.

    The title is the slug unless one is given. How large a region may be is for `region_changes.add_region` to say.
    """
    validate_slug(slug)
    parts = read_polygons(path, layer, crs)
    if not parts:
        raise BadInputError(f"{path} holds no polygon; every geometry in it is empty")
    union = validate_geometry(shapely.union_all(parts) if len(parts) > 1 else parts[0], str(path))
    periods = tuple(dict(period) for period in products)
    return check_region(Region(slug, title or slug, union, season, periods, reference_year))


def read_polygons(
    path: Path, layer: str | None, crs: str | None, *, both_sides: bool = False
) -> list[Polygon | MultiPolygon]:
    """The filled features of a vector file (see `read_vector`), valid. Raises `BadInputError` naming a bad one.

    One across the antimeridian is refused, or with `both_sides` cut there.
    """
    frame = read_vector(path, layer=layer, crs=crs)
    if both_sides:
        frame = frame.set_geometry(short_way(np.asarray(frame.geometry.array, dtype=object)), crs=frame.crs)
    _check_not_world([g for g in frame.geometry if g is not None and not g.is_empty], str(path))
    return [
        (_area if both_sides else validate_geometry)(geometry, f"feature {number} of {path}")
        for number, geometry in enumerate(frame.geometry, start=1)
        if geometry is not None and not geometry.is_empty
    ]


def read_regions(data: bytes) -> dict[str, Region]:
    """Regions by slug, sorted, from the bytes of the GeoJSON file. Raises `BadInputError` naming the fault."""
    try:
        features = list(json.loads(data)["features"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"{REGIONS_PATH} is not a GeoJSON FeatureCollection; restore an earlier version") from error
    regions: dict[str, Region] = {}
    for number, feature in enumerate(features, start=1):
        region = _region(feature, number)
        if region.slug in regions:
            raise BadInputError(f"{REGIONS_PATH} names the region {region.slug} twice; keep one")
        regions[region.slug] = region
    return dict(sorted(regions.items()))


def write_regions(regions: Iterable[Region]) -> bytes:
    """GeoJSON of regions, sorted by slug, one feature a line: the same bytes for the same regions."""
    lines = [json.dumps(_feature(r), sort_keys=True, ensure_ascii=False) for r in sorted(regions, key=lambda r: r.slug)]
    body = ",\n".join(lines)
    return f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n'.encode()


def _region(feature: Any, number: int) -> Region:
    try:
        properties = dict(feature["properties"])
        slug = properties["slug"]
        if not isinstance(slug, str):
            raise TypeError(slug)
        shown = f"{REGIONS_PATH}: region {slug}" if _SLUG.fullmatch(slug) else f"feature {number} of {REGIONS_PATH}"
        geometry = validate_geometry(shape(feature["geometry"]), shown)
    except BadInputError:
        raise
    except (*_MALFORMED, shapely.errors.ShapelyError) as error:
        raise BadInputError(f"feature {number} of {REGIONS_PATH} lacks a slug or a geometry; add it") from error
    try:
        return check_region(_with_properties(properties, validate_slug(slug), geometry))
    except BadInputError as error:
        raise BadInputError(f"{REGIONS_PATH}: {error}") from error
    except _MALFORMED as error:
        raise BadInputError(
            f"{REGIONS_PATH}: region {slug} has a season or products that cannot be read; see the others"
        ) from error


def _with_properties(properties: Mapping[str, Any], slug: str, geometry: Polygon | MultiPolygon) -> Region:
    unknown = sorted(set(properties) - _PROPERTIES)
    if unknown:
        named = _shown(", ".join(unknown))[1:].rstrip("'\"")
        raise BadInputError(f"region {slug} has unknown properties {named}; remove them")
    season, title, retired = (properties.get(name) for name in ("season", "title", "retired"))
    if season is not None and not (isinstance(season, list) and len(season) == 2 and all(map(_is_whole, season))):
        raise BadInputError(f"region {slug} has the season {_shown(season)}; give two months from 1 to 12")
    if not isinstance(retired, bool | None):
        raise BadInputError(f"region {slug} has retired = {_shown(retired)}; write true or false without quotes")
    if not isinstance(title, str | None):
        raise BadInputError(f"region {slug} has the title {_shown(title)}; write text")
    return Region(
        slug=slug,
        title=title or slug,
        geometry=geometry,
        season=None if season is None else (season[0], season[1]),
        products=tuple(dict(p) for p in properties.get("products") or ()),
        reference_year=properties.get("reference_year"),
        retired=bool(retired),
    )


def _feature(region: Region) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {
            "slug": region.slug,
            "title": region.title,
            "season": None if region.season is None else list(region.season),
            "products": list(region.products),
            "reference_year": region.reference_year,
            "retired": region.retired,
        },
        "geometry": mapping(region.geometry),
    }


def _fault(geometry: Polygon | MultiPolygon) -> str:
    reason = shapely.is_valid_reason(geometry)
    found = _PLACE.match(reason)
    if found is None:
        return str(reason).lower()
    what = found["what"].strip().lower()
    said = "it crosses itself" if "self-intersection" in what else what
    return f"{said} at longitude {found['x']}, latitude {found['y']}"


def _check_not_world(geometries: list[BaseGeometry], where: str) -> None:
    """Refuse what covers most of the Earth, as a map of all countries does, before it is said to cross a line."""
    covered = sum(
        float(shapely.area(shapely.transform(g, _cylindrical))) for g in geometries if np.isfinite(g.bounds).all()
    )
    if covered >= _WORLD_KM2:
        raise BadInputError(
            f"{where} covers some {covered / 1e6:,.0f} million km2, as much as all land on Earth; a region has up to "
            f"{MAX_AREA_KM2:,.0f} km2: draw it around the mines that are to be mapped"
        )


def _cylindrical(degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kilometres on a cylinder around a sphere, on which areas are what they are on the sphere."""
    radians = np.radians(degrees)
    return _EARTH_RADIUS_KM * np.column_stack([radians[:, 0], np.sin(radians[:, 1])])


def _check_antimeridian(geometry: Polygon | MultiPolygon, where: str) -> None:
    bounds = [part.bounds for part in shapely.get_parts(geometry)]
    west, east = min(b[0] for b in bounds), max(b[2] for b in bounds)
    widest = max(b[2] - b[0] for b in bounds)
    if widest > _HALF_WAY:
        raise BadInputError(
            f"{where} reaches over {widest:.0f} degrees of longitude, so that it crosses the antimeridian or goes "
            "around half the Earth; make it two regions, one on each side of longitude 180"
        )
    if west <= -_HALF_WAY + 1e-9 and east >= _HALF_WAY - 1e-9:
        raise BadInputError(
            f"{where} crosses the antimeridian, where it is cut in two already; put what lies west and what lies east "
            "of longitude 180 in a file each, and make them two regions"
        )
