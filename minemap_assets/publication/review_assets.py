"""The asset `release_review`: what new figures pass before they are published."""

import json
from dataclasses import asdict
from typing import Any

from minemap_assets.graph.context import BuildContext, Check, CheckOutcome, InputContext, Keys
from minemap_assets.graph.statement import Asset, Dep
from minemap_assets.lake.manifests import Manifest, Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project
from minemap_assets.publication.config import ReleaseConfig
from minemap_assets.segmentation.assets import told_verdict
from minemap_assets.tables.assets import COUNTRY_SUMMARY, SITE_PANEL
from minemap_assets.tables.schemas import COUNTRY_SUMMARY as COUNTRY_TABLE
from minemap_assets.tables.schemas import SITE_PANEL as PANEL_TABLE

REVIEW_FILE = "review.json"
"""Figures by year, and findings."""

WAITS, FREE = "waits for a person", "nothing to accept"


def gate_is_on(project: Project) -> bool:
    """Whether figures wait until a person has accepted them."""
    gate = project.section(ReleaseConfig).gate
    return project.section(OperationsConfig).automatic if gate == "automatic" else gate == "on"


def _settings(project: Project, _: Keys) -> Any:
    from minemap_assets.publication.acceptance import accepted

    rules = project.section(ReleaseConfig).model_dump(mode="json", exclude={"gate"})
    years = {year: figures.model_dump(mode="json") for year, figures in accepted(project).years.items()}
    return [rules, years, gate_is_on(project)]


def _build_review(context: BuildContext) -> Outcome:
    import pandas as pd

    from minemap_assets.publication.acceptance import accepted
    from minemap_assets.publication.figures import figures_of
    from minemap_assets.publication.review import findings

    panels = {ref.keys[0]: one for ref, one in context.inputs_of(SITE_PANEL).items()}
    figures = {
        int(ref.keys[0]): figures_of(
            pd.read_parquet(one.file(COUNTRY_TABLE.file)), pd.read_parquet(panels[ref.keys[0]].file(PANEL_TABLE.file))
        )
        for ref, one in context.inputs_of(COUNTRY_SUMMARY).items()
        if ref.keys[0] in panels
    }
    found = findings(figures, accepted(context.project).years, context.project.section(ReleaseConfig))
    told = {
        "figures": {year: one.model_dump(mode="json") for year, one in figures.items()},
        "findings": [asdict(one) for one in found],
    }
    context.writer.path(REVIEW_FILE).write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")
    context.writer.add(REVIEW_FILE)
    rows = [{"year": str(one.year), "kind": str(one.kind), "finding": one.sentence} for one in found]
    return Outcome({"years": len(figures), "findings": len(found), "to_look_at": rows})


def _accepted(partition: Partition, context: InputContext) -> CheckOutcome:
    found = int(partition.manifest.summary["findings"])
    on = gate_is_on(context.project)
    if not found:
        return CheckOutcome(True, "no figure changed beyond its bound", {"findings": 0})
    first = partition.manifest.summary["to_look_at"][0]["finding"]
    more = f", and {found - 1} more" if found > 1 else ""
    sentence = (
        f"{first}{more}; look at them with `minemap release review`, and accept them with `minemap release accept`"
    )
    return CheckOutcome(not on, sentence, {"findings": found, "gate": "on" if on else "off"})


def _headline(project: Project, manifest: Manifest) -> dict[str, str]:
    state = FREE if not manifest.summary["findings"] else WAITS if gate_is_on(project) else "looked at by nobody"
    return {"release": state, **told_verdict(project, manifest)}


RELEASE_REVIEW = Asset(
    room="publication",
    name="release_review",
    description="What changed beyond its bound since figures were accepted: countries, products, coverage, verdict.",
    deps=(Dep(COUNTRY_SUMMARY, optional=True), Dep(SITE_PANEL, optional=True)),
    settings=_settings,
    setting_names=("release", "accepted figures", "the release gate"),
    kinds=frozenset({"json"}),
    checks=(Check("accepted", "Where the gate is on, a person accepted what changed beyond its bound.", _accepted),),
    automated=True,
    headline=_headline,
    build=_build_review,
)
