"""What the steps of a run would need of imagery sources, and holding them to the project's budget."""

from collections.abc import Iterable, Iterator, Mapping

from minemap_assets.graph.graph import Step
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.budget import check_budget
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.cost_models import RunQuery, without_deadline
from minemap_assets.imagery.rules import product_of, reference_year_of
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.estimates import Estimate, Wanted, estimate
from minemap_assets.planning.rates import measured_rates
from minemap_assets.project.project import Project


def wanted_imagery(project: Project, steps: Iterable[Step], states: PartitionStates) -> Iterator[Wanted]:
    """Imagery of some steps that is not current, and so would be fetched."""
    for step in steps:
        for asset in step.assets:
            if asset not in (COMPOSITES, REFERENCE_COMPOSITES):
                continue
            if states.state(asset, step.keys) is PartitionState.CURRENT:
                continue
            if asset is COMPOSITES:
                region, year = project.region(step.keys[0]), int(step.keys[1])
                yield Wanted(region.slug, year, product_of(project, region, year))
            else:
                region = project.region(step.keys[1])
                yield Wanted(region.slug, reference_year_of(project, region), step.keys[0], trains=True)


def estimate_steps(
    project: Project,
    steps: Iterable[Step],
    states: PartitionStates,
    seconds: Mapping[PartitionRef, float] | None = None,
    query: RunQuery | None = None,
) -> Estimate:
    """What steps need: at the rate of earlier runs where the `seconds` of their partitions are given, and by what
    sources' services say where `query` asks them.
    """
    return estimate(project, wanted_imagery(project, steps, states), measured_rates(project.lake, seconds), query)


def hold_steps_to_budget(project: Project, steps: Iterable[Step], states: PartitionStates) -> None:
    """Raises `BadInputError` where what is known of some steps passes the budget; regions without sites do not count.

    Sources' services are asked, as by `minemap plan`, so that both come to the same figures; without a budget none is.
    """
    budget = project.section(ImageryConfig).budget
    if budget.limits_anything:
        check_budget(estimate_steps(project, steps, states, query=without_deadline).total, budget)
