"""Labels on their way to what is computed from them: area estimates, reference validation, accuracy of detections.

Of a sample, one annotator's labels are handed over as they are given, those of who began; once people adjudicate, the
agreed ones. `inputs/labelling/<task>/handed.json` says whose they are, and `minemap label hand-over` changes it. Labels
that came in a file (`minemap sample add`) stay until somebody says so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import WGS84
from minemap_assets.lake.store import Store, read_if_there
from minemap_assets.project.settings import StrictModel
from minemap_assets.publication.labelling.adjudication import agreed
from minemap_assets.publication.labelling.answer_files import adjudicated, all_answers, exchange, parsed, written
from minemap_assets.publication.labelling.answers import CANNOT_TELL, MINE, Answer, Answers, Key, Remark
from minemap_assets.publication.labelling.tasks import FOLDER, KeptPoint, KeptTask, Task
from minemap_assets.validation.sample_files import Confidence, PointLabel, edited_labels, labels_in, labels_path

_LEAST_SURE_FIRST: tuple[Confidence, ...] = ("low", "medium", "high", "")
_CLASS: dict[Answer, str] = {"mine": "mine", "not mine": "other", "cannot tell": "unsure"}
"""What `minemap scan accuracy` calls an answer."""


class Handed(StrictModel):
    """Whose labels are handed over: those of an annotator, or, without one, the agreed ones."""

    annotator: str = ""

    @property
    def words(self) -> str:
        """For people."""
        return f"the labels of {self.annotator}" if self.annotator else "the agreed labels"


def handed_path(task: str) -> str:
    """Where it stands whose labels are handed over."""
    return f"{FOLDER}/{task}/handed.json"


def handed(store: Store, task: str) -> Handed | None:
    """Whose labels of a sample are handed over; None while that is nobody's from this page."""
    data = read_if_there(store, handed_path(task))
    return None if data is None else parsed(store, handed_path(task), Handed, data)


def claim(store: Store, task: Task, annotator: str) -> Handed | None:
    """Hand over the labels of who begins with a sample; returns whose they are now. None where they came in a file."""
    if task.kind != "sample":
        return None
    labels = labels_in(store.root, task.name, read_if_there(store, labels_path(task.name)))

    def first(data: bytes | None) -> bytes | None:
        return written(Handed(annotator=annotator)) if data is None and not labels else data

    data = exchange(store, handed_path(task.name), first)
    return None if data is None else parsed(store, handed_path(task.name), Handed, data)


def choose(store: Store, task: Task, whose: Handed) -> int:
    """Hand over somebody's labels of a sample in the place of all that were there; returns how many points have one."""
    exchange(store, handed_path(task.name), lambda _: written(whose))
    labels = _labels(store, task, whose)

    def edit(data: bytes | None) -> bytes:
        gone = {one.point_id: None for one in labels_in(store.root, task.name, data)}
        return edited_labels(store.root, task.name, gone | labels, data)

    exchange(store, labels_path(task.name), edit)
    return sum(label is not None for label in labels.values())


def pass_on(store: Store, task: Task, point_id: str) -> None:
    """Bring the label of one point of a sample up to what was answered, where labels are handed over from here."""
    whose = handed(store, task.name) if task.kind == "sample" else None
    if whose is None:
        return

    def edit(data: bytes | None) -> bytes | None:
        label = _labels(store, task, whose)[point_id]
        known = {one.point_id: one for one in labels_in(store.root, task.name, data)}.get(point_id)
        return data if label == known else edited_labels(store.root, task.name, {point_id: label}, data)

    exchange(store, labels_path(task.name), edit)


def _labels(store: Store, task: Task, whose: Handed) -> dict[str, PointLabel | None]:
    """The label of each point; None where there is none."""
    answers = all_answers(store, task.name)
    if whose.annotator:
        own = next((one for one in answers if one.annotator == whose.annotator), Answers(annotator=whose.annotator))
        return {point.point_id: _own_label(task, point.point_id, own) for point in task.points}
    decided = adjudicated(store, task.name)
    held = agreed(answers, decided)
    return {point.point_id: _agreed_label(task, point.point_id, held, answers, decided) for point in task.points}


