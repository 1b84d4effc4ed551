"""What is said of models: which one is in use, which one was trained last, and what each is worth."""

from collections.abc import Callable, Iterator
from typing import Any

from dagster_project.commands.context import Session
from dagster_project.first_promotion import ANYWAY, SHOWN, not_in_use
from minemap_assets.graph.graph import Scope
from minemap_assets.lake.manifests import DamagedError
from minemap_assets.project.project import Project
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.card_text import Standing
from minemap_assets.segmentation.metrics import METRICS
from minemap_assets.segmentation.model_origins import origin_of
from minemap_assets.segmentation.promotion import Promotion, in_use, promotions, verdict_on
from minemap_assets.segmentation.verdict import EVALUATION, Grade, Verdict, verdict_of


def evaluated(project: Project, tell: Callable[[str], None] = lambda _: None) -> Verdict | None:
    """The verdict on the model that was evaluated last; scores that are damaged give none, and are made again. `tell`
    hears so in a sentence.
    """
    try:
        return verdict_of(project)
    except DamagedError as damage:
        tell(f"what the model is worth cannot be told: {damage}")
        return None


def verdict_lines(project: Project) -> Iterator[str]:
    """What the model is worth that maps are made with, or, where none is in use, the one that was evaluated last."""
    decision, verdict = in_use(project), evaluated(project)
    if decision is None:
        if verdict is not None:
            yield f"Quality of the model: {verdict.grade}; {verdict.sentence}."
        return
    if verdict is None or verdict.model_version != decision.version:
        verdict = verdict_on(project, decision.version)
    yield f"Quality of the model: {verdict.grade}; {verdict.sentence}."


def model_notes(session: Session, scope: Scope) -> Iterator[str]:
    """What a person should know after a run that had to do with models."""
    if PROMOTED_MODEL not in scope.assets:
        return
    decision = in_use(session.project)
    if decision is not None and SEGMENTATION_MODEL in scope.assets and not session.graph.applies(SEGMENTATION_MODEL):
        yield (
            f"no outlines with the role `labels` are registered, so no model was trained; maps are made with model "
            f"{decision.version[:SHOWN]}"
        )
    elif said := not_in_use(session.project):
        yield said


def gate_ahead(session: Session, scope: Scope) -> str | None:
    """A sentence on what has to be before maps are made, for a run of a project without a model in use."""
    if PROMOTED_MODEL not in scope.assets or in_use(session.project) is not None:
        return None
    return (
        f"no model is in use yet: what follows from it is made only where the trained model's verdict is "
        f"{Grade.USABLE!s}, or with {ANYWAY}"
    )


def models_json(project: Project, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The verdict on the model that was evaluated last, and the model in use with the verdict it was put in use with,
    for scripts; `tell` hears of damaged scores.
    """
    verdict, decision = evaluated(project, tell), in_use(project)
    told = None if verdict is None else {"grade": str(verdict.grade), "sentence": verdict.sentence}
    return {"verdict": told, "model_in_use": None if decision is None else _plain(decision)}


def standing_of(project: Project, version: str) -> Standing:
    """What the project knows of a model besides its card."""
    import pandas as pd

    found, brought, decision = project.lake.find(EVALUATION), origin_of(project, version), in_use(project)
    scored = found is not None and found.manifest.summary.get("model_version") == version
    return Standing(
        verdict_on(project, version),
        tuple(one for one in promotions(project) if one.version == version),
        pd.read_parquet(found.file(METRICS)) if found is not None and scored else None,
        "" if brought is None else brought.source,
        decision is not None and decision.version == version,
    )


def _plain(decision: Promotion) -> dict[str, str]:
    """A decision as `--json` gives it."""
    return {
        "version": decision.version,
        "since": decision.at,
        "by": decision.by,
        "note": decision.note,
        "verdict": decision.verdict,
        "sentence": decision.sentence,
    }
