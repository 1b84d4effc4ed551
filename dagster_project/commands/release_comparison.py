"""What `minemap release compare` does: show which ground changed between two releases, and what that comes from."""

import pandas as pd
from rich.table import Column, Table

from dagster_project.commands.context import Session, console, counted
from dagster_project.commands.json_output import print_json
from minemap_assets.errors import BadInputError
from minemap_assets.project.project import Project
from minemap_assets.publication.releases.comparison import GAINED, LOST, Comparison, compare
from minemap_assets.publication.releases.frozen import NOW, find, opened
from minemap_assets.publication.releases.published import Published, published_now

ROWS = 40


def compare_releases(session: Session, before: str, after: str, *, as_json: bool) -> None:
    """Print what changed from one release to another. Raises `BadInputError` where they are the same, or unknown."""
    found = compare(*_states(session, before, after))
    if as_json:
        print_json(_told(found))
        return
    _say(
        f"From {_named(found.before)} to {_named(found.after)}: {found.km2[0]:,.3f} km2 mapped then, "
        f"{found.km2[1]:,.3f} now, added up over the regions and years that both have."
    )
    if found.changes.empty:
        _say("No ground changed.")
    else:
        _table(found.sums("cause"), ("cause",))
        _table(found.sums("region", "year", "cause"), ("region", "year", "cause"))
    for label, only in ((found.before, found.only_before), (found.after, found.only_after)):
        if only:
            listed = ", ".join(f"{region} {year}" for region, year in only[:ROWS])
            more = f" and {len(only) - ROWS} more" if len(only) > ROWS else ""
            _say(f"Only in {_named(label)}, and not compared: {listed}{more}.")


def _states(session: Session, before: str, after: str) -> tuple[Published, Published]:
    project = session.project
    chosen = [None if name == NOW else find(project.lake.store, name) for name in (before, after)]
    if chosen[0] == chosen[1]:
        raise BadInputError(f"{before} and {after} are the same; name two releases, or one and `{NOW}`")
    first, second = (_now(session, project) if one is None else opened(project, one) for one in chosen)
    return first, second


def _now(session: Session, project: Project) -> Published:
    found = published_now(session.graph, session.states)
    if not found.mapped:
        raise BadInputError(f"nothing is mapped in {project.lake.store.root}; `minemap run` makes the tables")
    return found


def _told(found: Comparison) -> dict[str, object]:
    """The comparison as objects and lists."""
    only = {"before": found.only_before, "after": found.only_after}
    return {
        "before": found.before,
        "after": found.after,
        "km2": {"before": found.km2[0], "after": found.km2[1]},
        "by_cause": _rows(found.sums("cause")),
        "by_region_and_year": _rows(found.sums("region", "year", "cause")),
        "changes": _rows(found.changes),
        "only_in": {name: [{"region": region, "year": year} for region, year in some] for name, some in only.items()},
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _table(sums: pd.DataFrame, names: tuple[str, ...]) -> None:
    table = Table(*(Column(name, no_wrap=True) for name in names), "gained km2", "lost km2")
    for row in sums.head(ROWS).to_dict("records"):
        table.add_row(*(str(row[name]) for name in names), f"{row[GAINED]:,.4f}", f"{row[LOST]:,.4f}")
    console.print(table)
    if len(sums) > ROWS:
        _say(f"{counted(len(sums) - ROWS, 'more row')}; --json names them all.")


def _named(label: str) -> str:
    return label if label == NOW else f"release {label}"


def _say(sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
