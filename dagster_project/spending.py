"""What a scope would need of imagery sources, and holding it to the project's budget.

What belongs here: which imagery a scope asks for, and how long such partitions took according to Dagster's records.
What does not: estimating (`minemap_assets/estimates.py`) and limits (`minemap_assets/imagery/budget.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import dagster as dg
from dagster import DagsterInstance

from dagster_project.graph import Scope, steps
from minemap_assets.graph.materialization import MADE_NOW
from minemap_assets.graph.partitions import lake_keys
from minemap_assets.graph.recipes import Recipe
from minemap_assets.imagery.budget import check_budget
from minemap_assets.imagery.recipes import IMAGERY, REFERENCE_IMAGERY
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.planning.asking import Ask, ask_patiently
from minemap_assets.planning.estimates import Estimate, Rate, Wanted, estimate, measured_rates, only_source
from minemap_assets.project.project import Project

RUNS = 500
"""The newest materialisations are looked at for durations."""


def wanted_imagery(project: Project, scope: Scope) -> Iterator[Wanted]:
    """Imagery of a scope that is not current, and so would be fetched."""
    for step in steps(project, scope):
        for recipe in step.recipes:
            if recipe not in (IMAGERY, REFERENCE_IMAGERY) or recipe.is_current(project, step.keys):
                continue
            if recipe is IMAGERY:
                region, year = project.region(step.keys[0]), int(step.keys[1])
                yield Wanted(region.slug, year, project.product_for(region, year))
            else:
                region = project.region(step.keys[1])
                yield Wanted(region.slug, project.reference_year(region), step.keys[0], trains=True)


def estimate_scope(
    project: Project, scope: Scope, instance: DagsterInstance | None = None, ask: Ask | None = None
) -> Estimate:
    """What a scope needs; with an instance, at the rate that its runs had; with `ask`, by what sources say."""
    rates = measured_rates(project.lake)
    if instance is not None:
        rates = timed_rates(instance, project, rates)
    return estimate(project, wanted_imagery(project, scope), rates, ask)


def hold_to_budget(project: Project, scope: Scope) -> None:
    """Raises `BadInputError` where what is known of a scope passes the budget; regions without sites do not count.

    Sources are asked, as `minemap plan` does, so that both come to the same figures; without a budget nobody is.
    """
    budget = project.settings.imagery.budget
    if budget.limits_anything:
        check_budget(estimate_scope(project, scope, ask=ask_patiently).total, budget)


def timed_rates(instance: DagsterInstance, project: Project, rates: Mapping[str, Rate]) -> dict[str, Rate]:
    """Rates with the time that the newest runs took, for sources that served whole partitions."""
    seconds: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for recipe in (IMAGERY, REFERENCE_IMAGERY):
        for ref, duration in _durations(instance, recipe):
            manifest = project.lake.manifest(ref)
            source = None if manifest is None else only_source(manifest.summary)
            if manifest is not None and source is not None:
                seconds[source] += duration
                counts[source] += int(manifest.summary["sources"][source])
    return {s: replace(r, seconds=seconds.get(s), timed_site_years=counts[s]) for s, r in rates.items()}


def _durations(instance: DagsterInstance, recipe: Recipe) -> Iterator[tuple[PartitionRef, float]]:
    """Partitions of an asset and the seconds that making each took the last time."""
    step = f"{recipe.room}__{recipe.asset}"
    seen: set[str | None] = set()
    for record in instance.fetch_materializations(dg.AssetKey([recipe.room, recipe.asset]), limit=RUNS).records:
        event = record.asset_materialization
        made = event.metadata.get(MADE_NOW) if event is not None else None
        if event is None or made is None or not made.value or event.partition in seen:
            continue
        seen.add(event.partition)
        for stats in instance.get_run_step_stats(record.run_id, [step]):
            if stats.start_time and stats.end_time:
                yield recipe.ref(lake_keys(event.partition)), stats.end_time - stats.start_time
