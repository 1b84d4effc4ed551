"""`minemap run` and `minemap promote`: make what a scope asks for, with progress.

What belongs here: options, the progress display and the closing summary. What does not: order and skipping
(`runner.py`).
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dagster_project.cli.context import Session, console, errors, open_session, parse_regions, parse_years
from dagster_project.graph import Scope, Step
from dagster_project.runner import Report, Result, Runner, State
from dagster_project.selection import parse_selection

Select = Annotated[
    str | None,
    typer.Option(help="Assets or rooms, comma-separated; `+name` adds upstream, `name+` downstream. Default: all."),
]
Regions = Annotated[str | None, typer.Option(help="Region slugs, comma-separated. Default: every active region.")]
Years = Annotated[str | None, typer.Option(help="Years such as 2019 or 2016-2024,2026. Default: every closed year.")]
Sample = Annotated[int | None, typer.Option(min=1, help="A pilot: only so many sites of each region.")]


def run(select: Select = None, regions: Regions = None, years: Years = None, sample: Sample = None) -> int:
    """Make everything a selection needs, for some regions and years; what is current is kept."""
    session = open_session(sample)
    scope = Scope(
        parse_regions(regions, session.project),
        parse_years(years),
        parse_selection(select, session.definitions()),
    )
    return summarise(execute(session, scope))


def promote() -> int:
    """Put the newest trained model in use; masks are made with it from the next run on."""
    session = open_session()
    scope = Scope((), (), parse_selection("promoted_model", session.definitions()))
    return summarise(execute(session, scope, promote=True))


def execute(session: Session, scope: Scope, *, promote: bool = False) -> Report:
    """Run a scope and show how it goes. Ctrl-C ends it after saying what is done and what is left."""
    runner = Runner(session.definitions(), session.project, session.instance())
    total = runner.total(scope)
    report = Report()
    with _display(total) as (tell, item), _interruptible():
        session.project.progress = item

        def told(step: Step, results: Sequence[Result]) -> None:
            report.results.extend(results)
            tell(step, results)

        try:
            runner.run(scope, promote=promote, told=told)
        except KeyboardInterrupt:
            left = total - len(report.results)
            errors.print(
                f"\nStopped: {len(report.results)} of {total} asset partitions are done, {left} are left; "
                "the same command goes on from here."
            )
            raise
    return report


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
                    progress.console.print(f"[red]failed[/] {result.ref}: {result.reason}", soft_wrap=True)
            if not console.is_terminal:
                done = int(progress.tasks[task].completed)
                states = ", ".join(f"{r.ref.asset} {r.state.value}" for r in results)
                console.print(f"[{done}/{total}] {step.stage.title} {where}: {states}", markup=False, soft_wrap=True)

        def item(partition: str, done: int, of: int) -> None:
            progress.update(task, description=f"{partition} {done}/{of}")

        yield tell, item


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C and SIGTERM end the work at the next Python instruction."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summarise(report: Report) -> int:
    """Say what a run came to; the exit code is 0 where nothing failed."""
    console.print(
        f"{report.count(State.MADE)} asset partitions made, {report.count(State.KEPT)} kept, "
        f"{report.count(State.FAILED)} failed, {report.count(State.BLOCKED)} held up."
    )
    if not report.failures:
        return 0
    table = Table("partition", "why", title="Failed (the same command tries them again)")
    for result in report.failures:
        table.add_row(str(result.ref), result.reason)
    console.print(table)
    return 1
