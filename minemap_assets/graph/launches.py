"""Launches: runs that somebody asked for together, which share one budget; and what a run makes.

A launch is a backfill, a tick of a sensor or schedule, or one command. Dagster makes several runs of it, in as many
processes as it likes; each tells its launch from its tags.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from minemap_assets.net.usage import usage_ledger
from minemap_assets.project.project import Project

LAUNCH = "minemap/launch"
"""Tag of a run: the launch that it belongs to, where Dagster's own tags do not say so."""

ATTENDED = ".dagster/minemap_process"
"""Tag of a run that a command makes in its own processes, for a person who reads how it ends: their lock file. Dagster
shows nobody a tag whose name begins so.
"""

_MAKES = ".dagster/makes_"

_GROUPS = (LAUNCH, "dagster/backfill", "dagster/tick", "dagster/root_run_id")
"""Tags that several runs of one launch have in common; the first that a run has counts."""


def launch_of(run_tags: Mapping[str, str], run_id: str) -> str:
    """The launch of a run, in words that only runs of this launch have; a run that stands alone is a launch of its own.

    A run that is tried again belongs to the launch of the first try.
    """
    for tag in _GROUPS:
        if value := run_tags.get(tag):
            return f"{tag} {value}"
    return f"dagster/root_run_id {run_id}"


def new_launch() -> dict[str, str]:
    """The tag by which the runs of one command know each other."""
    return {LAUNCH: secrets.token_hex(8)}


@contextmanager
def launched(project: Project, run_tags: Mapping[str, str], run_id: str) -> Iterator[None]:
    """Around the work of a run: what it asks of imagery sources counts together with all runs of its launch."""
    with usage_ledger(project.lake.store, launch_of(run_tags, run_id)):
        yield


def makes_tag(key: dg.AssetKey) -> str:
    """Tag of runs that make this asset among others.

    Automation has to know whether an input came out of a run that made the asset as well. Dagster's own condition for
    that looks at the one partition of the input that came out last, and no more (dagster 1.13.27).
    """
    return _MAKES + ".".join(key.path)


def makes_tags(keys: Iterable[dg.AssetKey]) -> dict[str, str]:
    """The tags of a run that makes these assets; none where it is a single one."""
    found = {makes_tag(key): "true" for key in keys}
    return found if len(found) > 1 else {}


def say_what_is_made(instance: dg.DagsterInstance, run: dg.DagsterRun, keys: Iterable[dg.AssetKey]) -> None:
    """Tag a run with the assets that it makes, before the first of them is out."""
    tags = makes_tags(keys)
    if not tags.items() <= run.tags.items():
        instance.add_run_tags(run.run_id, tags)
