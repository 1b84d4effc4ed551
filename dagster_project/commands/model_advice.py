"""What `minemap advise` finds, and how it is printed; `--json` prints what is found."""

from dataclasses import dataclass

from rich.table import Table

from dagster_project.commands.context import Session, console
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.segmentation.advice import Advice, advise, read_scores
from minemap_assets.segmentation.unsure_sites import UnsureSite, unsure_sites
from minemap_assets.segmentation.verdict import Grade

SITES = 8
"""Sites that are named at most."""


@dataclass(frozen=True)
class ModelAdvice:
    """The verdict on the model that was evaluated last, what to do next, and the sites it is least sure of."""

    model_version: str
    grade: Grade
    sentence: str
    advice: tuple[Advice, ...]
    unsure: tuple[UnsureSite, ...]


def find_advice(session: Session) -> ModelAdvice:
    """Raises `BadInputError` where no model was evaluated, `DamagedError` where a file is not what was published."""
    project = session.project
    scores = read_scores(project)
    verdict = scores.verdict
    return ModelAdvice(
        verdict.model_version,
        verdict.grade,
        verdict.sentence,
        tuple(advise(scores, project.section(ChipsConfig).test_share)),
        tuple(unsure_sites(project, SITES)),
    )


def show_advice(found: ModelAdvice) -> None:
    """Print it."""
    _say(f"Quality of the model: {found.grade}; {found.sentence}.")
    for one in found.advice:
        _say(f"{one.about.value[:1].upper()}{one.about.value[1:]}: {one.sentence}.")
    if found.unsure:
        _say("Where the model is least sure, of sites without labels (outlines there help most):")
        table = Table("site", "region", "year", "longitude", "latitude", "mean p (1 - p)")
        for site in found.unsure:
            table.add_row(
                site.site_id,
                site.region,
                site.year,
                f"{site.longitude:.4f}",
                f"{site.latitude:.4f}",
                f"{site.doubt:.3f}",
            )
        console.print(table)


def _say(sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
