"""Asking sources whether they work, all at a time and each under a deadline."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module

from dagster_project.commands.deadline import within
from minemap_assets.imagery.source_kind import SourceKind
from minemap_assets.planning.source_reports import SourceReport, report_source
from minemap_assets.project.project import Project


def ask_sources(
    project: Project, kinds: Sequence[SourceKind], deadline: float, wanted: Collection[str] | None = None
) -> Iterator[SourceReport]:
    """A report of each source, in their order, of its `wanted` products; `deadline` in seconds."""
    # Several clients import it, and threads that begin to at the same time get half of it.
    import_module("requests")
    with ThreadPoolExecutor(max_workers=max(1, len(kinds))) as pool:
        yield from pool.map(lambda kind: report_source(kind, project, partial(within, deadline), wanted), kinds)
