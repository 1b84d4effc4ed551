"""`minemap backup` and `minemap restore-backup`: a second copy of what cannot be made again."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import complain, console, counted, errors, open_session

Place = Annotated[str, typer.Argument(help="A folder, or the URL of an object store such as s3://bucket/prefix.")]


def backup(
    place: Place,
    imagery: Annotated[bool, typer.Option("--imagery", help="All imagery that was fetched, too.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Everything, also what can be made again.")] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Snapshots that are left; older ones go. Default: all.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Copy what cannot be made again: inputs, models, manifests, and imagery whose source has ended.

    Only what is new is written, and all of that is read back. Dagster's database is not needed: `minemap reconcile`
    brings its records back from the lake.
    """
    from dagster_project.commands.backup_contents import Extent
    from dagster_project.commands.backup_format import open_backup
    from dagster_project.commands.backup_writing import BackupWriter
    from dagster_project.commands.json_output import print_json

    session = open_session()
    extent = Extent.EVERYTHING if everything else Extent.IMAGERY if imagery else Extent.NEEDED
    project = session.project
    with errors.status("copying") as status:
        writer = BackupWriter(
            project,
            session.graph,
            open_backup(place, project.lake.state),
            extent,
            told=lambda path, size: status.update(f"copying {path} ({size / 1e6:,.1f} MB)"),
        )
        written = writer.run(keep)
    if as_json:
        print_json(written)
        return 1 if written.damaged else 0
    for sentence in written.damaged:
        complain(sentence, word="Damaged: ")
    console.print(
        f"Snapshot {written.snapshot}: {counted(written.files, 'file')} ({written.bytes / 1e6:,.1f} MB), of which "
        f"{counted(written.new_files, 'file')} ({written.new_bytes / 1e6:,.1f} MB) were new; it holds the inputs, "
        f"every manifest, and {extent.value}.",
        soft_wrap=True,
    )
    if written.dropped:
        console.print(f"{counted(len(written.dropped), 'older snapshot')} removed.")
    return 1 if written.damaged else 0


def restore_backup(
    place: Place,
    snapshot: Annotated[str | None, typer.Option(help="Name of the snapshot. Default: the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty lake, that of MINEMAP_HOME; one that broke off goes on where it stopped."""
    from dagster_project.commands.backup_format import open_backup
    from dagster_project.commands.backup_restoring import BackupRestoring
    from dagster_project.commands.json_output import print_json
    from dagster_project.environment import read_environment
    from dagster_project.registry import home_of

    lake = home_of(read_environment()).lake
    lake.check()
    with errors.status("copying") as status:
        work = BackupRestoring(
            open_backup(place, lake.state),
            lake,
            told=lambda path, size: status.update(f"copying {path} ({size / 1e6:,.1f} MB)"),
        )
        done = work.run(snapshot)
    if as_json:
        print_json(done)
        return
    console.print(
        f"Snapshot {done.snapshot}: {counted(done.files, 'file')} ({done.bytes / 1e6:,.1f} MB) put into "
        f"{lake.store.root}; {counted(done.partitions, 'partition')} whole.",
        soft_wrap=True,
    )
    for asset, number in sorted(done.not_held.items()):
        console.print(f"  {asset}: {counted(number, 'partition')} to be made again", soft_wrap=True)
    console.print("`minemap reconcile` tells Dagster what there is, and `minemap run` makes the rest.", soft_wrap=True)
