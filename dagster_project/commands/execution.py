"""Running a scope from the command line: what is forced, what is shown meanwhile, and how it stops."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import typer
from dagster import DagsterInstance
from rich.console import Console

from dagster_project.commands.advice import check_pilot, site_notes
from dagster_project.commands.context import Session, console, errors, note, open_session, parse_regions, parse_years
from dagster_project.commands.dry_run import show_forecast
from dagster_project.commands.json_output import print_json
from dagster_project.commands.model_verdicts import gate_ahead, model_notes
from dagster_project.commands.progress import Display
from dagster_project.commands.run_report import as_json, closing, exit_code, quality, summarise
from dagster_project.commands.submission import submit
from dagster_project.definitions import build_definitions
from dagster_project.durations import usual_seconds
from dagster_project.first_promotion import Gate, adopt_promotion
from dagster_project.forecast import sort
from dagster_project.interrupts import interruptible
from dagster_project.outcomes import Recorder, Report, Result, State
from dagster_project.pace import Pace
from dagster_project.registry import Registry
from dagster_project.runner import Runner, in_order
from dagster_project.selection import UnclearError, parse_selection
from dagster_project.worker_messages import Briefing
from dagster_project.workers import Crew
from minemap_assets.errors import BadInputError, BusyError, StorageError
from minemap_assets.graph.graph import Scope, Step
from minemap_assets.graph.launches import launched, new_launch
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import REGION, YEAR
from minemap_assets.graph.reasons import Reasons
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import product_of
from minemap_assets.imagery.source_kind import kinds_of
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.net.usage import run_usage
from minemap_assets.planning.spending import hold_steps_to_budget
from minemap_assets.segmentation.cores import JOBS
from minemap_assets.sites.assets import SITES

_FETCHED = frozenset({COMPOSITES, REFERENCE_COMPOSITES})


@dataclass(frozen=True)
class Wishes:
    """How a run is to go about it: see the options of `minemap run`."""

    accepts_losses: bool = False
    promote_anyway: bool = False
    force: bool = False
    dry: bool = False
    as_json: bool = False
    verbose: bool = False
    jobs: int | None = None
    """So many partitions side by side, with as many cores; None is in this process, with whatever cores it has."""
    submit: bool = False


def run_selection(
    select: str | None, regions: str | None, years: str | None, sample: int | None, wishes: Wishes
) -> int:
    """Make what a selection names, or say what would be made; returns the exit code."""
    if wishes.force and select is None:
        raise BadInputError(
            "--force makes what --select names again, though it is current; name it, as in --select raw_masks, or "
            "--select '*' for everything"
        )
    if wishes.submit:
        _check_submission(wishes, sample)
    session = open_session(sample)
    scope = Scope(
        parse_selection(select, session.graph, _chosen),
        parse_regions(regions, session.project),
        parse_years(years, session.project),
    )
    if sample is not None:
        check_pilot(session, scope.regions)
    if years is not None:
        _check_imagery(session, scope)
    if wishes.force and not wishes.submit:
        session = _forcing(session, scope)
    if wishes.dry:
        if not wishes.promote_anyway and not wishes.as_json and (said := gate_ahead(session, scope)):
            note(said)
        return show_forecast(session, scope, as_json=wishes.as_json)
    begun = time.monotonic()
    report = submit(session, scope, everything=wishes.force) if wishes.submit else execute(session, scope, wishes)
    after = session.reopened()
    if wishes.as_json:
        print_json(as_json(report, after, scope))
        return exit_code(report)
    quality(after, scope)
    code = summarise(report, time.monotonic() - begun)
    for sentence in (*model_notes(after, scope), *site_notes(after, scope.regions)):
        note(sentence)
    closing(after, scope, report)
    return code


def _check_submission(wishes: Wishes, sample: int | None) -> None:
    """Refuse what only a run in this process understands. Raises `BadInputError`."""
    mine = {"--accept-losses": wishes.accepts_losses, "--promote-anyway": wishes.promote_anyway, "--sample": sample}
    for option, given in mine.items():
        if given:
            raise BadInputError(f"the daemon makes its runs without {option}; leave it out, or --submit")


def _check_imagery(session: Session, scope: Scope) -> None:
    """Refuse years that somebody asked for by name and that no imagery can serve. Raises `BadInputError`."""
    if COMPOSITES not in scope.assets:
        return
    for region in (session.project.region(slug) for slug in scope.regions):
        for product in {product_of(session.project, region, year): None for year in scope.years}:
            kinds_of(session.project, product)


def _chosen(unclear: UnclearError) -> str:
    """Ask a person at a terminal which of several things a name means. Raises the error itself elsewhere."""
    if not (sys.stdin.isatty() and errors.is_terminal):
        raise unclear
    one = unclear.choices[0]
    if len(unclear.choices) == 1:
        question = f"{unclear.name!r} is no asset but {one.meaning}; all of it ({one.spelling})?"
        typer.confirm(question, abort=True, err=True)
        return one.spelling
    errors.print(f"{unclear.name!r} may mean:")
    for number, choice in enumerate(unclear.choices, start=1):
        errors.print(f"  {number}. {choice.meaning} ({choice.spelling})", markup=False)
    while True:
        answer: int = typer.prompt("Which one", type=int, err=True)
        if 1 <= answer <= len(unclear.choices):
            return unclear.choices[answer - 1].spelling


def _forcing(session: Session, scope: Scope) -> Session:
    """The session with the scope's own partitions to be made again; what they read besides stays as it is."""
    forced = frozenset(ref for step in session.graph.steps(scope) for ref in step.refs if _inside(session, ref, scope))
    return session.pinned(replace(session.project, forced=forced))


