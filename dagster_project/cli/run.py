"""`minemap run` and `minemap promote`: make what a scope asks for, with progress.

What belongs here: options, the progress display and the closing summary. What does not: order and skipping
(`runner.py`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dagster_project.cli.advice import check_pilot, site_notes
from dagster_project.cli.context import (
    Session,
    complain,
    console,
    errors,
    note,
    open_session,
    parse_regions,
    parse_years,
)
from dagster_project.cli.interrupts import interruptible
from dagster_project.graph import Scope, Step, steps
from dagster_project.runner import Report, Result, Runner, State
from dagster_project.selection import parse_selection
from dagster_project.spending import hold_to_budget
from minemap_assets.errors import BadInputError, StorageError
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.net.usage import one_run
from minemap_assets.segmentation.recipes import SEGMENTATION_MODEL
from minemap_assets.sites.recipes import SITES

Select = Annotated[
    str | None,
    typer.Option(
        help="Assets or rooms, such as sites,imagery; `+name` adds all that it needs, `name+` all that follows. "
        "Default: everything."
    ),
]
Regions = Annotated[str | None, typer.Option(help="Regions, such as north,south. Default: every active region.")]
Years = Annotated[str | None, typer.Option(help="Years, such as 2019 or 2016-2024,2026. Default: 2016 to last year.")]
Sample = Annotated[int | None, typer.Option(min=1, help="A pilot: only so many sites of each region.")]


def run(select: Select = None, regions: Regions = None, years: Years = None, sample: Sample = None) -> int:
    """Make everything a selection needs, for some regions and years; what is current is kept."""
    session = open_session(sample)
    scope = Scope(
        parse_regions(regions, session.project),
        parse_years(years),
        parse_selection(select, session.definitions()),
    )
    if sample is not None:
        check_pilot(session.project, scope.regions)
    report = execute(session, scope)
    for sentence in site_notes(session.project, scope.regions):
        note(sentence)
    return summarise(report)


def promote() -> int:
    """Put the newest trained model in use; masks are made with it from the next run on."""
    session = open_session()
    if session.project.lake.manifest(SEGMENTATION_MODEL.ref(())) is None:
        raise BadInputError(
            "there is no trained model to put in use; train one with `minemap run --select +segmentation_model`"
        )
    scope = Scope((), (), parse_selection("promoted_model", session.definitions()))
    return summarise(execute(session, scope, promote=True))


def execute(session: Session, scope: Scope, *, promote: bool = False) -> Report:
    """Run a scope and show how it goes; where it stops before its end, say what is done and what is left."""
    runner = Runner(session.definitions(), session.project, session.instance())
    hold_to_budget(session.project, scope)
    todo = list(steps(session.project, scope))
    planned = [ref for step in todo for ref in step.refs]
    last_sites = next((step for step in reversed(todo) if SITES in step.recipes), None)
    report = Report()

    def last_words() -> None:
        console.show_cursor()
        errors.print(f"\n{_left(planned, report)}", soft_wrap=True)

    with _display(len(planned)) as (tell, item), interruptible(last_words) as interruption:
        session.project.progress = item

        def told(step: Step, results: Sequence[Result]) -> None:
            report.results.extend(results)
            tell(step, results)
            interruption.check()
            if step == last_sites:  # only now the sites of all regions are known
                hold_to_budget(session.project, scope)

        try:
            with one_run(session.project.settings.imagery.budget):
                runner.run(scope, promote=promote, told=told)
        except (KeyboardInterrupt, StorageError):
            last_words()
            raise
    return report


def _left(planned: Sequence[PartitionRef], report: Report) -> str:
    """What is done and what is left, in one sentence each."""
    done = {r.ref for r in report.results if r.state in (State.MADE, State.KEPT)}
    left = [ref for ref in planned if ref not in done]
    counts = ", ".join(f"{asset} ({n})" for asset, n in Counter(ref.asset for ref in left).items())
    return (
        f"Stopped with {len(done)} of {len(planned)} asset partitions done and {len(left)} left; the same command goes "
        f"on from here.\nLeft: {counts or 'nothing'}."
    )


Tell = Callable[[Step, Sequence[Result]], None]
Item = Callable[[str, int, int], None]


@contextmanager
def _display(total: int) -> Iterator[tuple[Tell, Item]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("starting", total=total)

        def tell(step: Step, results: Sequence[Result]) -> None:
            where = " ".join(step.keys) or "all"
            progress.update(task, advance=len(results), description=f"{step.stage.title} {where}")
            for result in results:
                if result.state is State.FAILED:
                    progress.console.print(f"[red]failed[/] {escape(_why(result))}", soft_wrap=True)
            if not console.is_terminal:
                done = int(progress.tasks[task].completed)
                states = ", ".join(f"{r.ref.asset} {r.state.value}" for r in results)
                console.print(f"[{done}/{total}] {step.stage.title} {where}: {states}", markup=False, soft_wrap=True)

        def item(partition: str, done: int, of: int) -> None:
            progress.update(task, description=f"{partition} {done}/{of}")

        yield tell, item


def summarise(report: Report) -> int:
    """Say what a run came to; the exit code is 0 where nothing failed."""
    console.print(
        f"{report.count(State.MADE)} asset partitions made, {report.count(State.KEPT)} kept, "
        f"{report.count(State.FAILED)} failed, {report.count(State.BLOCKED)} held up."
    )
    if not report.failures:
        return 0
    for result in report.failures:
        complain(_why(result))
    if len(report.results) > 1:
        complain("what failed is tried again by the same command, and all that is made stays", word="")
    return 1


def _why(result: Result) -> str:
    """The partition and its reason, which may name it already."""
    name = str(result.ref)
    return result.reason if result.reason.startswith(name) else f"{name}: {result.reason}"
