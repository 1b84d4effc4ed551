"""`minemap plan`: what a run would need, before anything is fetched."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json, Regions, Sample, Years
from dagster_project.commands.context import note, open_session

IMAGERY_ONLY = "imagery/imagery,imagery/reference_imagery"


def plan(
    regions: Regions = None,
    years: Years = None,
    select: Annotated[
        str | None, typer.Option(help="What to make, as for `minemap run`. Default: all imagery.")
    ] = None,
    sample: Sample = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the sources' catalogues what they have, or assume it.")
    ] = True,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each answer of a source.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Say what imagery of some regions and years would need; nothing is fetched, and what is current costs nothing."""
    session = open_session(sample)
    scope = session.scope(select or IMAGERY_ONLY, regions, years)
    from dagster_project.commands.plan_report import (
        estimate,
        look_ahead,
        passes,
        show_estimate,
        show_observations,
        tell,
    )

    found = estimate(session, scope, deadline if ask else None)
    if not as_json:
        show_estimate(found)
        for sentence in found.gaps:
            note(sentence)
    observations = look_ahead(session, scope, deadline, note) if ask and found.lines else []
    above = passes(session, found)
    if as_json:
        tell(scope, found, observations, above)
        return
    show_observations(observations)
    for passed in above:
        note(f"above the budget: {passed}; `minemap run` would fetch nothing")