def _inside(session: Session, ref: PartitionRef, scope: Scope) -> bool:
    keys = dict(zip(session.graph.asset(ref).partitions.names, ref.keys, strict=True))
    region, year = keys.get(REGION), keys.get(YEAR)
    return (region is None or region in scope.regions) and (year is None or int(year) in scope.years)


def execute(session: Session, scope: Scope, wishes: Wishes | None = None) -> Report:
    """Run a scope and show how it goes; where it stops before its end, say what is done and what is left."""
    wishes = wishes or Wishes()
    recorder = Recorder()
    session = session.pinned(replace(session.project.told(recorder), accepts_losses=wishes.accepts_losses))
    session.project.record_inputs()
    steps = session.graph.steps(scope)
    jobs = _jobs(wishes, steps)
    hold_steps_to_budget(session.project, steps, session.states)
    planned = [ref for step in steps for ref in step.refs]
    instance, report = session.instance(), Report()
    screen = errors if wishes.as_json else console
    pace = _pace(session, steps, instance, jobs)
    display = Display(screen, len(planned), pace, verbose=wishes.verbose)

    def last_words() -> str:
        display.close()
        return f"{_without_cursor(screen)}{_left(planned, report)}"

    with interruptible(last_words) as interruption:
        try:
            with display.shown():
                recorder.tells(display.went_on, display.note)
                run = _Run(session, scope, steps, instance, recorder, display, report, wishes, pace.usual, jobs)
                run.go(interruption.check)
        except (StorageError, BusyError):
            errors.print(_left(planned, report), markup=False, soft_wrap=True)
            raise
    return replace(report, results=in_order(steps, report.results))


def _jobs(wishes: Wishes, steps: Sequence[Step]) -> int:
    """How many steps are made side by side: as many as are wished, and no more than there are.

    What is wished is also how many cores a step may use by itself, such as a training.
    """
    if wishes.jobs is not None:
        os.environ[JOBS] = str(wishes.jobs)
    return min(wishes.jobs or 1, max(1, len(steps)))


