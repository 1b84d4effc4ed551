"""`minemap sites`: sites that a person adds."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.advice import say_next_steps
from dagster_project.cli.context import console, counted, open_session

sites_app = typer.Typer(help="Sites that a person adds.", no_args_is_help=True)


@sites_app.command()
def promote(
    file: Annotated[Path, typer.Argument(help="Any vector file with an outline or box around each mine.")],
    note: Annotated[str, typer.Option(help="Why, and by whom.")] = "",
    layer: Annotated[str | None, typer.Option(help="Layer of the file.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of a file that does not say, such as EPSG:4326.")] = None,
) -> None:
    """Add outlines as sites: they are mapped every year, but do not train the model."""
    from minemap_assets.sites.promotion import promote as add_outlines

    session = open_session()
    added = add_outlines(session.project.lake.store, file, note, layer=layer, crs=crs)
    if not added:
        console.print("Every outline was there already; nothing changes.")
        return
    console.print(
        f"{counted(added, 'new outline')}; the next run makes sites of those that lie in a region and "
        "meet no known mine."
    )


@sites_app.command("list")
def list_sites() -> None:
    """Count the sites of every region."""
    from minemap_assets.geo.vector import read_geoparquet
    from minemap_assets.sites.assets import SITES

    session = open_session()
    if not session.project.active_regions():
        say_next_steps(session)
    for slug in session.project.active_regions():
        partition = session.project.lake.find(SITES.ref((slug,)))
        if partition is None:
            console.print(f"{slug}: not made yet; `minemap run --select +sites --regions {slug}` makes them")
            continue
        counts = read_geoparquet(partition.file("sites.parquet"))["origin"].value_counts()
        console.print(f"{slug}: " + (", ".join(f"{n} {origin}" for origin, n in counts.items()) or "no sites"))
