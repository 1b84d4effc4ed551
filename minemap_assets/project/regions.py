"""Regions: named areas of interest, and the versioned GeoJSON file that holds them.

The list is edited in `region_changes.py`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import geodesic_area_km2
from minemap_assets.geo.vector_files import check_degrees, read_vector
from minemap_assets.project.settings import EARLIEST_YEAR

REGIONS_PATH = "inputs/regions.geojson"
"""Where the lake keeps the file."""

MAX_AREA_KM2 = 3_000_000.0
"""A larger region is refused: its partitions would be too big to rerun."""

_LAST_REFERENCE_YEAR = 2100

_SLUG = re.compile(r"[a-z0-9_-]{1,60}")
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


def validate_slug(slug: str) -> str:
    """The slug itself. Raises `BadInputError` where it could not name a folder, a partition and a URL alike."""
    if not _SLUG.fullmatch(slug):
        raise BadInputError(
            f"{slug!r} cannot name a region; use 1 to 60 lower-case letters, digits, hyphens and underscores"
        )
    return slug


def validate_geometry(geometry: BaseGeometry | None, where: str) -> Polygon | MultiPolygon:
    """The geometry in two dimensions. Raises `BadInputError` unless it is a valid area in degrees that stays on one
    side of the antimeridian.
    """
    if geometry is None or geometry.is_empty:
        raise BadInputError(f"{where} is empty; give a polygon")
    flat = shapely.force_2d(geometry)
    if not isinstance(flat, Polygon | MultiPolygon):
        raise BadInputError(f"{where} is a {flat.geom_type}; give a polygon")
    check_degrees(flat.bounds, where)
    if not flat.is_valid:
        raise BadInputError(f"{where} is not a valid polygon: {_fault(flat)}; redraw it there")
    _check_antimeridian(flat, where)
    return flat


def check_region(region: Region) -> Region:
    """The region itself. Raises `BadInputError` for a wrong slug, geometry, season or product period."""
    validate_slug(region.slug)
    validate_geometry(region.geometry, f"region {region.slug}")
    if region.season is not None and not all(1 <= month <= 12 for month in region.season):
        raise BadInputError(f"region {region.slug} has the season {region.season}; give two months from 1 to 12")
    for period in region.products:
        if not isinstance(period.get("product"), str) or set(period) - _PERIOD_KEYS:
            raise BadInputError(
                f"region {region.slug} has a product period {json.dumps(period, sort_keys=True)}; "
                "give product, and where wanted from and until"
            )
        first, until = period.get("from"), period.get("until")
        if first is not None and until is not None and int(first) > int(until):
            raise BadInputError(
                f"region {region.slug}: {period['product']} from {first} until {until} holds no year; swap the years"
            )
    year = region.reference_year
    if year is not None and not EARLIEST_YEAR <= int(year) <= _LAST_REFERENCE_YEAR:
        raise BadInputError(
            f"region {region.slug} has the reference year {year}, of which there are no images; give one from "
            f"{EARLIEST_YEAR} on"
        )
    return region


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


def read_polygons(path: Path, layer: str | None, crs: str | None) -> list[Polygon | MultiPolygon]:
    """The filled features of a vector file (see `read_vector`), valid. Raises `BadInputError` naming a bad one."""
    frame = read_vector(path, layer=layer, crs=crs)
    return [
        validate_geometry(geometry, f"feature {number} of {path}")
        for number, geometry in enumerate(frame.geometry, start=1)
        if geometry is not None and not geometry.is_empty
    ]


def read_regions(data: bytes) -> dict[str, Region]:
    """Regions by slug, sorted, from the bytes of the GeoJSON file. Raises `BadInputError` naming the fault."""
    try:
        features = list(json.loads(data)["features"])
    except (ValueError, KeyError, TypeError) as error:
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
        slug = str(properties["slug"])
        geometry = validate_geometry(shape(feature["geometry"]), f"region {slug}")
    except (KeyError, TypeError, ValueError, AttributeError, shapely.GEOSException) as error:
        raise BadInputError(f"feature {number} of {REGIONS_PATH} lacks a slug or a geometry; add it") from error
    unknown = set(properties) - _PROPERTIES
    if unknown:
        raise BadInputError(f"region {slug} has unknown properties {', '.join(sorted(unknown))}; remove them")
    try:
        season = properties.get("season")
        return check_region(
            Region(
                slug=slug,
                title=str(properties.get("title") or slug),
                geometry=geometry,
                season=None if season is None else (int(season[0]), int(season[1])),
                products=tuple(dict(p) for p in properties.get("products") or ()),
                reference_year=properties.get("reference_year"),
                retired=bool(properties.get("retired", False)),
            )
        )
    except (TypeError, ValueError, IndexError) as error:
        raise BadInputError(f"region {slug} has a season or products that cannot be read; see the others") from error


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


def _check_antimeridian(geometry: Polygon | MultiPolygon, where: str) -> None:
    bounds = [part.bounds for part in shapely.get_parts(geometry)]
    wraps = any(east - west > 180 for west, _, east, _ in bounds)
    both_sides = min(b[0] for b in bounds) <= -180 + 1e-9 and max(b[2] for b in bounds) >= 180 - 1e-9
    if wraps or both_sides:
        raise BadInputError(f"{where} crosses the antimeridian; make it two regions, one on each side of longitude 180")
