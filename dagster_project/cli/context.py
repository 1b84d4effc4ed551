"""What every command starts from.

What belongs here: opening the project, the definitions and the instance. What does not: any one command.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterInstance
from rich.console import Console
from rich.markup import escape

from dagster_project.environment import Environment, read_environment
from minemap_assets.errors import BadInputError
from minemap_assets.project.project import FIRST_YEAR, Project

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def complain(sentence: str, *, word: str = "Error: ", colour: str = "red") -> None:
    """Say one sentence on the error stream; square brackets in it are no markup."""
    errors.print(f"[{colour}]{word}[/]{escape(sentence)}", soft_wrap=True)


def note(sentence: str) -> None:
    """Say on the error stream what a person should know though nothing failed."""
    complain(sentence, word="Note: ", colour="yellow")


@dataclass(frozen=True)
class Session:
    """An opened project."""

    environment: Environment
    project: Project

    def definitions(self) -> dg.Definitions:
        """The code location, assembled for this project."""
        from dagster_project.definitions import build_definitions

        return build_definitions(self.environment, self.project)

    def instance(self) -> DagsterInstance:
        """The Dagster instance of this machine, with a partition for every region."""
        from dagster_project.instance import open_instance, sync_regions

        instance = open_instance(self.environment.dagster_home)
        sync_regions(instance, self.project)
        return instance


def open_session(sample: int | None = None) -> Session:
    """The project that the environment names."""
    from dagster_project.resources import project_from

    environment = read_environment()
    if sample is not None:
        environment = environment.model_copy(update={"sample": sample})
        os.environ["MINEMAP_SAMPLE"] = str(sample)
    project = project_from(environment)
    project.lake.check()
    return Session(environment, project)


def parse_years(text: str | None) -> tuple[int, ...]:
    """Years from `2016-2020,2023`; without text, every closed year. Raises `BadInputError`."""
    current = datetime.now(UTC).year
    if text is None:
        return tuple(range(FIRST_YEAR, current))
    years: set[int] = set()
    parts = [part.strip() for part in text.replace("\u2013", "-").split(",") if part.strip()]
    for part in parts:
        ends = [end.strip() for end in part.split("-")]
        if not all(e.isdigit() and len(e) == 4 for e in ends) or len(ends) > 2:
            raise BadInputError(f"--years: {part!r} is not a year or a range; write 2019 or 2016-2024")
        if int(ends[0]) > int(ends[-1]):
            raise BadInputError(f"--years: {part!r} runs backwards; write the earlier year first, as in 2016-2024")
        years |= set(range(int(ends[0]), int(ends[-1]) + 1))
    for year in sorted(years):
        if not FIRST_YEAR <= year <= current:
            why = f"there is no imagery of {year}" if year < FIRST_YEAR else f"{year} has not begun"
            raise BadInputError(f"--years: {why}; years run from {FIRST_YEAR} to {current}")
    if not years:
        raise BadInputError(f"--years: {text!r} names no year; write 2019 or 2016-2024")
    return tuple(sorted(years))


def parse_regions(text: str | None, project: Project) -> tuple[str, ...]:
    """Slugs from a comma-separated list; without text, every active region. Raises `BadInputError`."""
    active = project.active_regions()
    if text is None:
        if not active:
            raise BadInputError(
                f"the project at {project.lake.store.root} has no region yet; add one with "
                "`minemap regions add SLUG FILE`, or choose another project with MINEMAP_HOME"
            )
        return tuple(active)
    slugs = tuple(sorted({part.strip() for part in text.split(",") if part.strip()}))
    if not slugs:
        raise BadInputError(
            f"--regions: {text!r} names no region; write slugs such as {', '.join(active) or 'my-area'}"
        )
    for slug in slugs:
        if project.region(slug).retired:
            raise BadInputError(f"region {slug!r} is retired; bring it back with `minemap regions restore {slug}`")
    return slugs


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
