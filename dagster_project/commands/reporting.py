"""What `minemap report` does: make the report where it is not current, and put its files where they were asked for."""

import webbrowser
from pathlib import Path

from dagster_project.commands.context import Session, console, counted, note
from dagster_project.commands.execution import execute
from dagster_project.outcomes import State
from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.graph.graph import Scope
from minemap_assets.lake.disk_errors import storage_errors
from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.folder_swap import copy_file, put_folder
from minemap_assets.publication.report.build import REPORT as PAGE
from minemap_assets.publication.report.pages import GENERATOR
from minemap_assets.publication.report_assets import REPORT
from minemap_assets.publication.review_assets import RELEASE_REVIEW
from minemap_assets.publication.standing import Release

OF_REPORTS = (PAGE, "figures/*.svg", "figures/*.webp", "sites/*.html", "regions/*.html", "tables/*.csv")
"""Files of an earlier report, which a later one may not have."""

_BEGINNING = 4_000
"""Characters in which a page says what wrote it."""


def export_report(session: Session, to: Path | None) -> Path:
    """Make the report and the review that it tells of, and copy it; returns the page.

    Raises `BadInputError` where the folder holds something else, and `PermanentError` where it could not be made.
    """
    folder = (to or session.environment.state / "report").absolute()
    _check_folder(folder)
    partition = _made(session)
    with storage_errors(folder, "--to" if to is not None else "MINEMAP_STATE"):
        _copy(partition, folder)
    summary = partition.manifest.summary
    if summary["release"] == Release.WAITS:
        note("figures wait for a person, and the report says so; `minemap release review` shows them")
    parts = int(summary["parts_missing"])
    lacking = f" {counted(parts, 'part')} of the maps {'is' if parts == 1 else 'are'} missing." if parts else ""
    console.print(
        f"The report of {counted(len(summary['years']), 'year')} with {counted(summary['site_pages'], 'page')} for "
        f"sites: {folder / PAGE}. The model is: {summary['verdict']}.{lacking}",
        markup=False,
        soft_wrap=True,
    )
    return folder / PAGE


def open_in_browser(page: Path) -> None:
    """Open a page. Raises `PermanentError` where this machine has no browser."""
    if not webbrowser.open(page.as_uri()):
        raise PermanentError(f"no browser was found on this machine; open {page} yourself")


def _made(session: Session) -> Partition:
    """The report as it is now."""
    project = session.project
    regions, years = tuple(project.active_regions()), tuple(project.closed_years())
    # apart from each other: the report is there also where the review fails, and says so
    execute(session, Scope(frozenset({RELEASE_REVIEW}), regions, years))
    session = session.reopened()
    done = execute(session, Scope(frozenset({REPORT}), regions, years))
    bad = [one for one in done.results if one.ref == REPORT.ref() and one.state in (State.FAILED, State.BLOCKED)]
    if bad:
        raise PermanentError(f"the report could not be made: {bad[0].reason}")
    return session.reopened().project.lake.open(REPORT.ref())


def _check_folder(folder: Path) -> None:
    """Refuse to mix a report with what it did not write."""
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file; name a folder with --to")
    if folder.is_dir() and any(folder.iterdir()) and not _is_report(folder / PAGE):
        raise BadInputError(
            f"{folder} is not empty and holds no earlier report; name an empty or a new folder with --to"
        )


def _copy(partition: Partition, folder: Path) -> None:
    """The report's files; those of an earlier report go, and what people put beside them stays."""
    earlier = {path for pattern in OF_REPORTS for path in folder.glob(pattern)}
    own = [path for path in folder.rglob("*") if path.is_file() and path not in earlier]

    def write(new: Path) -> None:
        for path in own:
            copy_file(path, new, path.relative_to(folder).as_posix())
        for name in sorted(partition.names()):
            copy_file(partition.file(name), new, name)

    put_folder(folder, write)


def _is_report(page: Path) -> bool:
    """Whether a page was written by this command."""
    if not page.is_file():
        return False
    with page.open(encoding="utf-8", errors="replace") as text:
        return GENERATOR in text.read(_BEGINNING)
