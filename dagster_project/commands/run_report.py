"""What a run came to: first how good it is, then what was made, then where it lies and what to do next."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from dagster_project.commands.context import Session, complain, console, counted, note
from dagster_project.commands.model_verdicts import models_json, verdict_lines
from dagster_project.commands.progress import failure
from dagster_project.exit_codes import FAILED, STOPPED
from dagster_project.outcomes import Report, Result, State
from dagster_project.pace import exact
from minemap_assets.graph.graph import Scope
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.segmentation.assets import SEGMENTATION_MODEL
from minemap_assets.tables.assets import COUNTRY_SUMMARY, DATABASE, database_path

SHOWN = 3
"""At most so many assets are named where many have the same gaps."""


def quality(session: Session, scope: Scope) -> None:
    """Print how far the results can be trusted: the model's verdict, and the share of sites that were observed."""
    for sentence in quality_lines(session, scope):
        console.print(sentence, markup=False, soft_wrap=True)


def quality_lines(session: Session, scope: Scope) -> Iterator[str]:
    """Sentences on the model and the observed ground, as far as the scope has to do with them."""
    if _concerns(session, scope, SEGMENTATION_MODEL):
        yield from verdict_lines(session.project)
    expected, observed = observed_sites(session, scope)
    if expected:
        yield f"Observed: {observed:,} of {expected:,} sites and years ({observed / expected:.0%})."


def observed_sites(session: Session, scope: Scope) -> tuple[int, int]:
    """Sites expected and observed, summed over the regions and years of a scope whose imagery is there."""
    if not _concerns(session, scope, COMPOSITES):
        return 0, 0
    refs = [COMPOSITES.ref((region, str(year))) for region in scope.regions for year in scope.years]
    facts = [manifest.summary for ref in refs if (manifest := session.states.manifest(ref)) is not None]
    return sum(int(f.get("sites", 0)) for f in facts), sum(int(f.get("observed", 0)) for f in facts)


def _concerns(session: Session, scope: Scope, asset: Any) -> bool:
    return bool(session.graph.closure([asset], upstream=False) & scope.assets)


def summarise(report: Report, seconds: float | None = None) -> int:
    """Say what was made, what lacks something, what failed, and why the run stopped; returns the exit code."""
    took = "" if seconds is None else f", in {exact(seconds)}"
    console.print(
        f"{report.count(State.MADE)} asset partitions made, {report.count(State.KEPT)} kept, "
        f"{report.count(State.FAILED)} failed, {report.count(State.BLOCKED)} held up{took}.",
        soft_wrap=True,
    )
    for sentence in gap_lines(report):
        note(sentence)
    if report.stopped:
        complain(report.stopped, word="Stopped: ", colour="yellow")
    if not report.failures:
        return exit_code(report)
    for result in report.failures:
        complain(failure(result))
    held = Counter(r.ref.asset for r in report.results if r.state is State.BLOCKED)
    if held:
        names = ", ".join(f"{asset} ({n})" for asset, n in held.items())
        complain(f"{counted(held.total(), 'partition')} held up by that: {names}", word="")
    if len(report.results) > 1:
        complain("what failed is tried again by the same command, and all that is made stays", word="")
    return exit_code(report)


def exit_code(report: Report) -> int:
    """0 where all was made, `FAILED` where something failed, else `STOPPED` where the run ended at the model."""
    if report.failures:
        return FAILED
    return STOPPED if report.stopped else 0


def gap_lines(report: Report) -> Iterator[str]:
    """A sentence on what is missing in the first asset that lacks something, and which others lack it therefore."""
    gaps = [(asset, list(some)) for asset, some in groupby(_by_asset(report.with_gaps), attrgetter("ref.asset"))]
    if not gaps:
        return
    asset, results = gaps[0]
    found = [r.gaps for r in results if r.gaps is not None]
    missing, of, retried = (sum(getattr(g, name) for g in found) for name in ("missing", "of", "retried"))
    where = f"{missing} of {of} sites" if of else counted(missing, "item")
    again = {0: "asking again gives the same as long as the inputs stay", missing: "the next run tries them again"}
    sentence = f"{asset} lacks {where} in {counted(len(results), 'partition')}, such as {found[0].first}; "
    yield sentence + again.get(retried, f"the next run tries {retried} of them again")
    others = [name for name, _ in gaps[1:]]
    if others:
        shown = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
        yield f"what is missing there is missing in {shown} too: it counts as not observed, not as no mining"


