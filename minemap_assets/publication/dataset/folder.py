"""The folder as a whole: its data, and what is written about the files that are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.graph.context import InputContext
from minemap_assets.publication.dataset import geopackage, workbook
from minemap_assets.publication.dataset.checksums import write_checksums
from minemap_assets.publication.dataset.citation import NAME as CITATION
from minemap_assets.publication.dataset.citation import write_citation
from minemap_assets.publication.dataset.csv_files import METADATA, write_csv_table
from minemap_assets.publication.dataset.dataset_part import WHOLE, Part, cut
from minemap_assets.publication.dataset.dataset_tables import POLYGONS, Table, plain_tables, spatial_tables
from minemap_assets.publication.dataset.dictionary import NAME as DICTIONARY
from minemap_assets.publication.dataset.dictionary import Described, write_dictionary
from minemap_assets.publication.dataset.facts import Facts, facts_of
from minemap_assets.publication.dataset.held_out import SITES_TABLE, held_out_tables
from minemap_assets.publication.dataset.parquet_files import write_spatial_table
from minemap_assets.publication.dataset.pixels import Raster, Wanted, rasters
from minemap_assets.publication.dataset.stac_catalogue import COLLECTION, FOLDER, write_catalogue
from minemap_assets.publication.dataset.texts import ATTRIBUTION, LICENCE, Listing, write_texts
from minemap_assets.publication.dataset.tile_file import NAME as TILES
from minemap_assets.publication.dataset.tile_file import write_tile_file

TABLES = "tables"
"""The folder of CSV files."""

FORMATS: Mapping[str, tuple[str, ...]] = {
    "gpkg": ("*.gpkg", "*.qml"),
    "parquet": ("*.parquet",),
    "pmtiles": ("*.pmtiles",),
    "csv": (f"{TABLES}/*",),
    "xlsx": ("*.xlsx",),
}
"""Formats of the data that a person may choose from, and which files they are."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Everything that a folder is written from."""

    facts: Facts
    spatial: tuple[Table, ...]
    plain: tuple[Table, ...]
    rasters: tuple[Raster, ...]

    @property
    def polygons(self) -> Table | None:
        """The mining polygons of all years; None where there are none."""
        return next((one for one in self.spatial if one.name == POLYGONS), None)


def dataset_of(context: InputContext, part: Part = WHOLE) -> Dataset:
    """Read what a project has to publish, or a part of it."""
    held = part.of(context)
    every = (*spatial_tables(held), *held_out_tables(held), *plain_tables(held))
    kept = cut(every, part, context.project)
    spatial, plain = (tuple(one for one in kept if one.spatial is places) for places in (True, False))
    return Dataset(facts_of(context, part), spatial, plain, tuple(rasters(held)))


def write_data(dataset: Dataset, folder: Path) -> None:
    """Write the files that hold data: GeoPackage with styles, GeoParquet, PMTiles, CSV and XLSX."""
    facts = dataset.facts.metadata()
    layers = list(geopackage.layers_of(dataset.spatial, facts))
    geopackage.write_geopackage(layers, facts, dataset.facts.stamp, folder / geopackage.NAME)
    for layer in layers:
        if layer.style is not None:
            (folder / f"{layer.name}.qml").write_text(layer.style, encoding="utf-8")
    for table in dataset.spatial:
        write_spatial_table(table, facts, folder / f"{table.name}.parquet")
    if dataset.polygons is not None:
        every = {one.name: one for one in (*dataset.spatial, *dataset.plain)}
        write_tile_file(every, dataset.facts, folder / TILES)
    (folder / TABLES).mkdir()
    for table in dataset.plain:
        write_csv_table(table, facts, folder / TABLES / f"{table.name}.csv")
    workbook.write_workbook(dataset.plain, facts, dataset.facts.stamp, folder / workbook.NAME)


def describe(dataset: Dataset, wanted: Wanted, folder: Path) -> int:
    """Write about the files that lie in the folder: dictionary, STAC, texts, citation, checksums.

    What was written about it before is replaced. Returns the number of STAC items.
    """
    facts = dataset.facts
    described = [one for one in _described(dataset, folder) if one.places]
    write_dictionary(described, facts.metadata(), folder)
    write_citation(facts, folder / CITATION)
    items = write_catalogue(facts, dataset.polygons, dataset.rasters, wanted, folder)
    held_out = next((len(one.frame) for one in dataset.spatial if one.name == SITES_TABLE), 0)
    listing = Listing(dict(_files(described, folder)), dataset.rasters, wanted, held_out)
    write_texts(facts, listing, folder)
    write_checksums(folder)
    return items


def _described(dataset: Dataset, folder: Path) -> Iterator[Described]:
    """Every table with the places that hold it."""
    for table in dataset.spatial:
        yield Described(table, tuple(_spatial_places(table, folder)))
    for table in dataset.plain:
        yield Described(table, tuple(_plain_places(table, folder)))


def _spatial_places(table: Table, folder: Path) -> Iterator[str]:
    if (folder / geopackage.NAME).exists():
        years = f" and {POLYGONS}_YEAR" if table.name == POLYGONS else ""
        yield f"{geopackage.NAME} (layer {table.name}{years})"
    if (folder / f"{table.name}.parquet").exists():
        yield f"{table.name}.parquet"


def _plain_places(table: Table, folder: Path) -> Iterator[str]:
    if (folder / TABLES / f"{table.name}.csv").exists():
        yield f"{TABLES}/{table.name}.csv"
    if (folder / workbook.NAME).exists() and len(table.frame) <= workbook.MOST_ROWS:
        yield f"{workbook.NAME} (sheet {workbook.sheet_name(table)})"


_FIRST = {
    geopackage.NAME: "GeoPackage for QGIS and R: a layer for each table with places, polygons also by year",
    TILES: "vector tiles of the polygons for web maps: outlines, dots where these are too small, and what changed",
    workbook.NAME: "every table without places as a sheet; the first one says how to read them",
}

_LAST = {
    f"{DICTIONARY}.md": "every table and column: type, unit, meaning; the same as CSV for programs",
    f"{FOLDER}/{COLLECTION}": "STAC collection with items for polygons, composites and masks",
    LICENCE: "the licence, and what stands against it",
    ATTRIBUTION: "every input with its terms and whom to cite",
    CITATION: "how to cite the data",
    "checksums.sha256": "checksums of all files",
}


def _files(described: Sequence[Described], folder: Path) -> Iterator[tuple[str, str]]:
    """Files with what they hold, in words."""
    yield from ((name, told) for name, told in _FIRST.items() if (folder / name).exists())
    for one in described:
        for name in (f"{one.table.name}.parquet", f"{TABLES}/{one.table.name}.csv"):
            if (folder / name).exists():
                yield name, one.table.description
    if any(folder.glob("*.qml")):
        yield "*.qml", "styles of the layers for QGIS, which are in the GeoPackage too"
    if any((folder / TABLES).glob(f"*{METADATA}")):
        yield f"{TABLES}/*{METADATA}", "what each CSV table and column is, for programs (CSV on the Web)"
    yield from _LAST.items()
