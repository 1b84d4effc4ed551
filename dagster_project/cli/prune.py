"""`minemap prune`: say what could go, and delete it where a person says yes."""

from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Json, Regions, Years
from dagster_project.commands.context import console, counted, open_session

if TYPE_CHECKING:
    from dagster_project.commands.pruning import Found


Days = Annotated[
    int | None, typer.Option("--older-than", min=0, help="Days in the trash. Default: `trash_days` of the settings.")
]
Pixels = Annotated[
    bool,
    typer.Option(
        "--pixels",
        help="Rasters of years that are over, where all that is made from them is current and they could be fetched "
        "again. Their partitions stay current: nothing is fetched because of it.",
    ),
]
Chips = Annotated[
    bool, typer.Option("--chips", help="Chips from which everything is made; a step that needs them cuts them anew.")
]
OldVersions = Annotated[
    bool,
    typer.Option("--old-versions", help="Models that are not in use and made nothing that is there; and the trash."),
]
Orphans = Annotated[
    bool,
    typer.Option("--orphans", help="Partitions of regions, years or assets that the project does not name any more."),
]
Caches = Annotated[bool, typer.Option("--caches", help="Copies and downloads below MINEMAP_STATE.")]
Yes = Annotated[bool, typer.Option("--yes", help="Delete it. Without this, it is only said.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say it, as without --yes.")]


def prune(
    days: Days = None,
    pixels: Pixels = False,
    chips: Chips = False,
    old_versions: OldVersions = False,
    orphans: Orphans = False,
    caches: Caches = False,
    regions: Regions = None,
    years: Years = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Say what could go, and delete it with --yes; without a kind, what has lain in the trash for long enough."""
    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.pruning import Kind, find
    from minemap_assets.graph.graph import Scope

    session = open_session()
    project = session.project
    asked = {
        Kind.PIXELS: pixels,
        Kind.CHIPS: chips,
        Kind.MODELS: old_versions,
        Kind.TRASH: old_versions or not (pixels or chips or orphans or caches),
        Kind.ORPHANS: orphans,
        Kind.CACHES: caches,
    }
    kept = project.settings.general.trash_days if days is None else days
    closed = Scope(frozenset(), tuple(project.active_regions()), tuple(project.closed_years()))
    scope = session.scope(None, regions, years) if regions or years else closed
    found = find(session, [kind for kind, wanted in asked.items() if wanted], scope, kept)
    deletes = yes and not dry_run
    left = {one.kind: one.delete() for one in found} if deletes else {}
    if as_json:
        print_json({"deleted": deletes, "found": found, "left": {kind.value: n for kind, n in left.items()}})
        return
    for one in found:
        _say(one, deletes, left.get(one.kind, 0))
    if not deletes and any(one.files for one in found):
        console.print("Nothing was deleted; --yes does it.")


def _say(one: "Found", deleted: bool, left: int) -> None:
    done = "deleted" if not one.note else f"moved {one.note}"
    would = f"would be {done}"
    console.print(f"{one.kind.value}: {_size(one)} {done if deleted else would}.", soft_wrap=True)
    if deleted and left:
        console.print(f"  {counted(left, 'file')} stay: in use, or changed meanwhile")
    for reason, number in one.kept.items():
        console.print(f"  {number:,} stay: {reason}", soft_wrap=True)


def _size(one: "Found") -> str:
    return f"{counted(one.files, 'file')} ({one.bytes / 1e6:,.1f} MB)"
