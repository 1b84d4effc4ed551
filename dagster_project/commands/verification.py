"""What `minemap verify` reads, and what of it is not as it was published."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.progress import Progress

from dagster_project.commands.context import Session, errors
from dagster_project.commands.partition_names import long_name
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import DamagedError, PartitionRef
from minemap_assets.reference.catalogue import entry_damage
from minemap_assets.reference.registered import catalogue
from minemap_assets.segmentation.promotion import MODELS_FOLDER, is_kept_whole, kept_versions


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was published, in a sentence; `partition` is None for an input."""

    partition: str | None
    sentence: str


@dataclass
class Found:
    """How much was read, and what of it is wrong: in partitions, and among the inputs.

    `sets_aside` says whether damaged files are taken out of their partitions.
    """

    sets_aside: bool
    partitions: int = 0
    files: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    inputs: list[Damage] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: 1 where anything is wrong."""
        return 1 if self.damaged or self.inputs else 0


def partition_damages(session: Session, found: Found, *, set_aside: bool) -> Iterator[Damage]:
    """Read all partitions; what is read is counted in `found`."""
    lake = session.project.lake
    refs = [ref for asset in session.graph.assets for ref in lake.refs(asset.room, asset.name)]
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("reading", total=len(refs))
        for ref in refs:
            for sentence in _partition(lake, ref, found, set_aside=set_aside):
                yield Damage(long_name(ref), sentence)
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


def input_damages(session: Session) -> Iterator[Damage]:
    """Registered files and models in use, which nothing here can make again."""
    store = session.project.lake.store
    for entry in catalogue(session.project).entries:
        if (sentence := entry_damage(entry, store)) is not None:
            yield Damage(None, sentence)
    for version in kept_versions(store):
        if not is_kept_whole(store, version):
            yield Damage(
                None, f"{store.root}/{MODELS_FOLDER}/{version} is not the model that its name says; restore that folder"
            )
