"""`minemap run`: make what a scope asks for, with progress."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from dagster_project.cli.advice import check_pilot, site_notes
from dagster_project.cli.context import Session, complain, console, errors, note, open_session
from dagster_project.cli.interrupts import interruptible
from dagster_project.definitions import build_definitions
from dagster_project.first_promotion import adopt_promotion, promote_first
from dagster_project.runner import Progress, Recorder, Report, Result, Runner, State
from minemap_assets.errors import StorageError
from minemap_assets.graph.graph import Scope, Step
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.net.usage import run_usage
from minemap_assets.planning.spending import hold_steps_to_budget
from minemap_assets.segmentation.assets import SEGMENTATION_MODEL
from minemap_assets.sites.assets import SITES

Select = Annotated[
    str | None,
    typer.Option(
        help="Assets or rooms, such as sites,imagery; `+name` adds all that it needs, `name+` all that follows. "
        "Default: everything."
    ),
]
Regions = Annotated[str | None, typer.Option(help="Regions, such as north,south. Default: every active region.")]
Years = Annotated[
    str | None,
    typer.Option(help="Years, such as 2019 or 2016-2024,2026. Default: the first year of the project to last year."),
]
Sample = Annotated[int | None, typer.Option(min=1, help="A pilot: only so many sites of each region.")]


Losses = Annotated[
    bool,
    typer.Option(
        "--accept-losses", help="Go on where a partition loses more of its rasters than `most_dropped` allows."
    ),
]


def run(
    select: Select = None, regions: Regions = None, years: Years = None, sample: Sample = None, losses: Losses = False
) -> int:
    """Make everything a selection needs, for some regions and years; what is current is kept."""
    session = open_session(sample)
    scope = session.scope(select, regions, years)
    if sample is not None:
        check_pilot(session, scope.regions)
    report = execute(session, scope, accepts_losses=losses)
    for sentence in site_notes(session.reopened(), scope.regions):
        note(sentence)
    return summarise(report)


def execute(session: Session, scope: Scope, *, accepts_losses: bool = False) -> Report:
    """Run a scope and show how it goes; where it stops before its end, say what is done and what is left."""
    recorder = Recorder()
    session = session.pinned(replace(session.project.told(recorder), accepts_losses=accepts_losses))
    session.project.record_inputs()
    steps = session.graph.steps(scope)
    hold_steps_to_budget(session.project, steps, session.states)
    planned = [ref for step in steps for ref in step.refs]
    last_sites = next((step for step in reversed(steps) if SITES in step.assets), None)
    report = Report()

    def last_words() -> None:
        console.show_cursor()
        errors.print(f"\n{_left(planned, report)}", soft_wrap=True)

    with _display(len(planned)) as (tell, item), interruptible(last_words) as interruption:
        recorder.tells(item, note)
        adopt_promotion(session.project, scope.assets)
        runner = _runner(session, recorder)

        def told(step: Step, results: Sequence[Result]) -> None:
            report.results.extend(results)
            tell(step, results)
            interruption.check()
            if SEGMENTATION_MODEL in step.assets and (sentence := promote_first(session.project, scope.assets)):
                note(sentence)
            if step == last_sites:  # only now the sites of all regions are known
                hold_steps_to_budget(session.project, steps, session.states)

        try:
            with run_usage(session.project.section(ImageryConfig).budget):
                runner.run(steps, told=told)
        except (KeyboardInterrupt, StorageError):
            last_words()
            raise
    return report


def _runner(session: Session, recorder: Recorder) -> Runner:
    """A runner whose definitions see the session's own snapshot, and tell of their progress."""
    definitions = build_definitions(session.environment, session.home, session.registry)
    return Runner(definitions, session.graph, session.states, session.instance(), recorder)


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


@contextmanager
def _display(total: int) -> Iterator[tuple[Tell, Progress]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("starting", total=total)

        def tell(step: Step, results: Sequence[Result]) -> None:
            progress.update(task, advance=len(results), description=step.title)
            for result in results:
                if result.state is State.FAILED:
                    progress.console.print(f"[red]failed[/] {escape(_why(result))}", soft_wrap=True)
            if not console.is_terminal:
                done = int(progress.tasks[task].completed)
                states = ", ".join(f"{r.ref.asset} {r.state.value}" for r in results)
                console.print(f"[{done}/{total}] {step.title}: {states}", markup=False, soft_wrap=True)

        def item(partition: PartitionRef, done: int, of: int) -> None:
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