def _own_label(task: Task, point_id: str, own: Answers) -> PointLabel | None:
    return _label(task, point_id, own.standing, own.annotator, own.remark(point_id))


def _agreed_label(
    task: Task, point_id: str, held: Mapping[Key, Answer], answers: Sequence[Answers], decided: Answers | None
) -> PointLabel | None:
    """Its interpreters are those who answered, and who decided; it is as sure as the least sure of them."""
    said = [one for one in answers if any(key[0] == point_id for key in one.standing)]
    who = ", ".join(one.annotator for one in said)
    if decided is not None and any(key[0] == point_id for key in decided.standing):
        return _label(task, point_id, held, f"{who}; decided by {decided.annotator}", decided.remark(point_id))
    remarks = [one.remark(point_id) for one in said]
    sure = next((level for level in _LEAST_SURE_FIRST if any(one.confidence == level for one in remarks)), "")
    note = "; ".join(one.note for one in remarks if one.note)
    return _label(task, point_id, held, who, Remark(point_id=point_id, confidence=sure, note=note))


def _label(task: Task, point_id: str, standing: Mapping[Key, Answer], who: str, remark: Remark) -> PointLabel | None:
    start, end = (_truth(standing.get((point_id, year))) for year in (task.years[0], task.years[-1]))
    if start is None and end is None:
        return None
    return PointLabel(
        point_id=point_id, start=start, end=end, interpreter=who, confidence=remark.confidence, note=remark.note
    )


def _truth(answer: Answer | None) -> bool | None:
    return None if answer is None or answer == CANNOT_TELL else answer == MINE


def standing_of(store: Store, task: str, whose: Handed) -> Mapping[Key, Answer]:
    """The answers of an annotator, or those that are agreed. Raises `BadInputError` where there are none."""
    answers = all_answers(store, task)
    if not whose.annotator:
        found = agreed(answers, adjudicated(store, task))
    else:
        found = next((one.standing for one in answers if one.annotator == whose.annotator), {})
    if not found:
        names = ", ".join(one.annotator for one in answers) or "nobody yet"
        raise BadInputError(f"there are no answers to hand over of {whose.words}; {task} was labelled by {names}")
    return found


def labelled_points(task: KeptTask, standing: Mapping[Key, Answer], who: str) -> gpd.GeoDataFrame:
    """Validation points: a row for each point and year that could be told, with what says how the point was drawn.

    Raises `BadInputError` where none could be told.
    """
    rows = [
        {"point_id": one.point_id, "year": year, "label": said, **one.facts, "interpreter": who, "number": number}
        for number, one in enumerate(task.points)
        for year in task.years
        if (said := _truth(standing.get((one.point_id, year)))) is not None
    ]
    if not rows:
        raise BadInputError("of no point could it be told whether it is a mine, so that there is no label")
    table = pd.DataFrame(rows)
    chosen = [task.points[number] for number in table.pop("number")]
    table["label"] = table["label"].astype(int)
    places = gpd.points_from_xy([one.longitude for one in chosen], [one.latitude for one in chosen])
    return gpd.GeoDataFrame(table, geometry=places, crs=WGS84)


def labelled_detections(task: KeptTask, standing: Mapping[Key, Answer], path: Path) -> int:
    """Write the sample of detections with its classes, for `minemap scan accuracy`; returns how many have one.

    Raises `BadInputError` where a file of that name is there already.
    """
    if path.exists():
        raise BadInputError(f"{path} exists, and may hold labels; give another name with --to")
    features = [_classified(one, standing.get((one.point_id, task.years[0]))) for one in task.points]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, indent=1) + "\n", encoding="utf-8")
    return sum(bool(one["properties"]["class"]) for one in features)


def _classified(point: KeptPoint, answer: Answer | None) -> dict[str, Any]:
    """The feature of a patch with its class; an empty one where it was not answered."""
    feature: dict[str, Any] = json.loads(str(point.facts["feature"]))
    feature["properties"]["class"] = "" if answer is None else _CLASS[answer]
    return feature
