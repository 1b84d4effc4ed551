"""The GeoPackage: a layer for each table that has places, polygons also by year, styles and what the file says."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minemap_assets.publication.dataset.dataset_tables import POLYGONS, Table
from minemap_assets.publication.dataset.flat_values import flat
from minemap_assets.publication.dataset.qgis_styles import style_of

if TYPE_CHECKING:
    import geopandas as gpd

NAME = "minemap.gpkg"

_MIME = "text/plain"

_VERSION = "1.3"
"""What readers of the last years know; later versions add nothing that is used here."""


@dataclass(frozen=True)
class Layer:
    """One layer: its name, what it holds, its rows in EPSG:4326, and its QGIS style (None without one)."""

    name: str
    description: str
    frame: "gpd.GeoDataFrame"
    style: str | None


def layers_of(tables: Sequence[Table], facts: Mapping[str, str]) -> Iterator[Layer]:
    """A layer for each table, and for each year of the polygons."""
    for table in tables:
        yield _layer(table, facts)
        if table.name == POLYGONS:
            for year in sorted(set(table.frame["year"])):
                rows = table.frame[table.frame["year"] == year].reset_index(drop=True)
                told = f"{table.description.rstrip('.')}: those of {year}."
                yield _layer(replace(table, name=f"{POLYGONS}_{year}", description=told, frame=rows), facts)


def _layer(table: Table, facts: Mapping[str, str]) -> Layer:
    frame: Any = flat(table.frame)
    terms = f" These rows stay under the terms of their source ({table.own_terms})." if table.own_terms else ""
    return Layer(table.name, f"{table.description}{terms}", frame, style_of(table.name, table.frame, facts))


def write_geopackage(layers: Sequence[Layer], facts: Mapping[str, str], stamp: date, path: Path) -> None:
    """Write every layer with its rows in order; the same rows give the same bytes.

    `facts` stand as metadata of the file and, in one text, of each layer. `stamp` is when the file says it was changed.
    """
    import pyogrio

    for layer in layers:
        pyogrio.write_dataframe(
            layer.frame,
            path,
            layer=layer.name,
            driver="GPKG",
            append=path.exists(),
            dataset_options={"VERSION": _VERSION},
            geometry_type=_geometry_type(layer.frame),
            layer_options={"IDENTIFIER": layer.name, "DESCRIPTION": layer.description, "SPATIAL_INDEX": "YES"},
        )
    with closing(sqlite3.connect(path)) as database:
        with database:
            _add_styles(database, layers, stamp)
            _add_metadata(database, layers, facts, stamp)
            database.execute("UPDATE gpkg_contents SET last_change = ?", (_moment(stamp),))
        database.execute("VACUUM")


def _geometry_type(frame: "gpd.GeoDataFrame") -> str:
    """A layer of polygons holds some with several parts: then all are told to be such."""
    kinds = set(frame.geometry.geom_type)
    return "MultiPolygon" if kinds <= {"Polygon", "MultiPolygon"} else "Point" if kinds == {"Point"} else "Unknown"


def _moment(stamp: date) -> str:
    return f"{stamp.isoformat()}T00:00:00.000Z"


_STYLES = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME)
"""
"""The table in which QGIS looks for the styles of a GeoPackage."""


def _add_styles(database: sqlite3.Connection, layers: Sequence[Layer], stamp: date) -> None:
    database.execute(_STYLES)
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', 'Styles that QGIS uses', ?)",
        (_moment(stamp),),
    )
    rows = [
        ("", "", one.name, "geom", one.name[:30], one.style, "", 1, one.description, "", None, _moment(stamp))
        for one in layers
        if one.style is not None
    ]
    database.executemany(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        rows,
    )


_METADATA = """
CREATE TABLE IF NOT EXISTS gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml', metadata TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS gpkg_metadata_reference (
  reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT, row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL, md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id));
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""
"""The tables of the GeoPackage extension Metadata (OGC 12-128r19, F.8)."""

_EXTENSION = ("gpkg_metadata", "http://www.geopackage.org/spec/#extension_metadata", "read-write")


def _add_metadata(database: sqlite3.Connection, layers: Sequence[Layer], facts: Mapping[str, str], stamp: date) -> None:
    """The facts as text of the whole file, and of each layer."""
    database.executescript(_METADATA)
    for table in ("gpkg_metadata", "gpkg_metadata_reference"):
        database.execute(
            "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) "
            "VALUES (?, NULL, ?, ?, ?)",
            (table, *_EXTENSION),
        )
    text = "\n".join(f"{name}: {value}" for name, value in facts.items())
    database.execute("INSERT INTO gpkg_metadata VALUES (1, 'dataset', 'minemap', ?, ?)", (_MIME, text))
    scopes = [("geopackage", None), *(("table", layer.name) for layer in layers)]
    database.executemany(
        "INSERT INTO gpkg_metadata_reference VALUES (?, ?, NULL, NULL, ?, 1, NULL)",
        [(scope, name, _moment(stamp)) for scope, name in scopes],
    )
