"""What published polygons were made from, kept so that two states of a project can be told apart later."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.lake.manifests import Manifest, PartitionRef
from minemap_assets.segmentation.assets import PROMOTED_MODEL
from minemap_assets.tables.assets import COUNTRY_SUMMARY, POLYGON_TABLE, REGION_SUMMARY, SITE_PANEL

KEPT = (POLYGON_TABLE, SITE_PANEL, COUNTRY_SUMMARY, REGION_SUMMARY)
"""Tables that a release keeps, with every file of theirs."""


@dataclass(frozen=True)
class Made:
    """One partition as it was: the hash of what it held, the code and the settings that made it, the hashes of what it
    was made from by name, and the checksum of each file that was made by itself, such as a site's raster.
    """

    content: str
    code_version: str
    settings: Mapping[str, str]
    inputs: Mapping[str, str]
    items: Mapping[str, str]


Lineage = Mapping[str, Made]
"""Partitions by their names, `raw_masks[north|2019]`."""


def lineage_of(graph: Graph, states: PartitionStates) -> dict[str, Made]:
    """The published tables and everything they were made from, up to the imagery and the model in use, by name."""
    lake = states.project.lake
    open_ = [ref for table in KEPT for ref in lake.refs(table.room, table.name)]
    found: dict[str, Made] = {}
    while open_:
        ref = open_.pop()
        manifest = states.manifest(ref) if str(ref) not in found else None
        if manifest is not None:
            found[str(ref)] = _made(manifest)
            open_ += _read(graph, ref)
    return dict(sorted(found.items()))


def lineage_bytes(lineage: Lineage) -> bytes:
    """A lineage as JSON."""
    return json.dumps({name: asdict(one) for name, one in lineage.items()}, indent=1, sort_keys=True).encode()


def parse_lineage(data: bytes) -> dict[str, Made]:
    """A lineage from its JSON."""
    return {name: Made(**one) for name, one in json.loads(data).items()}


def partitions_of(lineage: Lineage, asset: str) -> Iterator[tuple[str, ...]]:
    """Keys of the partitions of an asset."""
    for name in lineage:
        if name.startswith(f"{asset}["):
            yield tuple(name.removeprefix(f"{asset}[").removesuffix("]").split("|"))


def _read(graph: Graph, ref: PartitionRef) -> list[PartitionRef]:
    """What a partition is made from; what a model was trained on is known by the model's own hash."""
    asset = graph.asset(ref)
    return [] if asset is PROMOTED_MODEL else list(graph.reads(asset, ref.keys))


def _made(manifest: Manifest) -> Made:
    items = {one.name: one.sha256 for one in manifest.files if one.is_item}
    return Made(manifest.content, manifest.code_version, dict(manifest.settings), dict(manifest.inputs), items)
