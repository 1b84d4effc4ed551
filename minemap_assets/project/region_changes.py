"""Editing the list of regions: every change is a new mapping and a sentence on what follows from it.

Nothing is ever deleted: partitions of a region outlive it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import shapely

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import polygons_only
from minemap_assets.messages import suggestion
from minemap_assets.project.regions import MAX_AREA_KM2, MIN_AREA_KM2, Region, check_region, validate_slug

_MAX_PIECES_A_SIDE = 100


@dataclass(frozen=True)
class RegionChange:
    """The regions after a change, and its consequences in one sentence."""

    regions: dict[str, Region]
    sentence: str


def add_region(regions: Mapping[str, Region], region: Region, *, max_area_km2: float = MAX_AREA_KM2) -> RegionChange:
    """Add a region. Raises `BadInputError` where its slug is taken or its area is above the limit."""
    check_region(region)
    check_area(region, max_area_km2)
    known = regions.get(region.slug)
    if known is not None:
        if known.retired:
            raise BadInputError(
                f"there is a retired region {region.slug}; bring it back with `minemap regions restore {region.slug}`, "
                "or choose another name"
            )
        raise BadInputError(
            f"there is a region {region.slug} already; put this in its place with --replace, or choose another name"
        )
    return _changed(
        regions,
        region,
        f"region {region.slug} ({region.area_km2:,.0f} km2) is new: its sites come first, then its years",
    )


def add_pieces(regions: Mapping[str, Region], region: Region, *, max_area_km2: float = MAX_AREA_KM2) -> RegionChange:
    """Add a region in pieces within the limit, or whole where it is. Raises `BadInputError` where a slug is taken."""
    check_region(region)
    if region.area_km2 <= max_area_km2:
        return add_region(regions, region, max_area_km2=max_area_km2)
    changed = dict(regions)
    pieces = split_region(region, max_area_km2)
    for piece in pieces:
        changed = add_region(changed, piece, max_area_km2=max_area_km2).regions
    return RegionChange(
        changed,
        f"region {region.slug} ({region.area_km2:,.0f} km2) is new in {len(pieces)} pieces: "
        f"{', '.join(piece.slug for piece in pieces)}",
    )


def replace_region(
    regions: Mapping[str, Region], region: Region, *, max_area_km2: float = MAX_AREA_KM2
) -> RegionChange:
    """Put an edited region (boundary, title, season, products) in the place of the one with its slug.

    Raises `BadInputError` for an unknown slug or an area above the limit.
    """
    check_region(region)
    check_area(region, max_area_km2)
    known = _known(regions, region.slug)
    said: list[str] = []
    if not known.geometry.equals(region.geometry):
        said.append(
            f"the boundary changed (from {known.area_km2:,.0f} to {region.area_km2:,.0f} km2): its sites and all years "
            "are out of date, sites that stay inside keep their ids and their images"
        )
    if (known.season, known.products) != (region.season, region.products):
        said.append("its season or products changed: the images of the years concerned are out of date")
    if known.reference_year != region.reference_year:
        said.append("its reference year changed: its reference images and training chips are out of date")
    if known.retired and not region.retired:
        said.append("it is active again")
    sentence = "; ".join(said) or "no pixel or polygon changes"
    return _changed(regions, region, f"region {region.slug}: {sentence}")


def retire_region(regions: Mapping[str, Region], slug: str) -> RegionChange:
    """Stop making partitions of a region. Raises `BadInputError` for an unknown slug."""
    known = _known(regions, slug)
    if known.retired:
        return _changed(regions, known, f"region {slug} is retired already; nothing changes")
    region = replace(known, retired=True)
    return _changed(
        regions, region, f"region {slug} is retired: no new year is made, and all that was made of it stays readable"
    )


def restore_region(regions: Mapping[str, Region], slug: str) -> RegionChange:
    """Take a retired region up again. Raises `BadInputError` for an unknown slug."""
    known = _known(regions, slug)
    if not known.retired:
        return _changed(regions, known, f"region {slug} is active already; nothing changes")
    region = replace(known, retired=False)
    return _changed(regions, region, f"region {slug} is active again: years since then are missing until made")


def rename_region(regions: Mapping[str, Region], slug: str, new_slug: str) -> RegionChange:
    """Give a region a new slug; the old one stays, retired, because its partitions bear its name.

    Raises `BadInputError` for an unknown or a taken slug.
    """
    validate_slug(new_slug)
    known = _known(regions, slug)
    if new_slug in regions:
        raise BadInputError(f"there is a region {new_slug} already; choose another name")
    if known.retired:
        raise BadInputError(f"region {slug} is retired; restore it before renaming it")
    changed = dict(regions)
    changed[slug] = replace(known, retired=True)
    changed[new_slug] = replace(known, slug=new_slug, retired=False)
    return RegionChange(
        dict(sorted(changed.items())),
        f"region {new_slug} takes over from {slug}, which is retired: site ids stay, but all partitions are made again "
        f"under the new name; those under {slug} stay readable",
    )


def check_area(region: Region, max_area_km2: float = MAX_AREA_KM2) -> None:
    """Refuse a region above the limit, and propose pieces. Raises `BadInputError`."""
    area = region.area_km2
    if area <= max_area_km2:
        return
    pieces = [piece.slug for piece in split_region(region, max_area_km2)]
    named = ", ".join(pieces if len(pieces) <= 6 else [*pieces[:3], "...", pieces[-1]])
    raise BadInputError(
        f"region {region.slug} covers {area:,.0f} km2, more than the limit of {max_area_km2:,.0f}; "
        f"split it into {len(pieces)} regions ({named}), which `minemap regions add` does with --split"
    )


def check_not_tiny(region: Region, named: str) -> None:
    """Refuse what is smaller than any mine, and so most likely in another unit. Raises `BadInputError`."""
    area = region.area_km2
    if area < MIN_AREA_KM2:
        raise BadInputError(
            f"{named} covers only {area * 1e6:,.3g} m2, less than any mine; check its coordinates and their CRS "
            "(--crs), or take it all the same with `minemap regions add --anyway`"
        )


def split_region(region: Region, max_area_km2: float = MAX_AREA_KM2) -> tuple[Region, ...]:
    """Cut a region by the coarsest grid whose cells, rows by columns, are all within the limit.

    Pieces are disjoint, cover the region, and are named after it: `<slug>-r<row>c<column>`, row 1 in the north.
    """
    for side in range(1, _MAX_PIECES_A_SIDE + 1):
        pieces = _cells(region, side)
        if all(piece.area_km2 <= max_area_km2 for piece in pieces):
            return pieces
    raise BadInputError(f"region {region.slug} cannot be split below {max_area_km2:,.0f} km2; raise the limit")


def _cells(region: Region, side: int) -> tuple[Region, ...]:
    west, south, east, north = region.geometry.bounds
    width, height = east - west, north - south
    columns = max(1, round(side * math.sqrt(width / height)))
    rows = max(1, round(side * math.sqrt(height / width)))
    pieces: list[Region] = []
    for row in range(rows):
        for column in range(columns):
            cell = shapely.box(
                west + width * column / columns,
                north - height * (row + 1) / rows,
                west + width * (column + 1) / columns,
                north - height * row / rows,
            )
            part = polygons_only(shapely.intersection(region.geometry, cell))
            if part is not None:
                name = f"r{row + 1}c{column + 1}"
                slug = f"{region.slug[: 59 - len(name)]}-{name}"
                pieces.append(replace(region, slug=slug, title=f"{region.title} ({name})", geometry=part))
    return tuple(pieces)


def _known(regions: Mapping[str, Region], slug: str) -> Region:
    if slug not in regions:
        if not regions:
            raise BadInputError(f"there is no region {slug}, nor any other; add it with `minemap regions add`")
        named = ", ".join(sorted(regions))
        raise BadInputError(f"there is no region {slug}{suggestion(slug, regions)}; the regions are {named}")
    return regions[slug]


def _changed(regions: Mapping[str, Region], region: Region, sentence: str) -> RegionChange:
    return RegionChange(dict(sorted({**regions, region.slug: region}.items())), sentence)
