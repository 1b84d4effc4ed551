"""What the commands of `minemap label` do with points: serve the page, compare annotators, hand labels over."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from dagster_project.commands.context import Session, console, counted, note, open_session, parse_years
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.publication.labelling.adjudication import differences
from minemap_assets.publication.labelling.agreement import ClassAgreement, Kappa, by_class, cross_table, kappa
from minemap_assets.publication.labelling.answer_files import adjudicated, all_answers, annotator_name
from minemap_assets.publication.labelling.answers import ANSWERS, CANNOT_TELL, Answers, points_answered
from minemap_assets.publication.labelling.handing_over import (
    Handed,
    choose,
    handed,
    labelled_detections,
    labelled_points,
    standing_of,
)
from minemap_assets.publication.labelling.sitting import Sitting, adjudicate, sit
from minemap_assets.publication.labelling.tasks import (
    KeptTask,
    Task,
    keep_task,
    kept_task,
    open_task,
    sample_task,
    task_names,
    task_of_detections,
    task_of_points,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from dagster_project.pages.server import Page
    from minemap_assets.project.project import Project

VALIDATION_POINTS = "validation_points"

COMMAND = "minemap label"


@dataclass(frozen=True)
class Wanted:
    """Who labels (None: the user of this machine), where the page is served, and whether others' answers are judged."""

    annotator: str | None
    port: int
    browser: bool
    adjudicates: bool = False


def label_sample(name: str, wanted: Wanted) -> None:
    """Serve the page for a sample."""
    session = open_session()
    _serve(session, sample_task(session.project, name), wanted)


def label_points(file: str, years: str | None, wanted: Wanted) -> None:
    """Serve the page for points of a file, or go on with those of that name."""
    session = open_session()
    path = Path(file).expanduser()
    if not path.exists() and file in task_names(session.project):
        _serve(session, open_task(session.project, file), wanted)
        return
    asked = parse_years(years, session.project) if years else _imaged_years(session)
    _begin(session, task_of_points(path, asked), wanted)


def label_detections(year: int, wanted: Wanted) -> None:
    """Serve the page for the sample of a scan."""
    session = open_session()
    _begin(session, task_of_detections(session.project, year), wanted)


def _begin(session: Session, found: tuple[str, KeptTask], wanted: Wanted) -> None:
    name, task = found
    keep_task(session.project.lake.store, name, task)
    project = session.reopened().project
    _serve(session, open_task(project, name), wanted)


def _imaged_years(session: Session) -> tuple[int, ...]:
    from minemap_assets.publication.labelling.ground_views import GroundViews

    years = sorted({year for found in GroundViews(session.project).years.values() for year in found})
    if not years:
        raise BadInputError(
            "the project has no image of any year yet; fetch some with `minemap run --select +imagery`, or say which "
            "years to ask for with --years"
        )
    return tuple(years)


def _serve(session: Session, task: Task, wanted: Wanted) -> None:
    """Until a signal comes; then a version is kept of what was written."""
    from dagster_project.commands.serving import check_address
    from dagster_project.pages.label_routes import label_page

    who = annotator_name(wanted.annotator or user())
    project = session.reopened().project
    sitting = (adjudicate if wanted.adjudicates else sit)(project, task, who)
    check_address("127.0.0.1", wanted.port)
    done = len(points_answered(sitting.answers().standing, task.years))
    console.print(
        f"{task.name}: {done:,} of {counted(len(sitting.task.points), 'point')} answered by {who}.", markup=False
    )
    _say_whose(sitting, task)
    try:
        serve(label_page(sitting), wanted.port, browser=wanted.browser)
    finally:
        sitting.keep()


def serve(page: "Page", port: int, *, browser: bool) -> None:
    """Print the address with its token, and serve."""
    from dagster_project.pages.server import address, serve_page
    from dagster_project.pages.write_token import new_token

    token = new_token()
    console.print(f"The page is at {address(port, token)} (Ctrl-C ends it)", markup=False, soft_wrap=True)
    serve_page(page, port, COMMAND, browser=browser, token=token)


