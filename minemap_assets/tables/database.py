"""The database: one DuckDB file with every table and year, built fresh and renamed into place.

There is no update in place: the normal path and the rebuild are the same code. Whoever has the old file open keeps
reading it, and the next to open sees the new one.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.workspaces import workspace
from minemap_assets.polygons.schemas import TableSpec
from minemap_assets.tables.queries import View, views
from minemap_assets.tables.schemas import TABLES

if TYPE_CHECKING:
    import duckdb

_TYPES = MappingProxyType(
    {
        "string": "VARCHAR",
        "int32": "INTEGER",
        "float64": "DOUBLE",
        "bool": "BOOLEAN",
        "list<string>": "VARCHAR[]",
        "geometry": "GEOMETRY",
    }
)

INFO = "minemap_info"

_MAGIC, _MAGIC_PLACE = b"DUCK", 8
_HEADERS = 3 * 4096
"""Bytes before the first block of a DuckDB file."""

_HELD = ("Could not set lock", "different configuration")
"""What DuckDB says of a file that somebody has open: that one is a database."""


def build_database(
    tables: Mapping[str, Sequence[Path]], target: Path, facts: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Make the DuckDB file at `target` from each table's Parquet files; returns the rows of every table.

    Tables without files are there, empty and typed. `facts` (versions, hashes) go to the table `minemap_info`. Raises
    `BadInputError` for a table no schema knows, `PermanentError` where a file does not fit its schema; the old file
    then stays as it was. A folder in the file's place is moved aside.
    """
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise BadInputError(f"unknown table {unknown[0]!r}; the tables are {', '.join(TABLES)}")
    scratch = target.parent / ".staging"
    with storage_errors(target.parent, "MINEMAP_STATE"):
        scratch.mkdir(parents=True, exist_ok=True)
        with workspace(scratch) as folder:
            rows = _make(tables, folder / target.name, facts or {})
            _clear(target)
            (folder / target.name).replace(target)
    return rows


def is_database(path: Path) -> bool:
    """Whether a file is a DuckDB database as `build_database` makes it, as long as it says, with every table.

    Damage within a table's rows shows only when they are read. The first look at a file takes about 20 ms, and another
    one nothing until the file changes.
    """
    try:
        status = path.stat()
        if not path.is_file():
            return False
        return _is_database(path, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        return False


@lru_cache(maxsize=16)
def _is_database(path: Path, _inode: int, size: int, _changed: int) -> bool:
    with path.open("rb") as handle:
        if handle.read(_MAGIC_PLACE + len(_MAGIC))[_MAGIC_PLACE:] != _MAGIC:
            return False

    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            sizes = connection.execute("SELECT block_size, total_blocks FROM pragma_database_size()").fetchall()
            names = {str(name) for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    except duckdb.Error as error:
        return any(word in str(error) for word in _HELD)
    block, blocks = sizes[0]
    return int(block) * int(blocks) + _HEADERS <= size and names >= {*TABLES, INFO}


def made_from(path: Path) -> Mapping[str, str] | None:
    """What a database says that it was made from: the facts given to `build_database`, as texts.

    None for no database, and for one that somebody has open for writing. Read again only when the file changes.
    """
    try:
        status = path.stat()
        return _made_from(path, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _made_from(path: Path, _inode: int, _size: int, _changed: int) -> Mapping[str, str] | None:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute(f"SELECT key, value FROM {INFO}").fetchall()
    except duckdb.Error:
        return None
    return MappingProxyType({str(key): str(value) for key, value in rows})


def _clear(target: Path) -> None:
    """Make room for a database: what is no file is moved aside, and what another one was about to write goes."""
    target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
    if target.is_dir() and not target.is_symlink():
        number = next(n for n in count(1) if not target.with_name(f"{target.name}.aside-{n}").exists())
        target.rename(target.with_name(f"{target.name}.aside-{number}"))


def _make(tables: Mapping[str, Sequence[Path]], fresh: Path, facts: Mapping[str, Any]) -> dict[str, int]:
    import duckdb

    connection = duckdb.connect(str(fresh))
    try:
        rows = {name: _fill(connection, spec, tables.get(name, ())) for name, spec in TABLES.items()}
        _inform(connection, facts)
        for view in views():
            _offer(connection, view)
        connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise PermanentError(f"the database could not be built: {error}") from error
    finally:
        connection.close()
    return rows


def _fill(connection: "duckdb.DuckDBPyConnection", spec: TableSpec, files: Sequence[Path]) -> int:
    """Create one table with its comments, and fill it in the order of its key."""
    columns = [f"{c.name} {_TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}" for c in spec.columns]
    connection.execute(f"CREATE TABLE {spec.name} ({', '.join(columns)})")
    connection.execute(f"COMMENT ON TABLE {spec.name} IS {_quoted(spec.description)}")
    for column in spec.columns:
        connection.execute(f"COMMENT ON COLUMN {spec.name}.{column.name} IS {_quoted(column.description)}")
    if files:
        listed = ", ".join(_quoted(str(path)) for path in files)
        there = {name for (name,) in connection.execute(f"SELECT name FROM parquet_schema([{listed}])").fetchall()}
        # an earlier minemap's tables lack what was added since
        names = ", ".join(c.name if c.name in there or not c.nullable else f"NULL AS {c.name}" for c in spec.columns)
        connection.execute(
            f"INSERT INTO {spec.name} SELECT {names} FROM read_parquet([{listed}], union_by_name = true) "
            f"ORDER BY {', '.join(spec.key)}"
        )
    counted = connection.execute(f"SELECT count(*) FROM {spec.name}").fetchone()
    return int(counted[0]) if counted else 0


def _offer(connection: "duckdb.DuckDBPyConnection", view: View) -> None:
    """Create one view with its comments."""
    connection.execute(f"CREATE VIEW {view.name} AS {view.query}")
    connection.execute(f"COMMENT ON VIEW {view.name} IS {_quoted(view.comment)}")
    for column, meaning in view.columns.items():
        connection.execute(f"COMMENT ON COLUMN {view.name}.{column} IS {_quoted(meaning)}")


def _inform(connection: "duckdb.DuckDBPyConnection", facts: Mapping[str, Any]) -> None:
    connection.execute(f"CREATE TABLE {INFO} (key VARCHAR NOT NULL, value VARCHAR NOT NULL)")
    connection.execute(f"COMMENT ON TABLE {INFO} IS 'What this file was made from.'")
    for key, text in as_texts(facts).items():
        connection.execute(f"INSERT INTO {INFO} VALUES (?, ?)", [key, text])


def as_texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts as a database tells them."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in sorted(facts.items())
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
