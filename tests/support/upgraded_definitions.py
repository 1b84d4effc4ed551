"""The project's definitions as the next version of the package has them: the code of one asset says that it changed.

A daemon is given this module in the place of `dagster_project.definitions`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

import daemons
from daemons import Daemon, running_daemon
from dagster_project.definitions import build_definitions
from held_steps import UNHURRIED
from minemap_assets.polygons.assets import RAW_POLYGONS
from tiny import Chain


@contextmanager
def upgraded() -> Iterator[None]:
    """This process has the next version inside."""
    before = RAW_POLYGONS.code_version
    object.__setattr__(RAW_POLYGONS, "code_version", f"{before}, upgraded")
    try:
        yield
    finally:
        object.__setattr__(RAW_POLYGONS, "code_version", before)


@contextmanager
def upgraded_daemon(chain: Chain) -> Iterator[Daemon]:
    """A daemon with these definitions over a project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemons, "MODULE", Path(__file__).stem)
        with running_daemon(chain, UNHURRIED | {"PYTHONPATH": str(Path(__file__).parent)}) as daemon:
            yield daemon


@dg.definitions
def defs() -> dg.Definitions:
    """What the daemon's code server loads."""
    upgraded().__enter__()
    return build_definitions()