def _say_whose(sitting: Sitting, task: Task) -> None:
    """Whose labels the estimates are made from, where that is not who labels now."""
    if task.kind != "sample":
        return
    store = sitting.project.lake.store
    whose = handed(store, task.name)
    if sitting.disputes:
        console.print("From now on the agreed labels are handed over to area_estimates.")
    elif whose is not None and whose.annotator != sitting.annotator:
        note(
            f"area_estimates counts {whose.words}; `minemap label hand-over {task.name} --annotator "
            f"{sitting.annotator!r}` changes that"
        )
    elif whose is None and sample_has_labels(sitting):
        note(
            f"area_estimates counts the labels that came in a file; `minemap label hand-over {task.name} --annotator "
            f"{sitting.annotator!r}` puts those of this page in their place"
        )


def sample_has_labels(sitting: Sitting) -> bool:
    """Whether labels of the sample came in a file."""
    from minemap_assets.validation.sample_files import sample_labels

    return bool(sample_labels(sitting.project, sitting.task.name))


@dataclass(frozen=True)
class Listed:
    """A task with how many points each annotator answered, on how many they differ, and whose labels are handed over
    (None: nobody's from here).
    """

    task: str
    kind: str
    years: tuple[int, ...]
    points: int
    answered: dict[str, int]
    differ: int
    handed_over: str | None


def _listed(project: "Project", name: str) -> Listed:
    task, whose = open_task(project, name), handed(project.lake.store, name)
    answers = all_answers(project.lake.store, name)
    return Listed(
        task=name,
        kind=task.kind,
        years=task.years,
        points=len(task.points),
        answered={one.annotator: len(points_answered(one.standing, task.years)) for one in answers},
        differ=len({one.point_id for one in differences(task, answers)}),
        handed_over=None if whose is None else whose.words,
    )


def list_tasks(*, as_json: bool) -> None:
    """Every task with its annotators."""
    project = open_session().project
    rows = [_listed(project, name) for name in task_names(project)]
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(rows)
        return
    if not rows:
        console.print("Nothing to label yet; `minemap sample draw --year YEAR --size POINTS` draws a sample.")
        return
    table = Table("task", "years", "points", "answered", "differ", "handed over")
    table.columns[0].no_wrap = True
    for row in rows:
        span = ", ".join(map(str, row.years)) if len(row.years) < 3 else f"{row.years[0]} to {row.years[-1]}"
        said = ", ".join(f"{who}: {count:,}" for who, count in row.answered.items()) or "nobody yet"
        table.add_row(row.task, span, f"{row.points:,}", said, str(row.differ), row.handed_over or "")
    console.print(table)


@dataclass(frozen=True)
class Pair:
    """Two annotators, and how far they agree: on all answers, and on those where both could tell."""

    first: str
    second: str
    all_answers: Kappa
    where_both_could_tell: Kappa
    classes: tuple[ClassAgreement, ...]


def pairs_of(task: Task, answers: Sequence[Answers]) -> tuple[Pair, ...]:
    """Every two annotators, on the points and years that both answered."""
    order = [(point.point_id, year) for point in task.points for year in task.years]
    found = []
    for one, other in combinations(answers, 2):
        a, b = one.standing, other.standing
        shared = [key for key in order if key in a and key in b]
        counts = cross_table([a[key] for key in shared], [b[key] for key in shared], ANSWERS)
        told = [place for place, answer in enumerate(ANSWERS) if answer != CANNOT_TELL]
        sure = counts[told][:, told]
        found.append(Pair(one.annotator, other.annotator, kappa(counts), kappa(sure), by_class(counts, ANSWERS)))
    return tuple(found)


def tell_agreement(name: str, *, as_json: bool) -> None:
    """Kappa of every two annotators, and the points on which they differ."""
    session = open_session()
    task, store = open_task(session.project, name), session.project.lake.store
    answers = all_answers(store, name)
    if len(answers) < 2:
        who = answers[0].annotator if answers else "nobody yet"
        raise BadInputError(f"{name} was labelled by {who}; agreement needs two annotators (--annotator NAME)")
    pairs, found = pairs_of(task, answers), differences(task, answers)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json({"pairs": [_plain(asdict(pair)) for pair in pairs], "differences": [asdict(one) for one in found]})
        return
    for pair in pairs:
        _print_pair(pair)
    if not found:
        console.print("They differ on no point.")
        return
    decided = adjudicated(store, name)
    settled = {} if decided is None else decided.standing
    table = Table("point", "year", "answers", "decided")
    for one in found:
        said = ", ".join(f"{who}: {answer}" for who, answer in one.said)
        table.add_row(one.point_id, str(one.year), said, settled.get((one.point_id, one.year), ""))
    console.print(table)
    if len(settled) < len(found):
        console.print(f"`{_pass_of(task)} --adjudicate` shows both answers and decides.", markup=False, soft_wrap=True)


