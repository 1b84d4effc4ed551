"""Dagster's databases in tests wait for no disk: a process that is killed loses nothing by that, only a machine would.

Most of what making an instance and writing down a run takes is such waiting.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


def wait_for_no_disk() -> None:
    """From now on, in this process and those forked from it."""
    event.listen(Engine, "connect", _unsynchronised)


def _unsynchronised(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")
