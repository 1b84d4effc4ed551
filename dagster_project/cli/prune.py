"""`minemap prune`: empty the trash of what has lain there long enough."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.commands.context import console, counted, open_session

if TYPE_CHECKING:
    from minemap_assets.lake.trash import Thrown


def prune(
    days: Annotated[
        int | None, typer.Option("--older-than", min=0, help="Days. Default: `trash_days` of the settings.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
) -> None:
    """Delete for good what runs dropped or found damaged, once it has lain in the trash for some time."""
    from minemap_assets.lake.trash import Trash

    session = open_session()
    kept = session.project.settings.general.trash_days if days is None else days
    before = int((datetime.now(UTC) - timedelta(days=kept)).timestamp() * 1e9)
    trash = Trash(session.project.lake.store)
    old = [thrown for thrown in trash.everything() if thrown.since < before] if dry_run else trash.empty(before)
    held = _sum(list(trash.everything()))
    console.print(f"{_sum(old)} {'would be deleted' if dry_run else 'deleted'}; the trash holds {held} now.")


def _sum(thrown: "list[Thrown]") -> str:
    return f"{counted(len(thrown), 'file')} ({sum(one.bytes for one in thrown) / 1e6:,.1f} MB)"
