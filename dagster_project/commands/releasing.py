"""What the commands of `minemap release` do: show what changed beyond its bound, and write down that it is accepted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Column, Table

from dagster_project.commands.context import Session, console, counted
from dagster_project.commands.json_output import print_json
from dagster_project.exit_codes import STOPPED
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.lake.partitions import Partition
from minemap_assets.publication.acceptance import Acceptance, accept, accepted
from minemap_assets.publication.figures import YearFigures
from minemap_assets.publication.review_assets import RELEASE_REVIEW, REVIEW_FILE, gate_is_on


@dataclass(frozen=True)
class Review:
    """Figures of every year as they were reviewed, and the findings with their years."""

    figures: dict[int, YearFigures]
    findings: tuple[tuple[int, str, str], ...]
    """Year, kind and sentence of each."""

    gate_on: bool

    @property
    def waits(self) -> bool:
        """Whether nothing is published until a person has accepted it."""
        return self.gate_on and bool(self.findings)


def read_review(session: Session) -> Review:
    """The review of the tables as they are now. Raises `BadInputError` where it was not made since they changed."""
    ref = RELEASE_REVIEW.ref()
    manifest = session.states.manifest(ref)
    # one that failed its check is whole all the same: that is what is to be looked at
    if manifest is None or not session.states.is_made_from_now(RELEASE_REVIEW, (), manifest):
        raise BadInputError(
            f"the tables, or what was accepted, changed since {ref} was made, or it was never made; "
            f"`minemap run --select {RELEASE_REVIEW.name}` makes it"
        )
    text = Partition(session.project.lake.store, manifest).file(REVIEW_FILE).read_text(encoding="utf-8")
    told = json.loads(text)
    figures = {int(year): YearFigures.model_validate(one) for year, one in told["figures"].items()}
    found = tuple((int(one["year"]), str(one["kind"]), str(one["sentence"])) for one in told["findings"])
    return Review(figures, found, gate_is_on(session.project))


def show_review(session: Session, *, as_json: bool) -> int:
    """Print what changed; the exit code says whether figures wait for a person."""
    review = read_review(session)
    decisions = accepted(session.project).decisions
    if as_json:
        print_json({"waits": review.waits, "gate": review.gate_on, "findings": review.findings, "accepted": decisions})
        return STOPPED if review.waits else 0
    if review.findings:
        table = Table(Column("year", no_wrap=True), Column("what", no_wrap=True), "finding")
        for year, kind, sentence in review.findings:
            table.add_row(str(year), kind, sentence.removeprefix(f"{year}: "))
        console.print(table)
    console.print(_closing(review, decisions), markup=False, soft_wrap=True)
    return STOPPED if review.waits else 0


def _closing(review: Review, decisions: Sequence[Acceptance]) -> str:
    last = f" Accepted last by {decisions[-1].by} at {decisions[-1].at}." if decisions else ""
    if not review.findings:
        return f"No figure of {counted(len(review.figures), 'year')} changed beyond its bound.{last}"
    gate = "nothing is published until they are accepted" if review.gate_on else "the gate is off, so nothing waits"
    return f"{counted(len(review.findings), 'finding')}; {gate} (`minemap release accept`).{last}"


def accept_review(session: Session, years: tuple[int, ...], by: str | None, reason: str) -> None:
    """Accept the figures of some years, or of all, as they were reviewed."""
    review = read_review(session)
    unknown = sorted(set(years) - set(review.figures))
    if unknown:
        raise BadInputError(f"there are no figures of {unknown[0]}; the review knows {_span(review.figures)}")
    chosen = {year: one for year, one in review.figures.items() if not years or year in years}
    found = [sentence for year, _, sentence in review.findings if year in chosen]
    decision = accept(session.project.lake.store, chosen, found, by or user(), reason)
    console.print(
        f"{counted(len(chosen), 'year')} accepted by {decision.by}, with {counted(len(found), 'finding')}; the next "
        f"run of {RELEASE_REVIEW.name} opens the gate.",
        markup=False,
        soft_wrap=True,
    )


def _span(figures: dict[int, YearFigures]) -> str:
    return f"{min(figures)} to {max(figures)}" if figures else "none"
