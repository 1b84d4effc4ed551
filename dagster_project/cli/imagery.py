"""`minemap imagery`: looking at composites."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Years
from dagster_project.commands.context import Session, console, open_session, parse_years
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.imagery.strip import Pixels

imagery_app = typer.Typer(help="Looking at composites.", no_args_is_help=True)

MOST_SITES = 12


@imagery_app.command()
def strip(
    region: Annotated[str, typer.Option(help="Slug of the region.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    site: Annotated[list[str] | None, typer.Option(help="Site id; may be repeated. Default: the first 12.")] = None,
    years: Years = None,
    side: Annotated[int, typer.Option(min=32, max=2048, help="Pixels on a side of each picture.")] = 256,
) -> None:
    """Write a picture strip: a row for each site, a column for each year that has imagery."""
    from minemap_assets.geo.raster import png_bytes
    from minemap_assets.imagery.strip import strip as arrange

    session = open_session()
    session.project.region(region)
    pictures = _pictures(session, region, parse_years(years, session.project), site)
    shown = sorted({year for by_year in pictures.values() for year in by_year})
    if not shown:
        raise BadInputError(
            f"region {region} has no imagery yet; `minemap run --select +imagery/imagery --regions {region}` makes it"
        )
    try:
        out.write_bytes(png_bytes(arrange(pictures, shown, side)))
    except OSError as error:
        raise BadInputError(f"--out: {out} cannot be written ({error.strerror}); name another file") from error
    console.print(f"{out}: {len(pictures)} sites of {region}, {shown[0]} to {shown[-1]}.", soft_wrap=True)


def _pictures(
    session: Session, region: str, years: tuple[int, ...], sites: list[str] | None
) -> "dict[str, dict[int, Pixels]]":
    """Red, green and blue, or whatever bands a picture shows, by site and year."""
    from minemap_assets.imagery.assets import COMPOSITES
    from minemap_assets.imagery.preview import channels
    from minemap_assets.imagery.reader import open_imagery

    opened = {}
    for year in years:
        partition = session.project.lake.find(COMPOSITES.ref((region, str(year))))
        if partition is not None:
            opened[year] = open_imagery(partition)
    known = sorted({s for images in opened.values() for s in images.site_ids})
    unknown = [s for s in sites or () if s not in known]
    if unknown and known:
        raise BadInputError(f"--site: {unknown[0]} has no imagery in {region}; it has {', '.join(known[:MOST_SITES])}")
    pictures: dict[str, dict[int, Pixels]] = {}
    for one in sites or known[:MOST_SITES]:
        for year, images in opened.items():
            if one in images:
                image = images.read(one)
                pictures.setdefault(one, {})[year] = image.pixels[channels(image.bands)]
    return pictures
