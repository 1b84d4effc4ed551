"""`minemap archive`: a team's own imagery, as folders of GeoTIFF files.

What belongs here: options and what a person is told. What does not: indexing (`imagery/sources/archive_index.py`).
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.cli.context import complain, console, counted, open_session
from minemap_assets.errors import BadInputError

archive_app = typer.Typer(help="Folders of GeoTIFF files that serve as an imagery source.", no_args_is_help=True)

URL_MARK = "://"


@archive_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Short name of the archive.")],
    root: Annotated[str, typer.Argument(help="Folder of GeoTIFF files, or a URL prefix together with --files.")],
    product: Annotated[str, typer.Option(help="planet-nicfi, sentinel-2-l2a or sentinel-2-l1c.")],
    bands: Annotated[
        str | None, typer.Option(help="Bands of multi-band files in order, such as blue,green,red.")
    ] = None,
    date: Annotated[str | None, typer.Option(help="Date of every image, where file names do not say.")] = None,
    year: Annotated[int | None, typer.Option(help="Year of mosaics that stand for a whole season.")] = None,
    date_of: Annotated[
        list[str] | None, typer.Option(help="Date of some files, such as imgs_1=2016-12-09; may be repeated.")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="What turns stored numbers into reflectance.")] = None,
    offset: Annotated[float | None, typer.Option(help="Added to reflectance after scaling.")] = None,
    pattern: Annotated[str, typer.Option(help="Which files are images.")] = "**/*.tif",
    files: Annotated[Path | None, typer.Option(help="Text file with one relative path a line.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of label rasters the images must match.")] = None,
    terms: Annotated[str, typer.Option(help="Terms of use of the pixels.")] = "",
    redistributable: Annotated[bool, typer.Option(help="Whether the terms allow passing pixels on.")] = False,
) -> None:
    """Index a folder of images; files that cannot be used are named and left out."""
    from minemap_assets.imagery.sources.archive_catalogue import add_archive, check_archive_name
    from minemap_assets.imagery.sources.archive_index import ArchiveRules, index_archive

    session = open_session()
    place = root if URL_MARK in root else str(Path(root).expanduser().absolute())
    rules = ArchiveRules(
        bands=tuple(b.strip() for b in bands.split(",")) if bands else None,
        date=date,
        year=year,
        date_overrides=_dates(date_of or []),
        scale=scale,
        offset=offset,
        terms=terms,
        redistributable=redistributable,
    )
    check_archive_name(name)
    listed = _listed(files) if files is not None else None
    report = index_archive(
        place,
        name=name,
        product=product,
        rules=rules,
        pattern=pattern,
        files=listed,
        masks=str(masks.absolute()) if masks is not None else None,
    )
    for refusal in report.refused:
        complain(f"{refusal.path}: {refusal.reason}", word="left out ", colour="yellow")
    if report.images == 0:
        raise BadInputError(f"{root} holds no image that can be used; the reason for every file stands above")
    replaced = add_archive(session.project.lake.store, name, place, report.features)
    console.print(
        f"{'Replaced' if replaced else 'Added'} archive {name}: {counted(report.images, 'image')} of "
        f"{product}, {counted(len(report.refused), 'file')} left out."
    )


@archive_app.command("list")
def list_archives() -> None:
    """Show all archives."""
    from minemap_assets.imagery.sources.archive_catalogue import read_archives

    session = open_session()
    archives = read_archives(session.project.lake.store)
    if not archives:
        console.print("No archive yet; `minemap archive add NAME FOLDER --product PRODUCT` adds one.")
        return
    table = Table("archive", "images", "products", "from", "until", "place")
    for archive in archives:
        days = sorted(i.start for i in archive.images), sorted(i.end for i in archive.images)
        products = ", ".join(sorted({i.product for i in archive.images}))
        table.add_row(archive.name, str(len(archive.images)), products, str(days[0][0]), str(days[1][-1]), archive.root)
    console.print(table)


def _listed(files: Path) -> list[str]:
    """Relative paths from a text file. Raises `BadInputError`."""
    try:
        listed = [line.strip() for line in files.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--files: {files} cannot be read as text; give a file with one path a line") from error
    if not listed:
        raise BadInputError(f"--files: {files} is empty; write one path a line")
    return listed


def _dates(texts: list[str]) -> dict[str, str] | None:
    pairs = [text.split("=", 1) for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2 or not all(pair):
            raise BadInputError(f"--date-of: {text!r} is not understood; write file-or-folder=2016-12-09")
    return dict(pairs) or None
