"""The data dictionary: every table and every column with type, unit and meaning, as a finished lake holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.reference_pages.markdown import page, table
from minemap_assets.errors import BadInputError
from minemap_assets.graph.column_words import unit_of, words_of
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset, AssetFamily, Room
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons import history_schemas, schemas
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.project.project import Project
from minemap_assets.tables.database import INFO
from minemap_assets.tables.queries import View, views
from minemap_assets.tables.schemas import TABLES

INTRODUCTION = """\
# Data dictionary

Every table and every column. Files are Parquet below the lake, one for each partition; those with a geometry are
GeoParquet 1.1 in EPSG:4326, and their column `bbox` (the four bounds of the geometry, for readers that skip) is not
listed. Areas are equal-area (EPSG:6933). A null is what was not observed, and never zero.

`make docs` writes this page from the assets' own statements and from the files of the simulated world `tiny`. A test
compares it with what that world gives.
"""

DATABASE = """\
## The DuckDB file

`minemap.duckdb` in the folder `MINEMAP_STATE` holds the tables of the room `tables`, all years of each in one. The
columns are those above; types are DuckDB's own. Geometry is of the type `GEOMETRY`. These views come with it:
"""

COLUMNS = ("column", "type", "unit", "meaning")


def _specs(module: ModuleType) -> Iterator[TableSpec]:
    """The tables that a module states."""
    return (value for value in vars(module).values() if isinstance(value, TableSpec))


SPECS: Mapping[tuple[str, str], TableSpec] = {
    (spec.asset, spec.name): spec for spec in (*TABLES.values(), *_specs(schemas), *_specs(history_schemas))
}
"""Tables whose form is stated in the code, by asset and file."""

_PARQUET = ".parquet"


@dataclass(frozen=True)
class Stored:
    """One table of the lake: the asset that makes it, where its files lie, and its columns."""

    asset: Asset
    place: str
    description: str
    schema: pa.Schema


def tables_page(rooms: tuple[Room, ...], project: Project) -> str:
    """The page for the tables in a finished lake, as Markdown. Raises `BadInputError` for a lake without tables."""
    lines: list[str] = []
    for room in rooms:
        stored = list(_stored(room, rooms, project))
        if stored:
            lines += [f"## {room.name}", ""]
            lines += [line for one in stored for line in _table(one)]
    if not lines:
        raise BadInputError(f"{project.lake.store.root} holds no table; `minemap demo --world tiny` makes some")
    return page([INTRODUCTION, *lines, *_database()])


def _stored(room: Room, rooms: tuple[Room, ...], project: Project) -> Iterator[Stored]:
    """Every Parquet file of a room once; of a family of assets, which are alike, those of the first."""
    families = [stated for stated in room.assets if isinstance(stated, AssetFamily)]
    alike = {name: family.names(project)[0] for family in families for name in family.names(project)}
    for asset in (a for a in Graph(rooms, project).assets if a.room == room.name):
        if alike.get(asset.name, asset.name) != asset.name:
            continue
        name = "NAME" if asset.name in alike else asset.name
        manifest = next(iter(project.lake.manifests(asset.room, asset.name)), None)
        if manifest is None:
            continue
        partition = Partition(project.lake.store, manifest)
        keys = [dimension.upper() for dimension in asset.partitions.names]
        for file in sorted(file for file in partition.names() if file.endswith(_PARQUET)):
            place = "/".join([asset.room, name, *keys, *_within(file)])
            told = asset.description.replace(f"`{asset.name}`", f"`{name}`")
            yield Stored(asset, place, told, pq.read_schema(partition.file(file)))


def _within(file: str) -> Iterator[str]:
    """The parts of a file's name inside its partition; a folder is named after its content."""
    *folders, last = PurePosixPath(file).parts
    yield from (f"{folder.partition('-')[0].upper()}" for folder in folders)
    yield last


def _table(stored: Stored) -> Iterator[str]:
    asset, file = stored.asset, PurePosixPath(stored.place)
    spec = SPECS.get((asset.name, file.stem))
    yield from (f"### {file.parts[1]}{'' if file.stem in ('index', asset.name) else f': {file.stem}'}", "")
    yield from (spec.description if spec else stored.description, "")
    yield from (f"File: `{stored.place}`.", "")
    told = {column.name: column.description for column in spec.columns} if spec else asset.columns.descriptions
    yield from table(COLUMNS, [_column(field, told) for field in stored.schema if field.name != "bbox"])


def _column(field: pa.Field, told: Mapping[str, str]) -> tuple[str, str, str, str]:
    words = words_of(field, told)
    return f"`{words.name}`", words.type, words.unit, words.meaning


def _database() -> Iterator[str]:
    yield DATABASE
    yield from table(("view", "holds"), [(f"`{view.name}`", view.comment) for view in views()])
    yield from (f"`{INFO}` (`key`, `value`) says what the file was built from.", "")
    for view in views():
        if view.columns:
            yield from _view(view)


def _view(view: View) -> Iterator[str]:
    yield from (f"### View {view.name}", "")
    rows = [(f"`{name}`", unit_of(name), meaning.rstrip(".")) for name, meaning in view.columns.items()]
    yield from table(("column", "unit", "meaning"), rows)
