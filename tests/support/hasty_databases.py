"""Dagster's databases in tests wait for no disk: a process that is killed loses nothing by that, only a machine would.

Most of what making an instance and writing down a run takes is such waiting, and reading how the tables came to be,
which changes as little during a test.
"""

import sqlite3
from importlib import import_module
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_migrations: Any = import_module("alembic.script").ScriptDirectory
"""Dagster's own library for them."""

_from_config = _migrations.from_config


def wait_for_no_disk() -> None:
    """From now on, in this process and those forked from it."""
    if not event.contains(Engine, "connect", _unsynchronised):
        event.listen(Engine, "connect", _unsynchronised)
        _migrations.from_config = _known


def _unsynchronised(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


_scripts: dict[str, Any] = {}


def _known(config: Any) -> Any:
    place = config.get_main_option("script_location", "")
    if place not in _scripts:
        _scripts[place] = _from_config(config)
    return _scripts[place]
