"""`minemap promote`: the person's decision which model maps are made with."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.context import console, open_session
from dagster_project.cli.run import execute, summarise
from dagster_project.first_promotion import SHOWN, user
from minemap_assets.errors import BadInputError, PermanentError
from minemap_assets.graph.graph import Scope
from minemap_assets.lake.manifests import DamagedError
from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
from minemap_assets.segmentation.promotion import Promotion, find_model, kept_versions, promotions
from minemap_assets.segmentation.promotion import promote as put_in_use


def promote(
    version: Annotated[
        str | None,
        typer.Argument(help="Start of the version of a model that was in use before. Default: the newest trained one."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who decides. Default: the user of this machine.")] = None,
    why: Annotated[str, typer.Option("--note", help="Why.")] = "",
) -> int:
    """Put a trained model in use; masks are made with it from the next run on."""
    session = open_session()
    if session.states.manifest(SEGMENTATION_MODEL.ref()) is None and version is None:
        raise BadInputError(
            "there is no trained model to put in use; train one with `minemap run --select +segmentation_model`"
        )
    before = promotions(session.project)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            model = find_model(session.project.lake, version or "", SEGMENTATION_MODEL.ref(), Path(scratch))
        except DamagedError as damage:
            session.states.set_aside(damage)
            raise PermanentError(
                f"{damage}; nothing is promoted: `minemap run --select +segmentation_model` makes the model again"
            ) from damage
        if model is None:
            known = ", ".join(name[:SHOWN] for name in kept_versions(session.project.lake.store)) or "none"
            raise BadInputError(f"no model's version begins with {version!r}; models that were in use: {known}")
        decision = put_in_use(session.project, model, by or user(), why)
    _say(decision, before[-1] if before else None)
    return summarise(execute(session.reopened(), Scope(frozenset({PROMOTED_MODEL}), (), ())))


def _say(decision: Promotion, before: Promotion | None) -> None:
    if before is not None and before.version == decision.version:
        console.print(f"Model {decision.version[:SHOWN]} is in use already, since {before.at}, by {before.by}.")
        return
    instead = f" instead of {before.version[:SHOWN]}" if before is not None else ""
    console.print(f"Model {decision.version[:SHOWN]} is in use now{instead}, by {decision.by}.")