@dataclass
class _Run:
    """One run on its way."""

    session: Session
    scope: Scope
    steps: Sequence[Step]
    instance: DagsterInstance
    recorder: Recorder
    display: Display
    report: Report
    wishes: Wishes
    usual: Mapping[Asset, float]
    jobs: int

    def go(self, check: Callable[[], None]) -> None:
        """Make everything; `check` raises where a stop was asked for."""
        session, steps = self.session, self.steps
        adopt_promotion(session.project, self.scope.assets)
        definitions = build_definitions(session.environment, session.home, session.registry, running_year=True)
        tags = new_launch()
        crew = self._crew(tags) if self.jobs > 1 else None
        runner = Runner(definitions, session.graph, session.states, self.instance, self.recorder, crew=crew, tags=tags)
        sites = [step for step in steps if SITES in step.assets]
        left = set(sites)
        reasons: dict[PartitionRef, str] = {}
        anyway = self.wishes.promote_anyway
        gate = Gate(session.states, session.graph, self.scope.assets, anyway=anyway, tell=self.display.note)

        def begins(step: Step) -> None:
            gate.reached(step)
            self.report.stopped = gate.stopped
            if self.wishes.verbose:
                reasons.update(_reasons(session, step))

        def told(step: Step, results: Sequence[Result]) -> None:
            self.report.results.extend(results)
            made = [reasons.get(r.ref, "") if r.state is not State.KEPT else "" for r in results]
            self.display.ended(step, results, made)
            check()
            left.discard(step)
            if step in sites and not left:  # only now the sites of all regions are known
                hold_steps_to_budget(session.project, steps, session.states)

        budget = session.project.section(ImageryConfig).budget
        waits = {step: sites for step in steps if _FETCHED & set(step.assets)} if budget.limits_anything else {}
        with launched(session.project, tags, ""), run_usage(budget):
            runner.run(
                steps,
                told=told,
                begins=begins,
                works=self.display.begun,
                holds=gate.holds,
                waits=waits,
                seconds=self.usual,
            )

    def _crew(self, tags: Mapping[str, str]) -> Crew:
        """Workers that see this run's snapshot."""
        project, environment = self.session.project, self.session.environment
        if self.session.registry != Registry():
            raise ValueError("rooms and sources of a test's own are not known to worker processes")

        def briefing() -> Briefing:
            return Briefing(
                environment=environment,
                settings=project.settings,
                regions=dict(project.regions),
                inputs=dict(project._inputs),
                sample=project.sample,
                accepts_losses=project.accepts_losses,
                forced=project.forced,
                dagster_home=self.instance.root_directory,
                tags=tags,
            )

        return Crew(self.jobs, briefing, project, self.recorder)


def _reasons(session: Session, step: Step) -> dict[PartitionRef, str]:
    """Where it begins that partitions of a step are not current, in a sentence each."""
    reasons = Reasons(session.graph, session.states)
    found = {}
    for asset in step.assets:
        causes = reasons.causes(asset, step.keys)
        if causes:
            found[asset.ref(step.keys)] = causes[0].reason.sentence
    return found


def _pace(session: Session, steps: Sequence[Step], instance: DagsterInstance, jobs: int) -> Pace:
    """What is likely to be made, seen from here and now, and what that took lately.

    Where every look costs a request, everything counts as to be made: what is kept goes by quickly.
    """
    project, assets = session.project, dict.fromkeys(asset for step in steps for asset in step.assets)
    if project.lake.store.excludes:
        # a snapshot of its own: what the runner decides by is read when it comes to it
        due = sort(session.graph, PartitionStates(session.graph, project), steps).due
    else:
        due = frozenset(ref for step in steps for ref in step.refs)
    wanted = {(ref.room, ref.asset) for ref in due}
    return Pace(due, usual_seconds(instance, [a for a in assets if (a.room, a.name) in wanted]), jobs=jobs)


def _without_cursor(screen: Console) -> str:
    return "\r\x1b[2K\x1b[?25h" if screen.is_terminal else ""


def _left(planned: Sequence[PartitionRef], report: Report) -> str:
    """What is done and what is left, in one sentence each."""
    done = {r.ref for r in report.results if r.state in (State.MADE, State.KEPT)}
    left = [ref for ref in planned if ref not in done]
    counts = ", ".join(f"{asset} ({n})" for asset, n in Counter(ref.asset for ref in left).items())
    return (
        f"Stopped with {len(done)} of {len(planned)} asset partitions done and {len(left)} left; the same command goes "
        f"on from here.\nLeft: {counts or 'nothing'}."
    )
