"""`minemap export`: the dataset as a folder of files that people open and cite."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session, parse_regions, parse_years

To = Annotated[Path, typer.Option("--to", help="The folder to write; an earlier export there is replaced.")]
Formats = Annotated[
    str | None,
    typer.Option("--formats", help="Only some of gpkg, parquet, pmtiles, csv, xlsx, such as gpkg,csv. Default: all."),
]
Regions = Annotated[str | None, typer.Option(help="Only these regions, such as north,south. Default: every region.")]
Years = Annotated[str | None, typer.Option(help="Only these years, such as 2019 or 2016-2024,2026. Default: all.")]
WithImagery = Annotated[
    bool, typer.Option("--with-imagery", help="The composites too. Refused where the terms of some forbid it.")
]
WithMasks = Annotated[bool, typer.Option("--with-masks", help="The masks too: the model's probability of each pixel.")]
Restricted = Annotated[
    bool,
    typer.Option(
        "--include-restricted",
        help="With --with-imagery, also composites that may not be passed on, for whoever has the right to hold them. "
        "Each file says so.",
    ),
]


def export(
    to: To = Path("minemap-dataset"),
    formats: Formats = None,
    regions: Regions = None,
    years: Years = None,
    with_imagery: WithImagery = False,
    with_masks: WithMasks = False,
    include_restricted: Restricted = False,
    as_json: Json = False,
) -> int:
    """Write the dataset: GeoPackage, GeoParquet, CSV, XLSX and STAC, with dictionary, licence, citation and checksums.

    What is current is copied, the rest is made from the tables as they are. With --years or --regions it is a part, in
    which all files tell of the same years and regions. The exit code is 3 where figures wait for a person (`minemap
    release review`); then nothing is written.
    """
    from dagster_project.commands.exporting import Order, export_dataset, parse_formats
    from minemap_assets.publication.dataset.pixels import Wanted

    wanted = Wanted(with_imagery, with_masks, include_restricted)
    session = open_session()
    order = Order(
        to.expanduser().absolute(),
        parse_formats(formats),
        wanted,
        as_json,
        None if years is None else parse_years(years, session.project),
        None if regions is None else parse_regions(regions, session.project),
    )
    return export_dataset(session, order)
