"""What of a lake a backup holds: what nobody could make or fetch again, or all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from dagster_project.commands.refetching import fetched_assets, why_lasting
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.input_history import FOLDER as INPUTS
from minemap_assets.lake.lake_version import MARKER
from minemap_assets.lake.manifests import Manifest, PartitionRef, StoredFile, parse_manifest
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.pruned import PRUNED, pruned_files
from minemap_assets.lake.store import read_if_there
from minemap_assets.project.project import Project
from minemap_assets.publication.releases.frozen import RELEASES

LASTING = (INPUTS, RELEASES)
"""Folders of the lake that are kept whole."""


class Extent(Enum):
    """How much is kept beside the inputs and every manifest: the files of which partitions."""

    NEEDED = "imagery that cannot be fetched again"
    IMAGERY = "all imagery that was fetched"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Held:
    """A partition as it is now: the bytes of its manifest, its files that are kept, and whether a note says that others
    were pruned.
    """

    ref: PartitionRef
    data: bytes
    files: tuple[StoredFile, ...]
    pruned: bool


def input_paths(project: Project) -> Iterator[str]:
    """Everything people and sensors wrote: settings, regions, reference files, models, all versions of these; and the
    frozen releases, which nobody could make again.
    """
    store = project.lake.store
    if store.size(MARKER) is not None:
        yield MARKER
    for folder in LASTING:
        yield from store.list(folder)


def partition_refs(project: Project, graph: Graph) -> list[PartitionRef]:
    """All partitions of the project's assets."""
    return [ref for asset in graph.assets for ref in project.lake.refs(asset.room, asset.name)]


def held(project: Project, graph: Graph, ref: PartitionRef, extent: Extent) -> Held | None:
    """What is kept of a partition; None where it is gone meanwhile. Raises `DamagedError` for a damaged manifest."""
    store = project.lake.store
    data = read_if_there(store, f"{ref.prefix}/{MANIFEST}")
    if data is None:
        return None
    manifest = parse_manifest(data, ref, store.root)
    if not _keeps_files(project, graph, manifest, extent):
        return Held(ref, data, (), pruned=False)
    gone = pruned_files(store, ref)
    files = tuple(one for one in manifest.files if gone.get(one.path) != one.sha256)
    return Held(ref, data, files, pruned=store.size(f"{ref.prefix}/{PRUNED}") is not None)


def _keeps_files(project: Project, graph: Graph, manifest: Manifest, extent: Extent) -> bool:
    if extent is Extent.EVERYTHING:
        return True
    if graph.asset(manifest.ref) not in fetched_assets(graph):
        return False
    return extent is Extent.IMAGERY or why_lasting(project, manifest) != ""
