"""One person at one task: what the page is told, what it may write, and the pictures it shows.

Nothing of the maps, and nothing of what others said, leaves here before the person has answered; only who adjudicates
sees both answers, of the points on which people differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.lake.store import Store
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.adjudication import Difference, differences, part_that_differs
from minemap_assets.publication.labelling.answer_files import (
    adjudicated,
    adjudication_path,
    all_answers,
    annotator_path,
    change_answers,
    keep_versions,
    read_answers,
)
from minemap_assets.publication.labelling.answers import (
    ANSWERS,
    LONGEST_NOTE,
    Answers,
    Given,
    Remark,
    with_answer,
    with_remark,
    without_answer,
)
from minemap_assets.publication.labelling.chips import PATCH, POINT, Chip, draw_chips
from minemap_assets.publication.labelling.ground_views import GroundViews
from minemap_assets.publication.labelling.handing_over import (
    Handed,
    choose,
    claim,
    handed,
    handed_path,
    pass_on,
)
from minemap_assets.publication.labelling.tasks import Task, TaskPoint
from minemap_assets.validation.sample_files import Confidence, labels_path

KEPT_POINTS = 24
"""Points whose pictures are kept drawn: who goes back a few does not wait."""

_CONFIDENCE: tuple[Confidence, ...] = ("high", "medium", "low", "")


@dataclass(eq=False)
class Sitting:
    """A person's answers to a task, or, where there are `disputes`, decisions on the points on which others differ."""

    project: Project
    task: Task
    annotator: str
    path: str
    disputes: tuple[Difference, ...] = ()
    _drawn: LoadingCache[int, tuple[Chip, ...]] = field(default_factory=lambda: LoadingCache(KEPT_POINTS))

    def __post_init__(self) -> None:
        self._views = GroundViews(self.project)
        self._scales = PATCH if self.task.kind == "detections" else POINT
        self._points = {one.point_id: one for one in self.task.points}

    @property
    def _store(self) -> Store:
        return self.project.lake.store

    def answers(self) -> Answers:
        """What was said so far."""
        return read_answers(self._store, self.path, self.annotator)

    def state(self) -> dict[str, Any]:
        """All that the page begins with; it asks again whenever it comes back into view."""
        said = self.answers()
        whose = handed(self._store, self.task.name)
        return {
            "task": self.task.name,
            "kind": self.task.kind,
            "annotator": self.annotator,
            "years": list(self.task.years),
            "points": [
                {"id": one.point_id, "longitude": one.longitude, "latitude": one.latitude} for one in self.task.points
            ],
            "given": [[one.point_id, one.year, one.answer] for one in said.given if one.point_id in self._points],
            "remarks": [one.model_dump(mode="json") for one in said.remarks],
            "adjudicates": bool(self.disputes),
            "disputes": [
                {"id": one.point_id, "year": one.year, "said": [list(pair) for pair in one.said]}
                for one in self.disputes
            ],
            "scales": {"wide": self._scales.wide, "near": self._scales.near, "patch": self._scales.patch},
            "handed": "" if whose is None else whose.words,
        }

    def give(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Store an answer, or take one back (`undo`); it is on disk once this returns. Raises `BadInputError`."""
        given = self._given(words)
        edit = without_answer if words.get("undo") is True else with_answer
        said = change_answers(self._store, self.path, self.annotator, lambda before: edit(before, given))
        self._passed_on(given.point_id)
        return {"stored": True, "given": len(said.given)}

    def note(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Store how sure the person is of a point, and a note. Raises `BadInputError`."""
        point, sure, text = self._point(words), words.get("confidence", ""), words.get("note", "")
        if sure not in _CONFIDENCE or not isinstance(text, str) or len(text) > LONGEST_NOTE:
            raise BadInputError(
                f"a remark is high, medium, low or nothing, and a note of at most {LONGEST_NOTE} characters; write it "
                "shorter"
            )
        remark = Remark(point_id=point, confidence=sure, note=" ".join(text.split()))
        change_answers(self._store, self.path, self.annotator, lambda before: with_remark(before, remark))
        self._passed_on(point)
        return {"stored": True}

    def pictures(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """What there is to see of a point: for each year the address of its two pictures, or why there is none."""
        number = int(words["number"]) if str(words.get("number", "")).isdecimal() else -1
        return {"years": [_told(number, chip) for chip in self._chips(number)]}

    def picture(self, number: int, year: int, scale: str) -> bytes:
        """A picture of the point of that number as WebP. Raises `NotFoundError` where there is none."""
        found = next((one for one in self._chips(number) if one.year == year), None)
        data = b"" if found is None else {"wide": found.wide, "near": found.near}.get(scale, b"")
        if not data:
            raise NotFoundError(f"there is no such picture of point {number + 1} in {year}; reload the page")
        return data

    def keep(self) -> None:
        """Keep a version of what was written, to be brought back later."""
        names = [self.path, handed_path(self.task.name)]
        keep_versions(self._store, (*names, *([labels_path(self.task.name)] if self.task.kind == "sample" else [])))

    def _chips(self, number: int) -> tuple[Chip, ...]:
        if not 0 <= number < len(self.task.points):
            raise NotFoundError(f"{self.task.name} has no point {number + 1}; reload the page")
        return self._drawn.get(number, lambda: self._draw(self.task.points[number]))

    def _draw(self, place: TaskPoint) -> tuple[Chip, ...]:
        scanned = self.task.kind == "detections"
        with self._store.using():
            views = list(self._views.around(place.longitude, place.latitude, self._scales.wide, scanned=scanned))
        return draw_chips(views, self._scales)

    def _passed_on(self, point_id: str) -> None:
        if not self.disputes:
            claim(self._store, self.task, self.annotator)
        pass_on(self._store, self.task, point_id)

    def _point(self, words: Mapping[str, Any]) -> str:
        point = words.get("point_id")
        if not isinstance(point, str) or point not in self._points:
            raise BadInputError(f"there is no point {point!r} in {self.task.name}; reload the page")
        return point

    def _given(self, words: Mapping[str, Any]) -> Given:
        point, year, answer = self._point(words), words.get("year"), words.get("answer")
        if year not in self.task.years or isinstance(year, bool):
            raise BadInputError(f"{self.task.name} asks nothing of {year!r}; reload the page")
        if answer not in ANSWERS:
            raise BadInputError(f"{answer!r} is no answer; it is one of {', '.join(ANSWERS)}")
        return Given(point_id=point, year=year, answer=answer)


def _told(number: int, chip: Chip) -> dict[str, Any]:
    address = f"chips/{number}/{chip.year}" if chip.wide else ""
    return {"year": chip.year, "address": address, "observed": round(chip.observed, 3), "reason": chip.reason}


def sit(project: Project, task: Task, annotator: str) -> Sitting:
    """A person's own pass over a task, going on where it was left. Raises `BadInputError` for damaged answers."""
    store = project.lake.store
    sitting = Sitting(project, task, annotator, annotator_path(task.name, annotator))
    said = sitting.answers()
    if said.annotator != annotator:
        raise BadInputError(f"{store.root}/{sitting.path} holds the answers of {said.annotator}; give another name")
    sitting.keep()
    return sitting


def adjudicate(project: Project, task: Task, annotator: str) -> Sitting:
    """A pass over the points on which people differ, whose answers decide; the agreed labels are handed over from now.

    Raises `BadInputError` where fewer than two people answered, nobody differs, or another person has begun.
    """
    store = project.lake.store
    answers = all_answers(store, task.name)
    if len(answers) < 2:
        who = answers[0].annotator if answers else "nobody"
        raise BadInputError(
            f"{task.name} was labelled by {who}, and it takes two people to differ; have another one label it with "
            "--annotator NAME"
        )
    found = differences(task, answers)
    if not found:
        raise BadInputError(f"nobody differs on a point of {task.name}, so that there is nothing to decide")
    begun = adjudicated(store, task.name)
    if begun is not None and begun.given and begun.annotator != annotator:
        raise BadInputError(f"{begun.annotator} decides about {task.name}; go on with --annotator {begun.annotator!r}")
    sitting = Sitting(project, part_that_differs(task, found), annotator, adjudication_path(task.name), found)
    sitting.keep()
    if task.kind == "sample":
        choose(store, task, Handed())
    return sitting
