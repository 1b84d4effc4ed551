"""What one person says of the points of a task, in the order in which it was said: the last word can be undone."""

from collections.abc import Mapping
from typing import Literal

from minemap_assets.project.settings import StrictModel
from minemap_assets.validation.sample_files import Confidence

Answer = Literal["mine", "not mine", "cannot tell"]

MINE: Answer = "mine"
NOT_MINE: Answer = "not mine"
CANNOT_TELL: Answer = "cannot tell"

ANSWERS: tuple[Answer, ...] = (MINE, NOT_MINE, CANNOT_TELL)

LONGEST_NOTE = 500
"""Characters of a note."""

Key = tuple[str, int]
"""A point's id and a year."""


class Given(StrictModel):
    """An answer for one point and year."""

    point_id: str
    year: int
    answer: Answer

    @property
    def key(self) -> Key:
        """What it answers."""
        return self.point_id, self.year


class Remark(StrictModel):
    """What a person adds to the answers of a point."""

    point_id: str
    confidence: Confidence = ""
    note: str = ""


class Answers(StrictModel):
    """All that one person said: answers in the order of giving, of which the last one of a point and year counts, and
    remarks by point.
    """

    annotator: str
    given: tuple[Given, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def standing(self) -> dict[Key, Answer]:
        """The answer that counts, by point and year."""
        return {one.key: one.answer for one in self.given}

    def remark(self, point_id: str) -> Remark:
        """What was added to a point; an empty remark where nothing was."""
        return next((one for one in self.remarks if one.point_id == point_id), Remark(point_id=point_id))


def with_answer(answers: Answers, given: Given) -> Answers:
    """With one more answer; the same where it says what stands already, so that sending it twice does no harm."""
    if answers.standing.get(given.key) == given.answer:
        return answers
    return answers.model_copy(update={"given": (*answers.given, given)})


def without_answer(answers: Answers, given: Given) -> Answers:
    """Without the last answer of a point and year, where it is this one; what was said there before counts again."""
    if answers.standing.get(given.key) != given.answer:
        return answers
    last = max(place for place, one in enumerate(answers.given) if one.key == given.key)
    return answers.model_copy(update={"given": answers.given[:last] + answers.given[last + 1 :]})


def with_remark(answers: Answers, remark: Remark) -> Answers:
    """With a remark in the place of the one that the point had; an empty one takes it away."""
    kept = {one.point_id: one for one in answers.remarks} | {remark.point_id: remark}
    said = [kept[point] for point in sorted(kept) if kept[point].confidence or kept[point].note]
    return answers.model_copy(update={"remarks": tuple(said)})


def points_answered(standing: Mapping[Key, Answer], years: tuple[int, ...]) -> set[str]:
    """Points with an answer for each of the years."""
    found: dict[str, set[int]] = {}
    for point, year in standing:
        found.setdefault(point, set()).add(year)
    return {point for point, said in found.items() if said >= set(years)}
