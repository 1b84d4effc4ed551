"""`minemap sites`: sites that a person adds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.commands.context import Session, console, counted, note, open_session
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

sites_app = typer.Typer(help="Sites that a person adds.", no_args_is_help=True)


@sites_app.command()
def promote(
    file: Annotated[Path, typer.Argument(help="Any vector file with an outline or box around each mine.")],
    why: Annotated[str, typer.Option("--note", help="Why, and by whom.")] = "",
    layer: Annotated[str | None, typer.Option(help="Layer of the file.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of a file that does not say, such as EPSG:4326.")] = None,
) -> None:
    """Add outlines as sites: they are mapped every year, but do not train the model."""
    from minemap_assets.project.regions import read_polygons
    from minemap_assets.sites.promotion import promote as add_outlines

    session = open_session()
    outlines = read_polygons(file, layer, crs, both_sides=True)
    doubts = _doubts(session, file, outlines)
    added = add_outlines(session.project.lake.store, file, why, layer=layer, crs=crs)
    if not added:
        console.print("Every outline was there already; nothing changes.")
        return
    console.print(
        f"{counted(added, 'new outline')}; the next run makes sites of those that lie in a region and meet no known "
        "mine.",
        soft_wrap=True,
    )
    for sentence in doubts:
        note(sentence)


def _doubts(session: Session, file: Path, outlines: "Sequence[BaseGeometry]") -> list[str]:
    """Which outlines will make no site. Raises `BadInputError` where none lies in a region of the project."""
    import shapely

    from minemap_assets.reference.coverage import meeting_sets, where_from

    regions = session.project.active_regions()
    if not regions or not outlines:
        nowhere = "the project has no region yet; add one around the outlines with `minemap regions add SLUG FILE`"
        return [nowhere] if outlines else []
    united = shapely.union_all([region.geometry for region in regions.values()])
    inside = shapely.intersects(united, outlines)
    if not inside.any():
        raise BadInputError(f"no outline of {file} lies in a region of the project: {where_from(outlines, regions)}")
    doubts = []
    if not inside.all():
        out = [outline for outline, lies in zip(outlines, inside, strict=True) if not lies]
        doubts.append(f"outlines that lie in no region: {len(out):,} of {len(outlines):,}; {where_from(out, regions)}")
    within = [outline for outline, lies in zip(outlines, inside, strict=True) if lies]
    met = int(meeting_sets(session.project, within).sum())
    if met:
        doubts.append(f"outlines on a mine of a registered set, which make no site: {met:,} of {len(outlines):,}")
    return doubts


@sites_app.command("list")
def list_sites() -> None:
    """Count the sites of every region."""
    from minemap_assets.geo.vector import read_geoparquet
    from minemap_assets.sites.assets import SITES

    session = open_session()
    if not session.project.active_regions():
        from dagster_project.commands.advice import say_next_steps

        say_next_steps(session)
    for slug in session.project.active_regions():
        partition = session.project.lake.find(SITES.ref((slug,)))
        if partition is None:
            console.print(f"{slug}: not made yet; `minemap run --select +sites --regions {slug}` makes them")
            continue
        counts = read_geoparquet(partition.file("sites.parquet"))["origin"].value_counts()
        console.print(f"{slug}: " + (", ".join(f"{n} {origin}" for origin, n in counts.items()) or "no sites"))
