"""`minemap init`: a settings file to begin with, or a whole project of one's own images and mines."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SourceName(StrEnum):
    """Where images may come from at the beginning."""

    archive = "archive"
    stac = "stac"
    planet = "planet"
    earth_engine = "earth-engine"
    simulated = "simulated"


Source = Annotated[
    SourceName | None,
    typer.Option(
        help="Where images come from: open Sentinel-2 catalogues (stac, for a new project unless --images is given), "
        "your own files (archive), Planet's basemaps for those who have access, Earth Engine, or the built-in "
        "simulated world."
    ),
]
Region = Annotated[
    Path | None, typer.Option(help="Vector file of the area to map. Without it the region is drawn around --truth.")
]
Truth = Annotated[
    Path | None, typer.Option(help="Known mines: a vector file of polygons, or a folder of mask rasters.")
]
Licence = Annotated[
    str | None, typer.Option(help="Licence of the known mines, such as 'CC BY 4.0'; 'unknown' has to be said.")
]
Title = Annotated[str | None, typer.Option(help="The region's name for people.")]
Season = Annotated[
    str | None, typer.Option(help="First and last month of the images, such as 6-11; 12-3 runs across New Year.")
]
Images = Annotated[
    list[Path] | None, typer.Option(help="Folder of GeoTIFF, JPEG 2000 or .SAFE files; may be repeated.")
]
Product = Annotated[str | None, typer.Option(help="What the images are, where they do not say: sentinel-2-l1c.")]
Bands = Annotated[str | None, typer.Option(help="Bands of multi-band images in order, such as blue,green,red.")]
Year = Annotated[int | None, typer.Option(help="Year of images that do not say and stand for a whole season.")]
ReferenceYear = Annotated[int | None, typer.Option(help="The year that the known mines describe.")]
Account = Annotated[str | None, typer.Option(help="Cloud project that Earth Engine charges.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="A small model, trained in a minute: to see that everything works.")
]


def init(
    source: Source = None,
    region: Region = None,
    truth: Truth = None,
    licence: Licence = None,
    title: Title = None,
    season: Season = None,
    images: Images = None,
    product: Product = None,
    bands: Bands = None,
    year: Year = None,
    reference_year: ReferenceYear = None,
    account: Account = None,
    quick: Quick = False,
) -> None:
    """Start a project. Without options: a settings file with every default and what it means.

    With --source, --region, --truth and --images: a project that is ready to run. Everything is checked before anything
    is written, and the settings come last: what breaks off is completed by the same command.
    """
    from dagster_project.commands.new_project import Wishes, begin

    begin(
        Wishes(
            source=None if source is None else source.value,
            region=region,
            truth=truth,
            licence=licence,
            title=title,
            season=season,
            images=tuple(images or ()),
            product=product,
            bands=bands,
            year=year,
            reference_year=reference_year,
            account=account,
            quick=quick,
        )
    )
