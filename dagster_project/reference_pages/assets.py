"""Every asset and every source of imagery, from what they state of themselves."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dagster_project.reference_pages.markdown import code, page
from dagster_project.registry import Registry
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset, Dep, Room
from minemap_assets.imagery.source_kind import SourceKind
from minemap_assets.project.project import ProjectHome

INTRODUCTION = """\
# Assets and sources

Every asset and every source of imagery, as they state it themselves: in `assets.py` of each room, and in `kind.py` of
each source. `make docs` writes this page, and a test compares it with the code.

Of what an asset is made from,

- *years around* are also the same region's partitions of the years before and after,
- *where it exists* is used as far as it was made, and holds nothing up,
- *waits to be asked* starts nothing when it changes; the next run takes it in.

Which of them are made by themselves, and when, is set in `[operations]`.

## Assets

A project without files of its own has these; each polygon set that it registers is one more asset of `reference`.
"""

SOURCES = """\
## Sources

The settings name each product's sources under `[imagery.sources]`, in the order in which they stand in for each other.
"""


def assets_page(registry: Registry) -> str:
    """The page for a project that has no files yet, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        project = ProjectHome.at(folder, Path(folder), registry.parts()).open()
        graph = Graph(registry.rooms, project)
        rooms = [line for room in registry.rooms for line in _room(room, graph)]
    sources = [line for kind in registry.sources for line in _source(kind)]
    return page([INTRODUCTION, *rooms, SOURCES, *sources])


def _room(room: Room, graph: Graph) -> Iterator[str]:
    yield from (f"### {room.name}", "")
    if room.sections:
        yield from (f"Settings: {code(f'[{section.name}]' for section in room.sections)}.", "")
    for asset in (a for a in graph.assets if a.room == room.name):
        yield from (f"#### {asset}", "", asset.description, "")
        yield from (*_facts(asset, graph), "")


def _facts(asset: Asset, graph: Graph) -> Iterator[str]:
    yield f"- partitions: {' and '.join(asset.partitions.names) or 'none'}"
    yield from _listed("made from", [_input(dep, upstream) for dep, upstream in graph.upstream(asset)])
    yield f"- made by: {_maker(asset)}" + (f", in the pool `{asset.pool}`" if asset.pool else "")
    yield from _listed("checks", [f"`{check.name}`: {check.description}" for check in asset.checks])
    yield f"- code version: {asset.code_version}"


def _listed(title: str, entries: list[str]) -> Iterator[str]:
    """A point with a point below it for each entry; nothing where there are none."""
    if entries:
        yield f"- {title}:"
        yield from (f"    - {entry}" for entry in entries)


def _input(dep: Dep, upstream: Asset) -> str:
    notes = [
        *(["years around"] if dep.mapping.reach is not None else []),
        *(["where it exists"] if dep.optional else []),
        *([] if dep.triggers else ["waits to be asked"]),
    ]
    return f"`{upstream}`" + (f" (*{', '.join(notes)}*)" if notes else "")


def _maker(asset: Asset) -> str:
    automation = ["automation, when what it is made from changes"] if asset.automated else []
    job = [f"the job `{asset.job.name}`"] if asset.job else []
    return "; ".join([*automation, *job, "`minemap run`"])


def _source(kind: SourceKind) -> Iterator[str]:
    facts = kind.facts
    yield from (f"### {kind.name}", "")
    yield f"- products: {code(kind.products)}"
    yield f"- years: {facts.years}"
    yield f"- area: {facts.area}"
    yield f"- limits: {facts.limits}"
    if kind.config is not None:
        yield f"- settings: `[sources.{kind.section}]`"
    yield ""
