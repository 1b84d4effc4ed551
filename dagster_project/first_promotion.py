"""A project's first model: the run that trains it puts it in use where its verdict is *usable*, because nobody has
decided anything yet; otherwise the run stops at the model.

From then on only `minemap promote` changes which model is in use. A record of the decision that was lost is an error,
and never taken for a project's beginning (`Project.input`).
"""

import getpass
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass

from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.graph.graph import Graph, Step
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import DamagedError, PartitionRef
from minemap_assets.project.project import Project
from minemap_assets.segmentation.artefact import Model, load_model
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.promotion import in_use, promote, promotions, verdict_on
from minemap_assets.segmentation.verdict import Grade, Verdict

SHOWN = 12
"""Digits of a model's version that people see."""

ANYWAY = "--promote-anyway"
"""The option that puts a project's first model in use whatever its verdict."""


def user() -> str:
    """Who works here, for the record of a decision; a number where the system knows no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def adopt_promotion(project: Project, assets: Collection[Asset]) -> None:
    """Write down which model is in use where an earlier minemap put it there without a record.

    Raises `BadInputError` where that model is damaged, so that nothing tells which one it was.
    """
    held = project.lake.find(PROMOTED_MODEL.ref())
    if PROMOTED_MODEL not in assets or held is None or promotions(project):
        return
    try:
        model = load_model(held)
    except DamagedError as error:
        raise BadInputError(
            f"{error}; it is the model in use, and nothing else tells which one that was: put one in use with "
            "`minemap promote`"
        ) from error
    promote(project, model, "unknown", "In use before decisions were written down")


@dataclass(frozen=True)
class Passage:
    """Whether a run goes on from its first model to maps, and the sentence to be said of that."""

    open: bool
    sentence: str


def promote_first(project: Project, assets: Collection[Asset], *, anyway: bool = False) -> Passage | None:
    """Put the very first trained model in use where it is usable, or `anyway`.

    None where there is nothing to decide: a model is in use, none was trained, or the run needs none. Raises
    `DamagedError` where the trained model is damaged.
    """
    if PROMOTED_MODEL not in assets or promotions(project):
        return None
    trained = project.lake.find(SEGMENTATION_MODEL.ref())
    if trained is None or not trained.manifest.complete:
        return None
    model = load_model(trained)
    verdict = verdict_on(project, model.version)
    if verdict.grade is not Grade.USABLE and not anyway:
        return Passage(open=False, sentence=_stopped(model, verdict))
    note = "The first model, by the run that trained it"
    if verdict.grade is not Grade.USABLE:
        note += f", with {ANYWAY} though its verdict was: {verdict.grade}"
    promote(project, model, user(), note)
    return Passage(
        open=True,
        sentence=f"model {model.version[:SHOWN]} is the project's first and is in use now (verdict: {verdict.grade}); "
        "from here on only `minemap promote` changes that",
    )


def _stopped(model: Model, verdict: Verdict) -> str:
    is_ = "" if verdict.grade is Grade.UNKNOWN else "is "
    return (
        f"no map is made with model {model.version[:SHOWN]}, because it {is_}{verdict.grade}: register more outlines "
        f"(`minemap advise` says of which kind), or put it in use as it is with `minemap run {ANYWAY}` or "
        "`minemap promote`"
    )


class Gate:
    """Between the model and all that is made with it, for one run.

    It is decided once, before the first step that reads the model in use: then the scores are there.
    """

    def __init__(
        self,
        states: PartitionStates,
        graph: Graph,
        assets: Collection[Asset],
        *,
        anyway: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._states = states
        self._assets = assets
        self._behind = {(a.room, a.name) for a in graph.closure([PROMOTED_MODEL], upstream=False)}
        self._anyway = anyway
        self._tell = tell
        self._decided = False
        self.stopped = ""
        """Why nothing behind the gate is made; empty where it is open."""

    def reached(self, step: Step) -> None:
        """Take notice that a step begins. Raises `PermanentError` where the trained model is damaged."""
        if self._decided or not any((asset.room, asset.name) in self._behind for asset in step.assets):
            return
        self._decided = True
        try:
            passage = promote_first(self._states.project, self._assets, anyway=self._anyway)
        except DamagedError as damage:
            self._states.set_aside(damage)
            raise PermanentError(f"{damage}; the same command makes the model again") from damage
        if passage is None:
            return
        if passage.open:
            self._tell(passage.sentence)
        else:
            self.stopped = passage.sentence

    def holds(self, ref: PartitionRef) -> str:
        """Why a partition is not to be made; empty where it is."""
        return "waits for a model in use" if self.stopped and (ref.room, ref.asset) in self._behind else ""


def not_in_use(project: Project) -> str | None:
    """A sentence on the model that was trained last where another one is in use, with the verdicts on both; None where
    there is nothing to say.
    """
    decision, trained = in_use(project), project.lake.find(SEGMENTATION_MODEL.ref())
    latest = "" if trained is None else str(trained.manifest.summary.get("version", ""))
    if decision is None or not latest or latest == decision.version:
        return None
    return (
        f"maps are made with model {decision.version[:SHOWN]} (verdict: {decision.verdict}), and not with "
        f"{latest[:SHOWN]}, which was trained last (verdict: {verdict_on(project, latest).grade}); `minemap promote` "
        "puts that one in use"
    )