def _pass_of(task: Task) -> str:
    what = {"sample": f"sample {task.name}", "points": f"points {task.name}"}
    return f"{COMMAND} {what.get(task.kind, f'detections {task.years[0]}')}"


def _print_pair(pair: Pair) -> None:
    whole = pair.all_answers
    console.print(
        f"{pair.first} and {pair.second}: {counted(whole.points, 'answer')} in common, {_kappa_told(whole)}.",
        markup=False,
        soft_wrap=True,
    )
    told = pair.where_both_could_tell
    if told.points < whole.points:
        console.print(f"Where both could tell ({told.points:,}): {_kappa_told(told)}.", soft_wrap=True)
    table = Table("answer", pair.first, pair.second, "both", "agreement")
    for one in pair.classes:
        share = "nobody gave it" if math.isnan(one.share) else f"{one.share:.0%}"
        table.add_row(one.name, f"{one.first:,}", f"{one.second:,}", f"{one.both:,}", share)
    console.print(table)


def _kappa_told(found: Kappa) -> str:
    if not found.points:
        return "nothing to compare"
    if math.isnan(found.value):
        return f"{found.observed:.0%} alike; kappa is not defined where every answer is the same"
    return f"{found.observed:.0%} alike, kappa {found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f})"


def _plain(value: object) -> object:
    """JSON without NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def hand_over(name: str, annotator: str | None, licence: str, to: Path | None) -> None:
    """Labels on their way to what is computed from them."""
    session = open_session()
    project = session.project
    store, task = project.lake.store, open_task(project, name)
    whose = _whose(all_answers(store, name), annotator)
    standing = standing_of(store, name, whose)
    if task.kind == "sample":
        _hand_over_sample(session, task, whose)
    elif task.kind == "points":
        who = whose.annotator or ", ".join(one.annotator for one in all_answers(store, name))
        _hand_over_points(session, name, labelled_points(kept_task(project, name), standing, who), licence, who)
    elif to is None:
        raise BadInputError("detections go to a file; name one with --to, such as --to labelled.geojson")
    else:
        count = labelled_detections(kept_task(project, name), standing, to.expanduser())
        patches = "1 patch has" if count == 1 else f"{count:,} patches have"
        console.print(f"{patches} a class in {to}; `minemap scan accuracy {to}` reads it.", soft_wrap=True)


def _whose(answers: Sequence[Answers], annotator: str | None) -> Handed:
    """The annotator that was named, the only one there is, or the agreed ones."""
    if annotator is not None:
        return Handed(annotator=annotator_name(annotator))
    return Handed(annotator=answers[0].annotator if len(answers) == 1 else "")


def _hand_over_sample(session: Session, task: Task, whose: Handed) -> None:
    count = choose(session.project.lake.store, task, whose)
    console.print(
        f"{task.name}: {whose.words} are handed over, {count:,} of {counted(len(task.points), 'point')}; `minemap run "
        "--select area_estimates` makes the estimates.",
        markup=False,
        soft_wrap=True,
    )


def _hand_over_points(session: Session, name: str, frame: "gpd.GeoDataFrame", licence: str, who: str) -> None:
    from minemap_assets.reference.coverage import notes_on_entry
    from minemap_assets.reference.registration import register

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.geojson"
        frame.to_file(path, driver="GeoJSON")
        done = register(
            session.project.lake.store,
            path,
            name=VALIDATION_POINTS,
            kind="points",
            licence=licence,
            citation=f"Labelled by {who}",
            origin=f"minemap label, {name}",
        )
    console.print(f"{done.sentence}; `minemap run --select reference_validation` compares the maps with them.")
    for sentence in (*done.notes, *notes_on_entry(session.reopened().project, done.entry)):
        note(sentence)
