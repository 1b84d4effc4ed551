"""What every command starts from: the project, its graph, the instance, and what several commands understand alike.

Whatever takes time to import is imported where it is used, so that help is there at once.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from dagster_project.environment import Environment
    from dagster_project.registry import Registry
    from minemap_assets.graph.graph import Graph, Scope
    from minemap_assets.graph.partition_states import PartitionStates
    from minemap_assets.project.project import Project, ProjectHome

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

PROJECT_RULE = "default"
"""What a season or product is set to, to go back to the project's."""


def complain(sentence: str, *, word: str = "Error: ", colour: str = "red", on: Console = errors) -> None:
    """Say one sentence, on the error stream unless told otherwise; square brackets in it are no markup."""
    on.print(f"[{colour}]{word}[/]{escape(sentence)}", soft_wrap=True)


def note(sentence: str, *, on: Console = errors) -> None:
    """Say what a person should know though nothing failed, on the error stream unless told otherwise."""
    complain(sentence, word="Note: ", colour="yellow", on=on)


@dataclass
class Session:
    """An opened project: one snapshot of it, and what follows from that, each made once for a command."""

    environment: "Environment"
    registry: "Registry"
    home: "ProjectHome"

    @cached_property
    def project(self) -> "Project":
        """The project as it was when the command first looked."""
        return self.home.open()

    @cached_property
    def graph(self) -> "Graph":
        """The project's assets."""
        from minemap_assets.graph.graph import Graph

        return Graph(self.registry.rooms, self.project)

    @cached_property
    def states(self) -> "PartitionStates":
        """Which partitions are current."""
        from minemap_assets.graph.partition_states import PartitionStates

        return PartitionStates(self.graph, self.project)

    def reopened(self) -> "Session":
        """The same project after its inputs were written."""
        return Session(self.environment, self.registry, self.home)

    def pinned(self, project: "Project") -> "Session":
        """The same graph, with everybody at work for it seeing one snapshot of its project."""
        session = Session(self.environment, self.registry, self.home.pinned(project))
        session.graph = self.graph
        return session

    def instance(self) -> "DagsterInstance":
        """The Dagster instance of this machine, with a partition for every region."""
        from dagster_project.instance import open_instance, sync_regions

        instance = open_instance(self.environment.dagster_home)
        sync_regions(instance, self.project)
        return instance

    def scope(self, select: str | None, regions: str | None, years: str | None) -> "Scope":
        """What a command is about. Raises `BadInputError` for an option that is not understood."""
        from dagster_project.selection import parse_selection
        from minemap_assets.graph.graph import Scope

        return Scope(
            parse_selection(select, self.graph), parse_regions(regions, self.project), parse_years(years, self.project)
        )


def open_session(sample: int | None = None) -> Session:
    """The project that the environment names."""
    from dagster_project.environment import read_environment
    from dagster_project.registry import Registry, home_of

    environment, registry = read_environment(), Registry()
    if sample is not None:
        environment = environment.model_copy(update={"sample": sample})
        os.environ["MINEMAP_SAMPLE"] = str(sample)
    home = home_of(environment, registry)
    home.lake.check()
    return Session(environment, registry, home)


def parse_years(text: str | None, project: "Project") -> tuple[int, ...]:
    """Years from `2016-2020,2023`; without text, every closed year. Raises `BadInputError`."""
    from minemap_assets.project.settings import EARLIEST_YEAR

    first, running = project.first_year, datetime.now(UTC).year
    last = min(running, project.last_year or running)
    if text is None:
        return tuple(project.closed_years())
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
        if not first <= year <= last:
            early = f"the project begins in {first} (`first_year` in its settings)"
            early = f"there is no imagery of {year}" if year < EARLIEST_YEAR else early
            late = f"the project ends in {last} (`last_year` in its settings)"
            late = f"{year} has not begun" if year > running else late
            raise BadInputError(f"--years: {late if year > last else early}; years run from {first} to {last}")
    if not years:
        raise BadInputError(f"--years: {text!r} names no year; write 2019 or 2016-2024")
    return tuple(sorted(years))


def parse_regions(text: str | None, project: "Project") -> tuple[str, ...]:
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


def parse_season(text: str | None) -> tuple[int, int] | None:
    """First and last month. Raises `BadInputError`."""
    if text is None or text == PROJECT_RULE:
        return None
    parts = text.replace("\u2013", "-").split("-")
    if len(parts) != 2 or not all(p.isdigit() and 1 <= int(p) <= 12 for p in parts):
        raise BadInputError(f"--season: {text!r} is not two months; write 6-11, or 12-3 across New Year")
    return int(parts[0]), int(parts[1])


def parse_pairs(option: str, texts: Sequence[str] | None, form: str) -> dict[str, str]:
    """Names and values from `name=value`, of an option that may be repeated. Raises `BadInputError`."""
    pairs = [text.split("=", 1) for text in texts or ()]
    for pair in pairs:
        if len(pair) != 2 or not all(pair):
            raise BadInputError(f"{option}: {'='.join(pair)!r} is not understood; write {form}")
    return dict(pairs)


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
