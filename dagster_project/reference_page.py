"""The reference page of the documentation: every asset and every source, from what they state of themselves.

`make docs` writes it with `python -m dagster_project.reference_page docs/reference.md`.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dagster_project.registry import Registry
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.statement import Asset, Dep
from minemap_assets.imagery.source_kind import SourceKind
from minemap_assets.project.project import ProjectHome

INTRODUCTION = """\
# Reference

Every asset and every source of imagery, as they state it themselves (`assets.py` of each room, `kind.py` of each
source). This page is written by `make docs`; a test compares it with the code.
"""


def reference_page(registry: Registry) -> str:
    """The page for a project that has no files yet, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        project = ProjectHome.at(folder, Path(folder), registry.parts()).open()
        graph = Graph(registry.rooms, project)
        lines = [INTRODUCTION, "## Assets", ""]
        for room in registry.rooms:
            lines += [f"### {room.name}", ""]
            for asset in (a for a in graph.assets if a.room == room.name):
                lines += [*_asset(asset, graph), ""]
        lines += [
            "## Sources",
            "",
            "| source | products | settings | years | area | limits |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_source(kind) for kind in registry.sources]
    return "\n".join(lines) + "\n"


def _asset(asset: Asset, graph: Graph) -> Iterator[str]:
    partitions = " and ".join(asset.partitions.names) or "none"
    yield f"**`{asset}`**: {asset.description}"
    yield ""
    yield f"- partitions: {partitions}; code version {asset.code_version}"
    inputs = [_input(dep, upstream) for dep, upstream in graph.upstream(asset)]
    yield f"- made from: {'; '.join(inputs) or 'files that people registered'}"
    if asset.checks:
        yield "- checks: " + " ".join(f"`{check.name}`: {check.description}" for check in asset.checks)
    yield f"- asked for by: {_asked_by(asset)}" + (f"; pool `{asset.pool}`" if asset.pool else "")
    for column, description in asset.columns.descriptions.items():
        yield f"    - `{column}`: {description}"


def _input(dep: Dep, upstream: Asset) -> str:
    notes = [
        *(["years around"] if dep.mapping.reach is not None else []),
        *(["where it exists"] if dep.optional else []),
        *([] if dep.triggers else ["asks for nothing by itself"]),
    ]
    return f"`{upstream}`" + (f" ({', '.join(notes)})" if notes else "")


def _asked_by(asset: Asset) -> str:
    asking = [*(["automation"] if asset.automated else []), *([f"job `{asset.job.name}`"] if asset.job else [])]
    return " and ".join(asking) or "`minemap run`"


def _source(kind: SourceKind) -> str:
    facts = kind.facts
    section = f"`[sources.{kind.section}]`" if kind.config is not None else "none"
    return f"| `{kind.name}` | {', '.join(kind.products)} | {section} | {facts.years} | {facts.area} | {facts.limits} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference_page(Registry()), encoding="utf-8")
