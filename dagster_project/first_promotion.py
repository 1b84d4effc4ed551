"""A project's first model: the run that trains it puts it in use, because nobody has decided anything yet.

From then on only `minemap promote` changes which model is in use. A record of the decision that was lost is an error,
and never taken for a project's beginning (`Project.input`).
"""

import getpass
import os
from collections.abc import Collection

from minemap_assets.errors import BadInputError
from minemap_assets.graph.statement import Asset
from minemap_assets.lake.manifests import DamagedError
from minemap_assets.project.project import Project
from minemap_assets.segmentation.artefact import load_model
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.promotion import promote, promotions

SHOWN = 12
"""Digits of a model's version that people see."""


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


def promote_first(project: Project, assets: Collection[Asset]) -> str | None:
    """Put the very first trained model in use; returns a sentence that says so, None where there was nothing to do."""
    if PROMOTED_MODEL not in assets or promotions(project):
        return None
    trained = project.lake.find(SEGMENTATION_MODEL.ref())
    if trained is None or not trained.manifest.complete:
        return None
    decision = promote(project, load_model(trained), user(), "The first model, by the run that trained it")
    return (
        f"model {decision.version[:SHOWN]} is the project's first and is in use now; from here on only "
        "`minemap promote` changes that"
    )
