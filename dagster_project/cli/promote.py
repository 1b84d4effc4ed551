"""`minemap promote`: the person's decision which model maps are made with."""

from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.commands.context import Session, console, open_session
from minemap_assets.errors import BadInputError, PermanentError

if TYPE_CHECKING:
    from minemap_assets.segmentation.promotion import Promotion


def promote(
    version: Annotated[
        str | None,
        typer.Argument(
            help="Start of the version of a model that `minemap model list` shows. Default: the newest trained one."
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who decides. Default: the user of this machine.")] = None,
    why: Annotated[str, typer.Option("--note", help="Why.")] = "",
) -> int:
    """Put a model in use, whatever its verdict; masks are made with it from the next run on."""
    session = open_session()
    from dagster_project.commands.execution import execute
    from dagster_project.commands.run_report import summarise
    from minemap_assets.graph.graph import Scope
    from minemap_assets.segmentation.assets import PROMOTED_MODEL, SEGMENTATION_MODEL
    from minemap_assets.segmentation.promotion import kept_versions, promotions

    kept = kept_versions(session.project.lake.store)
    if session.states.manifest(SEGMENTATION_MODEL.ref()) is None and version is None and len(kept) != 1:
        raise BadInputError(
            "there is no trained model to put in use; name one that `minemap model list` shows"
            if kept
            else "there is no trained model to put in use; train one with `minemap run --select +segmentation_model`, "
            "or bring one with `minemap model import`"
        )
    before = promotions(session.project)
    _say(_put_in_use(session, version, by, why), before[-1] if before else None)
    return summarise(execute(session.reopened(), Scope(frozenset({PROMOTED_MODEL}), (), ())))


def _put_in_use(session: Session, version: str | None, by: str | None, why: str) -> "Promotion":
    """Find the model and write the decision down."""
    import tempfile
    from pathlib import Path

    from dagster_project.first_promotion import SHOWN, user
    from minemap_assets.lake.manifests import DamagedError
    from minemap_assets.segmentation.assets import SEGMENTATION_MODEL
    from minemap_assets.segmentation.promotion import find_model, kept_versions
    from minemap_assets.segmentation.promotion import promote as put_in_use

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
            raise BadInputError(f"no model's version begins with {version!r}; models that are kept: {known}")
        return put_in_use(session.project, model, by or user(), why)


def _say(decision: "Promotion", before: "Promotion | None") -> None:
    from dagster_project.first_promotion import SHOWN

    verdict = f"Verdict: {decision.verdict}; {decision.sentence}."
    if before == decision:
        console.print(f"Model {decision.version[:SHOWN]} is in use already, since {before.at}, by {before.by}.")
    elif before is not None and before.version == decision.version:
        console.print(f"Model {decision.version[:SHOWN]} is in use already; its verdict was {before.verdict}.")
    else:
        instead = f" instead of {before.version[:SHOWN]}" if before is not None else ""
        console.print(f"Model {decision.version[:SHOWN]} is in use now{instead}, by {decision.by}.")
    console.print(verdict, markup=False, soft_wrap=True)
