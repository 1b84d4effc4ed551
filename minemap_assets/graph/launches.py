"""Launches: runs that somebody asked for together, which share one budget.

A launch is a backfill, a tick of a sensor or schedule, or one command. Dagster makes several runs of it, in as many
processes as it likes; each tells its launch from its tags.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from minemap_assets.net.usage import usage_ledger
from minemap_assets.project.project import Project

LAUNCH = "minemap/launch"
"""Tag of a run: the launch that it belongs to, where Dagster's own tags do not say so."""

ATTENDED = ".dagster/minemap_process"
"""Tag of a run that a command makes in its own processes, for a person who reads how it ends: their lock file. Dagster
shows nobody a tag whose name begins so.
"""

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
