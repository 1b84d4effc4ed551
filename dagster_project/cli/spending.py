"""What the steps of a command would need of imagery sources."""

from collections.abc import Sequence

from dagster_project.cli.context import Session
from dagster_project.durations import seconds_by_partition
from minemap_assets.graph.graph import Step
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.cost_models import RunQuery
from minemap_assets.planning.estimates import Estimate
from minemap_assets.planning.spending import estimate_steps, hold_steps_to_budget


def hold_to_budget(session: Session, steps: Sequence[Step]) -> None:
    """Raises `BadInputError` where what is known of some steps passes the project's budget."""
    hold_steps_to_budget(session.project, steps, session.states)


def estimate(session: Session, steps: Sequence[Step], query: RunQuery | None) -> Estimate:
    """What some steps need, at the rate that earlier runs of this machine had."""
    with session.instance() as instance:
        seconds = seconds_by_partition(instance, COMPOSITES, REFERENCE_COMPOSITES)
    return estimate_steps(session.project, steps, session.states, seconds, query)
