"""What `minemap area` finds: the ground of a file, and what is mapped inside it."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
from rich.table import Table

from dagster_project.commands.context import Session, console
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84, polygons_only, repair
from minemap_assets.geo.vector_files import read_vector
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.tables.parts import RegionPart, read_part
from minemap_assets.tables.within import AreaWithin, area_within

_NAMES = ("name", "title", "label", "id")
"""Columns that name features where nobody says which one does, in any case."""

MINED = ("polygons", "mining_polygons")


def find_areas(
    session: Session, path: Path, year: int | None, name_column: str | None, layer: str | None, crs: str | None
) -> list[AreaWithin]:
    """A row for each feature and year. Raises `BadInputError` for a wrong file or year, or where nothing was mapped."""
    features = read_features(path, name_column, layer, crs)
    project = session.project
    made = sorted({int(ref.keys[1]) for ref in project.lake.refs(*MINED) if ref.keys[0] in project.active_regions()})
    if not made:
        raise BadInputError(
            f"the project at {project.lake.store.root} has no mining polygons yet; make some with `minemap run`"
        )
    if year is not None and year not in made:
        raise BadInputError(f"--year: nothing was mapped in {year}; years that were are {_listed(made)}")
    years = made if year is None else [year]
    rows = [row for one in years for row in area_within(one, _parts(project, one), features)]
    return sorted(rows, key=lambda row: (row.feature, row.year))


def read_features(path: Path, name_column: str | None, layer: str | None, crs: str | None) -> gpd.GeoDataFrame:
    """The features [name, geometry] of a file, in EPSG:4326. Raises `BadInputError` for one that has no area."""
    frame = read_vector(path, layer=layer, crs=crs)
    names = _names(frame, path, name_column)
    shapes = np.empty(len(frame), dtype=object)
    shapes[:] = [repair(shape) for shape in frame.geometry]
    for number, shape in enumerate(shapes):
        if shape is None or polygons_only(shape) is None:
            raise BadInputError(
                f"feature {number + 1} ({names[number]!r}) of {path} is no polygon; give features that have an area"
            )
    return gpd.GeoDataFrame({"name": names}, geometry=shapes, crs=WGS84)


def show_areas(rows: Sequence[AreaWithin]) -> None:
    """Print a table, and below it why features have no area."""
    table = Table("feature", "year", "mapped km²", "of km²", "polygons", "sites seen", "covered", "status")
    for row in rows:
        area = "not observed" if row.area_km2 is None else f"{row.area_km2:.3f}"
        covered = "" if row.covered_share is None else f"{row.covered_share:.0%}"
        seen = f"{row.sites_observed} of {row.sites_expected}"
        facts = (row.name, str(row.year), area, f"{row.feature_km2:.3f}", str(row.polygons), seen, covered, row.status)
        table.add_row(*facts)
    console.print(table)
    for row in rows:
        if row.area_km2 is None:
            console.print(f"{row.name}, {row.year}: {row.reason}.", markup=False, soft_wrap=True)


def _parts(project: Project, year: int) -> list[RegionPart]:
    lake, parts = project.lake, []
    for slug, region in project.active_regions().items():
        sites = lake.find(PartitionRef("sites", "sites", (slug,)))
        if sites is not None:
            owned = lake.find(PartitionRef("sites", "owned_ground", (slug,)))
            parts.append(read_part(region, sites, owned, lake.find(PartitionRef(*MINED, (slug, str(year))))))
    return parts


def _names(frame: gpd.GeoDataFrame, path: Path, column: str | None) -> list[str]:
    columns = [str(name) for name in frame.columns if name != frame.geometry.name]
    if column is not None and column not in columns:
        has = ", ".join(columns) or "no column but the geometry"
        raise BadInputError(f"--name-column: {path} has no column {column!r}; it has {has}")
    lower = {name.lower(): name for name in reversed(columns)}
    chosen = column or next((lower[name] for name in _NAMES if name in lower), None)
    if chosen is None:
        return [str(number + 1) for number in range(len(frame))]
    nameless = frame[chosen].isna()
    return [str(number + 1) if nameless.iloc[number] else str(value) for number, value in enumerate(frame[chosen])]


def _listed(years: Sequence[int]) -> str:
    whole = list(range(years[0], years[-1] + 1)) == list(years)
    return f"{years[0]} to {years[-1]}" if whole and len(years) > 2 else ", ".join(map(str, years))