def _by_asset(results: list[Result]) -> list[Result]:
    first = {asset: n for n, asset in reversed(list(enumerate(r.ref.asset for r in results)))}
    return sorted(results, key=lambda r: first[r.ref.asset])


def closing(session: Session, scope: Scope, report: Report, tool: str = "minemap") -> None:
    """Print the mapped area, where the results of a scope lie, and what to do next with a `tool` (`make_tool`)."""
    area = area_line(session, scope)
    if area:
        console.print(area, markup=False, soft_wrap=True)
    places = results_at(session)
    touched = {(r.ref.room, r.ref.asset) for r in report.results}
    if (COUNTRY_SUMMARY.room, COUNTRY_SUMMARY.name) in touched or (DATABASE.room, DATABASE.name) in touched:
        for name, place in places.items():
            console.print(f"{name}: {place}", markup=False, soft_wrap=True)
    if report.results and not report.failures and not report.stopped:
        maps = f"the maps with `{tool} map`, and at " if places else ""
        console.print(f"Look at {maps}the graph of assets with `{tool} ui`.", markup=False, soft_wrap=True)


def area_line(session: Session, scope: Scope) -> str:
    """The mapped area of the scope's first and last year that have one; empty where none was asked for."""
    if COUNTRY_SUMMARY not in scope.assets:
        return ""
    found: dict[int, str] = {}
    for year in scope.years:
        manifest = session.states.manifest(COUNTRY_SUMMARY.ref((str(year),)))
        facts = {} if manifest is None or manifest.rejected else manifest.summary
        expected, missing = int(facts.get("regions_expected", 0)), len(facts.get("regions_missing", ()))
        if expected > missing and facts.get("area_km2") is not None:
            part = f" ({expected - missing} of {expected} regions)" if missing else ""
            found[year] = f"{float(facts['area_km2']):.2f} km2 in {year}{part}"
    years = dict.fromkeys((min(found), max(found))) if found else {}
    return f"Mapped mining area: {', '.join(found[year] for year in years)}." if years else ""


def results_at(session: Session) -> dict[str, str]:
    """Where results lie, by what they are; only what is there."""
    project = session.project
    places: dict[str, str] = {}
    database = database_path(project)
    if database.exists():
        places["DuckDB file"] = str(database)
    if next(project.lake.refs(COUNTRY_SUMMARY.room, COUNTRY_SUMMARY.name), None) is not None:
        places["GeoParquet tables"] = f"{project.lake.store.root}/{COUNTRY_SUMMARY.room}"
    return places


def make_tool() -> str:
    """What starts pages here: `make`, where this folder has a Makefile that does so."""
    makefile = Path("Makefile")
    return "make" if makefile.is_file() and "minemap ui" in makefile.read_text(errors="replace") else "minemap"


def as_json(report: Report, session: Session, scope: Scope) -> dict[str, Any]:
    """The report for scripts: quality, counts, every partition, and where results lie."""
    expected, observed = observed_sites(session, scope)
    concerned = _concerns(session, scope, SEGMENTATION_MODEL)
    return {
        **(models_json(session.project) if concerned else {"verdict": None, "model_in_use": None}),
        "stopped": report.stopped or None,
        "sites_expected": expected,
        "sites_observed": observed,
        "counts": {state.value: report.count(state) for state in State},
        "partitions": [_plain(result) for result in report.results],
        "results": results_at(session),
    }


def _plain(result: Result) -> dict[str, Any]:
    gaps = result.gaps
    return {
        "partition": f"{result.ref.room}/{result.ref}",
        "state": result.state.value,
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "missing": 0 if gaps is None else gaps.missing,
        "sites": None if gaps is None or not gaps.of else gaps.of,
    }
