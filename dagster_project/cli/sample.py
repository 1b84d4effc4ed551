"""`minemap sample`: points to label, drawn from the project's own maps, for areas with intervals."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json, Regions

sample_app = typer.Typer(help="Points to label, for areas with intervals.", no_args_is_help=True)


@sample_app.command()
def draw(
    year: Annotated[int, typer.Option(help="The year, or the first one of a change.")],
    size: Annotated[int, typer.Option(min=1, help="How many points.")],
    to: Annotated[int | None, typer.Option(help="The last year of a change. Default: one year alone.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same maps and seed give the same points.")] = 0,
    regions: Regions = None,
    minimum: Annotated[int, typer.Option(min=2, help="Least number of points in each stratum.")] = 10,
    allocation: Annotated[
        str, typer.Option(help="`neyman` by area and expected spread, or `proportional` by area alone.")
    ] = "neyman",
    near: Annotated[float, typer.Option(min=0.0, max=1_000.0, help="Metres from an outline that are near it.")] = 20.0,
    out: Annotated[Path | None, typer.Option(help="A .csv or .geojson file. Default: sample-NAME.csv.")] = None,
) -> None:
    """Draw points in strata of the maps of one year or two, write them down, and register how they were drawn."""
    from dagster_project.commands import area_samples

    area_samples.draw_sample(
        area_samples.Asked(year, to or year, size, seed, minimum, allocation, near), regions=regions, out=out
    )


@sample_app.command()
def add(file: Annotated[Path, typer.Argument(help="The file that `minemap sample draw` wrote, with labels.")]) -> None:
    """Register labels; those of the same points that were there give way."""
    from dagster_project.commands import area_samples

    area_samples.add_labels(file)


@sample_app.command("list")
def list_samples(as_json: Json = False) -> None:
    """Show the samples, and how many of their points are labelled."""
    from dagster_project.commands import area_samples

    area_samples.list_samples(as_json=as_json)
