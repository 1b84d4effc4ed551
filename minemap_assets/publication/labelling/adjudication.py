"""Points on which annotators differ, and the answers that hold once somebody has decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass

from minemap_assets.publication.labelling.answers import Answer, Answers, Key
from minemap_assets.publication.labelling.tasks import Task


@dataclass(frozen=True)
class Difference:
    """A point and year to which people gave different answers, by annotator."""

    point_id: str
    year: int
    said: tuple[tuple[str, Answer], ...]


def differences(task: Task, answers: Sequence[Answers]) -> tuple[Difference, ...]:
    """Where those who answered differ, in the order of the task's points."""
    found = []
    standing = [(one.annotator, one.standing) for one in answers]
    for point in task.points:
        for year in task.years:
            key = (point.point_id, year)
            said = tuple((name, stands[key]) for name, stands in standing if key in stands)
            if len({answer for _, answer in said}) > 1:
                found.append(Difference(point.point_id, year, said))
    return tuple(found)


def part_that_differs(task: Task, found: Sequence[Difference]) -> Task:
    """The task with only the points on which people differ; all their years are asked, as they belong together."""
    chosen = {one.point_id for one in found}
    points = tuple(point for point in task.points if point.point_id in chosen)
    return Task(task.name, task.kind, task.years, points)


def agreed(answers: Sequence[Answers], decided: Answers | None) -> dict[Key, Answer]:
    """Answers that hold for all: what was decided, else what everybody said who answered, at least two people.

    What only one person answered, or people differ on without a decision, is left out.
    """
    said: dict[Key, list[Answer]] = {}
    for one in answers:
        for key, answer in one.standing.items():
            said.setdefault(key, []).append(answer)
    shared = {key: given[0] for key, given in said.items() if len(given) > 1 and len(set(given)) == 1}
    return shared | ({} if decided is None else decided.standing)
