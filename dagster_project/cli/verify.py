"""`minemap verify`: read every byte of the lake and say what is not as it was published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.progress import Progress

from dagster_project.cli.context import Session, complain, console, counted, errors, open_session
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, PartitionRef
from minemap_assets.reference.catalogue import entry_damage
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.promotion import MODELS_FOLDER, is_kept_whole, kept_versions


@dataclass
class Found:
    """How much was read, and how much of it is wrong: in partitions, and among the inputs."""

    partitions: int = 0
    files: int = 0
    bytes: int = 0
    damaged: int = 0
    unmendable: int = 0


def verify(
    report: Annotated[bool, typer.Option("--report", help="Only say it: leave damaged files where they are.")] = False,
) -> int:
    """Read every byte of the lake, and set aside what is damaged, so that the next run makes it again."""
    session = open_session()
    found = Found()
    for sentence in _partitions(session, found, set_aside=not report):
        found.damaged += 1
        complain(sentence, word="Damaged: ")
    for sentence in _inputs(session):
        found.unmendable += 1
        complain(sentence, word="Damaged: ")
    read = f"{counted(found.files, 'file')} of {counted(found.partitions, 'partition')} read"
    console.print(
        f"{read} ({found.bytes / 1e6:,.1f} MB): {found.damaged} of them damaged or gone; {found.unmendable} damaged "
        "among the inputs.",
        soft_wrap=True,
    )
    if found.damaged:
        console.print("Nothing was changed." if report else "The next `minemap run` makes damaged partitions again.")
    return 1 if found.damaged or found.unmendable else 0


def _partitions(session: Session, found: Found, *, set_aside: bool) -> Iterator[str]:
    lake = session.project.lake
    refs = [ref for asset in session.graph.assets for ref in lake.refs(asset.room, asset.name)]
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("reading", total=len(refs))
        for ref in refs:
            yield from _partition(lake, ref, found, set_aside=set_aside)
            bar.update(task, advance=1, description=str(ref))


def _partition(lake: Lake, ref: PartitionRef, found: Found, *, set_aside: bool) -> Iterator[str]:
    found.partitions += 1
    try:
        manifest = lake.read_manifest(ref)
    except DamagedError as error:
        yield str(error)
        return
    if manifest is None:
        return
    found.files += len(manifest.files)
    found.bytes += sum(stored.bytes for stored in manifest.files)
    damaged = lake.damaged(manifest, thoroughly=True)
    if set_aside:
        lake.set_aside(ref, [stored.path for stored in damaged])
    for stored in damaged:
        yield f"{ref}: {lake.store.root}/{ref.prefix}/{stored.path} is gone or not what was published"


def _inputs(session: Session) -> Iterator[str]:
    """Registered files and models in use, which nothing here can make again."""
    store = session.project.lake.store
    for entry in catalogue(session.project).entries:
        if (sentence := entry_damage(entry, store)) is not None:
            yield sentence
    for version in kept_versions(store):
        if not is_kept_whole(store, version):
            yield f"{store.root}/{MODELS_FOLDER}/{version} is not the model that its name says; restore that folder"
