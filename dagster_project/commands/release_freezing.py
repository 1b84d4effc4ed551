"""What `minemap release freeze` and `minemap release list` do."""

from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table

from dagster_project.commands.context import Session, console, counted
from dagster_project.commands.json_output import print_json
from dagster_project.commands.partition_names import long_name
from dagster_project.commands.releasing import read_review
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.polygons.assets import MINING_POLYGONS, RAW_POLYGONS
from minemap_assets.publication.releases.frozen import Decision, freeze, releases
from minemap_assets.publication.releases.lineage import KEPT, partitions_of
from minemap_assets.publication.releases.published import Published, published_now
from minemap_assets.segmentation.promotion import in_use


def freeze_release(session: Session, reason: str, name: str, by: str | None) -> None:
    """Freeze what is published. Raises `BadInputError` where figures wait for a person, or tables are not current."""
    published = published_now(session.graph, session.states)
    if not published.mapped:
        raise BadInputError("nothing was mapped yet, so there is nothing to freeze; `minemap run` makes the tables")
    _refuse_stale(session, published)
    if read_review(session).waits:
        raise BadInputError(
            "figures wait for a person, so nothing is frozen; look at them with `minemap release review`, and accept "
            "them with `minemap release accept`"
        )
    at = datetime.now(UTC).isoformat("T", "seconds")
    decision = Decision(by or user(), at, reason.strip(), name)
    release = freeze(session.project, published, decision, _card(session, published))
    size = sum(one.bytes for one in release.files)
    _say(
        f"Release {release.label} is frozen: {counted(sum(release.polygons.values()), 'polygon')} of "
        f"{counted(len(release.polygons), 'year')}, {size / 1e6:,.1f} MB in "
        f"{session.project.lake.store.root}/{release.folder}"
    )


def list_releases(session: Session, *, as_json: bool) -> None:
    """Print every release."""
    every = releases(session.project.lake.store)
    if as_json:
        print_json(every)
        return
    if not every:
        _say("Nothing was frozen yet; `minemap release freeze --reason ...` freezes the first release.")
        return
    table = Table(Column("release", no_wrap=True), "frozen (UTC)", "by", "years", "polygons", "model", "reason")
    for one in every:
        years = f"{min(one.polygons)} to {max(one.polygons)}" if one.polygons else "none"
        frozen = one.at.replace("T", " ").removesuffix("+00:00")
        polygons = f"{sum(one.polygons.values()):,}"
        cells = (one.label, frozen, one.by, years, polygons, one.model_verdict, one.reason)
        table.add_row(*(_plain(cell) for cell in cells))
    console.print(table)


def _refuse_stale(session: Session, published: Published) -> None:
    """A release holds what the project says of outlines now, with what was corrected since the tables were made."""
    for asset in (RAW_POLYGONS, MINING_POLYGONS, *KEPT):
        for keys in partitions_of(published.lineage, asset.name):
            state = session.states.state(asset, keys)
            if state in (PartitionState.OUTDATED, PartitionState.DAMAGED):
                raise BadInputError(
                    f"{long_name(asset.ref(keys))} is {state.value}, so nothing is frozen; make it again with "
                    f"`minemap run --select room:polygons,room:tables,release_review`"
                )


def _card(session: Session, published: Published) -> dict[str, Any]:
    decision = in_use(session.project)
    years = {year: published.polygons(year) for year in sorted({year for _, year in published.mapped})}
    return {
        "model_version": decision.version if decision else "",
        "model_verdict": decision.verdict if decision else "",
        "polygons": {year: len(rows) for year, rows in years.items()},
        "km2": {year: round(float(rows["area_km2"].sum()), 6) for year, rows in years.items()},
    }


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _say(sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
