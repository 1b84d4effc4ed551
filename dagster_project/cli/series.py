"""`minemap series`: yearly polygons that were made elsewhere."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import Session, console, note, open_session
from minemap_assets.errors import BadInputError

series_app = typer.Typer(help="Yearly polygons that were made elsewhere.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name for the series: lower-case letters, digits and underscores.")]

RULES, HOLES = ("intersect", "none"), ("all", "small", "none")


@series_app.command()
def add(
    name: Name,
    files: Annotated[list[Path], typer.Argument(help="One vector file with a year column, or one for each year.")],
    licence: Annotated[str, typer.Option(help="Licence of the data; 'unknown' has to be said.")],
    year_column: Annotated[
        str | None, typer.Option(help="Column that holds the year. Default: `year`, or else the year in a file's name.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="The year of every polygon in the file.")] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Column that holds ids. Default: polygon_id, uid or id, where there is one.")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="`intersect` keeps what a neighbouring year confirms; `none` keeps everything.")
    ] = "intersect",
    window: Annotated[int, typer.Option(min=1, max=5, help="Years that are looked at on each side.")] = 1,
    buffer_m: Annotated[
        float, typer.Option(min=0, max=5000, help="Metres by which polygons are widened before they are compared.")
    ] = 0.0,
    holes: Annotated[str, typer.Option(help="Which holes are filled: `all`, `small` or `none`.")] = "all",
    layer: Annotated[str | None, typer.Option(help="Layer of the files.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of files that do not say, such as EPSG:4326.")] = None,
    citation: Annotated[str, typer.Option(help="Whom to cite.")] = "",
    origin: Annotated[str, typer.Option(help="Where the files came from: an address or a DOI.")] = "",
) -> None:
    """Register yearly polygons; `minemap run` confirms, merges and fills them and names their countries.

    The series keeps tables of its own. Registering again replaces all its files.
    """
    from minemap_assets.reference.registered import series_asset
    from minemap_assets.reference.series_files import SeriesColumns, register_series

    session = open_session()
    registration = register_series(
        session.project.lake.store,
        files,
        name=name,
        licence=licence,
        columns=SeriesColumns(year_column, year, id_column, layer, crs),
        rules=_rules(rule, window, buffer_m, holes),
        citation=citation,
        origin=origin,
        reserved=_reserved(session),
    )
    console.print(f"{registration.sentence}.", soft_wrap=True)
    for sentence in registration.notes:
        note(f"{name}: {sentence}")
    facts = registration.entry.series
    assert facts is not None
    console.print(
        f"Its years are {', '.join(map(str, facts.years))}; `minemap run --select +{series_asset(name)}` makes its "
        "tables.",
        soft_wrap=True,
    )


@series_app.command("list")
def list_series(as_json: Json = False) -> None:
    """Show what is registered."""
    from rich.table import Table

    from minemap_assets.reference.registered import series_entries

    entries = series_entries(open_session().project)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(entries)
        return
    if not entries:
        console.print("No series yet; `minemap series add NAME FILES --licence LICENCE` registers one.")
        return
    table = Table("name", "years", "polygons", "rule", "licence", "citation")
    for one in entries:
        assert one.series is not None
        years = one.series.years
        span = f"{years[0]} to {years[-1]} ({len(years)})"
        table.add_row(one.name, span, f"{one.features:,}", one.series.rule, one.licence, one.citation)
    console.print(table)


@series_app.command()
def remove(name: Name) -> None:
    """Take a series out of the catalogue; its files and tables stay."""
    from minemap_assets.reference.registered import series_entries
    from minemap_assets.reference.registration import withdraw

    session = open_session()
    if name not in {one.name for one in series_entries(session.project)}:
        raise BadInputError(f"no series is registered as {name}; `minemap series list` shows those that are")
    withdraw(session.project.lake.store, name)
    console.print(f"{name} is no longer registered; its tables stay where they are, and nothing makes them again.")


def _rules(rule: str, window: int, buffer_m: float, holes: str) -> dict[str, Any]:
    for option, value, known in (("--rule", rule, RULES), ("--holes", holes, HOLES)):
        if value not in known:
            raise BadInputError(f"{option}: {value!r} is not one of {', '.join(known)}")
    return {"rule": rule, "window": window, "buffer_m": buffer_m, "holes": holes}


def _reserved(session: Session) -> frozenset[str]:
    """Names of assets: `--select` could not tell which is meant."""
    from minemap_assets.reference.registered import series_asset, series_entries

    own = {series_asset(one.name) for one in series_entries(session.project)}
    return frozenset(asset.name for asset in session.graph.assets) - own
