"""What stands before every published figure: what the model is worth, and whether a person accepted the figures."""

from dataclasses import dataclass
from enum import StrEnum

from minemap_assets.errors import MinemapError
from minemap_assets.graph.context import InputContext
from minemap_assets.project.project import Project
from minemap_assets.segmentation.promotion import NONE_IN_USE, in_use, verdict_on
from minemap_assets.segmentation.verdict import Grade


class Release(StrEnum):
    """Whether figures may be cited."""

    FREE = "nothing waits for a person"
    WAITS = "figures wait for a person: do not cite them yet"
    UNKNOWN = "the figures have not been reviewed"


@dataclass(frozen=True)
class Standing:
    """The model in use, its grade, the sentence with the held-out scores behind it, and the state of the review.

    `version` is empty where no model is in use; `grade` then says so.
    """

    version: str
    grade: str
    sentence: str
    promoted_by: str
    promoted_at: str
    release: Release

    @property
    def verdict(self) -> str:
        """Grade and sentence, as they stand before figures."""
        return f"{self.grade}: {self.sentence}" if self.sentence else self.grade


def standing_of(context: InputContext) -> Standing:
    """What is to be said before any figure of the project."""
    release = release_of(context)
    decision = in_use(context.project)
    if decision is None:
        return Standing("", NONE_IN_USE, "", "", "", release)
    grade, sentence = _worth(context.project, decision.version)
    return Standing(decision.version, grade, sentence, decision.by, decision.at, release)


def release_of(context: InputContext) -> Release:
    """Whether any figure waits for a person to accept it."""
    from minemap_assets.publication.review_assets import RELEASE_REVIEW

    if context.inputs_of(RELEASE_REVIEW):
        return Release.FREE
    return Release.WAITS if waits_for_a_person(context.project) else Release.UNKNOWN


def waits_for_a_person(project: Project) -> bool:
    """Whether the review of the figures failed its check: it is then no input, and is read where it lies."""
    from minemap_assets.publication.review_assets import RELEASE_REVIEW

    manifest = project.lake.read_manifest(RELEASE_REVIEW.ref())
    return manifest is not None and bool(manifest.rejected)


def _worth(project: Project, version: str) -> tuple[str, str]:
    try:
        verdict = verdict_on(project, version)
    except MinemapError as error:
        return str(Grade.UNKNOWN), str(error)
    return str(verdict.grade), verdict.sentence
