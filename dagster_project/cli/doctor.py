"""`minemap doctor`: what will fail or disappoint, before a run."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Json, Regions, Years
from dagster_project.commands.context import Session, console, open_session, parse_regions, parse_years
from minemap_assets.errors import MinemapError

if TYPE_CHECKING:
    from minemap_assets.planning.findings import Finding
    from minemap_assets.planning.readiness import Prospect

    Check = Callable[[], Iterable[Finding]]

COLOURS = {"OK": "green", "doubt": "yellow", "wrong": "red"}


def doctor(
    regions: Regions = None,
    years: Years = None,
    as_json: Json = False,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a source's answer.")] = 8.0,
) -> int:
    """Say what of a run will fail (wrong) or disappoint (doubt), and what to do; nothing is fetched or made.

    Looks at this machine, at the project and at its sources. The exit code is 1 where something will fail.
    """
    from minemap_assets.planning.findings import Level

    session = open_session()
    found = list(dict.fromkeys(_findings(session, regions, years, deadline)))
    count = {level: sum(one.level is level for one in found) for level in Level}
    if as_json:
        from dagster_project.commands.json_output import print_json

        rows = [{"level": one.level.value, "what": one.what, "advice": one.advice} for one in found]
        print_json(
            {
                "project": session.project.lake.store.root,
                "findings": rows,
                **{level.value: n for level, n in count.items()},
            }
        )
    else:
        for one in found:
            mark = one.level.value
            console.print(f"[{COLOURS[mark]}]{mark:<5}[/] ", end="")
            console.print(one.sentence, markup=False, soft_wrap=True)
        console.print(_summary(count[Level.WRONG], count[Level.DOUBT]), soft_wrap=True)
    return 1 if count[Level.WRONG] else 0


def _findings(session: Session, regions: str | None, years: str | None, deadline: float) -> "Iterator[Finding]":
    from dagster_project.machine_readiness import device_findings, folder_findings, instance_findings, version_findings
    from minemap_assets.planning import readiness
    from minemap_assets.planning.findings import wrong
    from minemap_assets.planning.readiness import Prospect
    from minemap_assets.segmentation.config import SegmentationConfig
    from minemap_assets.segmentation.training_readiness import training_findings

    project, environment = session.project, session.environment
    slugs = parse_regions(regions, project) if regions is not None or project.active_regions() else ()
    prospect = Prospect(project, tuple(project.region(slug) for slug in slugs), parse_years(years, project))
    checks: list[Check] = [
        version_findings,
        partial(device_findings, project.section(SegmentationConfig), environment),
        partial(folder_findings, environment, project.lake.store),
        partial(instance_findings, environment),
        partial(readiness.region_findings, prospect),
    ]
    if prospect.regions:
        checks += [
            partial(readiness.rule_findings, prospect),
            partial(_sources, prospect, deadline),
            partial(readiness.archive_findings, prospect),
            partial(readiness.coverage_findings, prospect),
            partial(readiness.band_findings, prospect),
            partial(training_findings, prospect),
            partial(_disk, session, prospect),
        ]
    checks.append(partial(readiness.reference_findings, prospect))
    for check in checks:
        try:
            yield from check()
        except MinemapError as error:
            yield wrong(str(error), "correct it and look again")


def _sources(prospect: "Prospect", deadline: float) -> "Iterator[Finding]":
    """Whether the sources of the wanted products answer."""
    from dagster_project.commands.source_answers import ask_sources
    from minemap_assets.planning.readiness import source_findings

    reports = ask_sources(prospect.project, prospect.kinds, deadline, prospect.products)
    yield from source_findings(prospect, {report.name: report for report in reports})


def _disk(session: Session, prospect: "Prospect") -> "Iterator[Finding]":
    """Free disk against the estimate of imagery that can be had."""
    from dagster_project.machine_readiness import disk_findings
    from minemap_assets.graph.partition_states import PartitionState
    from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
    from minemap_assets.planning.estimates import Wanted, estimate
    from minemap_assets.planning.rates import measured_rates

    wanted = []
    for need in prospect.needs:
        slug = need.region.slug
        asset, keys = (
            (REFERENCE_COMPOSITES, (need.product, slug)) if need.trains else (COMPOSITES, (slug, str(need.year)))
        )
        if session.states.state(asset, keys) is not PartitionState.CURRENT:
            wanted.append(Wanted(slug, need.year, need.product, need.trains))
    found = estimate(session.project, wanted, measured_rates(session.project.lake))
    yield from disk_findings(session.environment, session.project.lake.store, found)


def _summary(wrong: int, doubts: int) -> str:
    if wrong:
        return f"{wrong} to mend before a run, {doubts} in doubt."
    return f"Nothing will fail; {doubts} in doubt." if doubts else "All is well."
