"""`minemap archive`: a team's own imagery, as folders of GeoTIFF files."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Column, Table

from dagster_project.cli.context import complain, console, counted, note, open_session, parse_pairs
from minemap_assets.errors import BadInputError
from minemap_assets.project.project import Project

if TYPE_CHECKING:
    from minemap_assets.imagery.files.images import Image
    from minemap_assets.imagery.sources.archive.product_detection import FolderReport

archive_app = typer.Typer(help="Folders of GeoTIFF files that serve as an imagery source.", no_args_is_help=True)

URL_MARK = "://"

_Product = Annotated[
    str | None,
    typer.Option(help="planet-nicfi, sentinel-2-l2a or sentinel-2-l1c. Default: what the files say they are."),
]
_Clouds = Annotated[
    list[str] | None,
    typer.Option(
        help="Cloud masks beside the images, besides SCL, UDM, UDM2 and CLM files, and what in them is cloud: "
        "'*_QA*=1,2', '*_QA*!=0' or '*_CLP*>=0.4'; may be repeated."
    ),
]


@archive_app.command()
def index(
    root: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Folder of GeoTIFF files, or a URL prefix together with --files.")
    ],
    name: Annotated[str | None, typer.Option(help="Short name of the archive. Default: the folder's name.")] = None,
    product: _Product = None,
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
    clouds: _Clouds = None,
    terms: Annotated[str, typer.Option(help="Terms of use of the pixels.")] = "",
    redistributable: Annotated[bool, typer.Option(help="Whether the terms allow passing pixels on.")] = False,
) -> None:
    """Index a folder of images, so that they serve as a source; the images themselves stay where they are.

    Files that cannot be used are named with the reason and left out. Run it again when the folder has changed.
    """
    from minemap_assets.imagery.sources.archive.catalogue import add_archive, check_archive_name
    from minemap_assets.imagery.sources.archive.index import ArchiveRules
    from minemap_assets.imagery.sources.archive.product_detection import index_folder

    project = open_session().project
    place = _place(root)
    called = name or _name_of(place)
    check_archive_name(called)
    rules = ArchiveRules(
        bands=tuple(b.strip() for b in bands.split(",")) if bands else None,
        date=date,
        year=year,
        date_overrides=parse_pairs("--date-of", date_of, "file-or-folder=2016-12-09"),
        scale=scale,
        offset=offset,
        terms=terms,
        redistributable=redistributable,
        clouds=tuple(clouds or ()),
    )
    listed = _listed(files) if files is not None else None
    labels = str(masks.absolute()) if masks is not None else None
    report = index_folder(place, name=called, product=product, rules=rules, pattern=pattern, files=listed, masks=labels)
    _complain_of(report, root)
    word = "Replaced" if add_archive(project.lake.store, called, place, report.features) else "Added"
    console.print(_found(report.images))
    console.print(_bands(report.images), soft_wrap=True)
    counts = f"{counted(len(report.images), 'image')}, {counted(len(report.refused), 'file')} left out"
    console.print(f"{word} archive {called}: {counts}.")
    console.print(_next_step(project, report.images), markup=False, soft_wrap=True)


@archive_app.command("list")
def list_archives() -> None:
    """Show all archives."""
    from minemap_assets.imagery.sources.archive.catalogue import read_archives

    archives = read_archives(open_session().project)
    if not archives:
        console.print("No archive yet; `minemap archive index FOLDER` adds one.")
        return
    table = Table("archive", *(Column(name, no_wrap=True) for name in ("products", "images", "days")), "cloud masks")
    for archive in archives:
        days = f"{min(i.start for i in archive.images)} to\n{max(i.end for i in archive.images)}"
        products = "\n".join(sorted({i.product for i in archive.images}))
        table.add_row(archive.name, products, f"{len(archive.images):,}", days, _masked(archive.images))
    console.print(table)
    for archive in archives:
        console.print(f"{archive.name} lies at {archive.root}", soft_wrap=True)


@archive_app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the archive, as `minemap archive list` shows it.")],
) -> None:
    """Forget an archive; its images stay where they are, and so does what was made from them."""
    from minemap_assets.imagery.sources.archive.catalogue import remove_archive

    remove_archive(open_session().project.lake.store, name)
    console.print(f"Removed archive {name}; its images were not touched.")


def _complain_of(report: "FolderReport", root: str) -> None:
    """Name what was left out, and images whose clouds nothing tells. Raises `BadInputError` without any image."""
    for refusal in report.refused:
        complain(f"{_printable(refusal.path)}: {refusal.reason}", word="left out ", colour="yellow")
    if not report.images:
        raise BadInputError(f"{root} holds no image that can be used; the reason for every file stands above")
    unmasked = sum(not image.clouds for image in report.images)
    if unmasked:
        note(
            f"{counted(unmasked, 'image')} without a cloud mask, so that clouds count as ground; masks are found "
            "beside the images by their names (SCL, UDM, UDM2, CLM) or by --clouds"
        )


def _printable(path: str) -> str:
    """A path in one line that any terminal can show."""
    return path if path.isprintable() else path.encode("unicode_escape", "backslashreplace").decode("ascii")


def _place(root: str) -> str:
    """The folder in full, or the address. Raises `BadInputError` for an address with a secret in it."""
    if URL_MARK not in root:
        return str(Path(root).expanduser().absolute())
    _check_no_secret(root)
    return root


def _check_no_secret(address: str) -> None:
    """Raises `BadInputError` for an address with a password or signature; the message leaves the address out."""
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query:
        raise BadInputError(
            f"the address at {parts.hostname} holds a password or signature, which the index would keep; leave it out, "
            "and put user and password for that server into the file .netrc in your home folder"
        )


def _name_of(place: str) -> str:
    """The folder's name, in the letters that an archive's name may have."""
    last = place.rstrip("/").rpartition("/")[2].lower()
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in last).strip("-")[:60].strip("-")


def _masked(images: "Collection[Image]") -> str:
    """How many images have a cloud mask."""
    masked = sum(bool(image.clouds) for image in images)
    return "none" if not masked else "all" if masked == len(images) else f"{masked:,} of {len(images):,}"


def _found(images: "Iterable[Image]") -> Table:
    """One row for each product: its images, years, days and the area covered."""
    import shapely

    from minemap_assets.geo.vector import geodesic_area_km2

    every = list(images)
    fixed = (Column(name, no_wrap=True) for name in ("product", "images", "days", "area, km²"))
    table = Table(*fixed, "years", "cloud masks")
    for product in sorted({image.product for image in every}):
        some = [image for image in every if image.product == product]
        years = sorted({y for i in some for y in ([i.year] if i.year else range(i.start.year, i.end.year + 1))})
        table.add_row(
            product,
            f"{len(some):,}",
            f"{min(image.start for image in some)} to\n{max(image.end for image in some)}",
            f"{geodesic_area_km2(shapely.union_all([image.geometry for image in some])):,.1f}",
            ", ".join(map(str, years)),
            _masked(some),
        )
    return table


def _bands(images: "Iterable[Image]") -> str:
    """A line for each product: the bands that any of its images has."""
    from minemap_assets.imagery.products import PRODUCTS

    has: dict[str, set[str]] = {}
    for image in images:
        has.setdefault(image.product, set()).update(image.bands)
    lines = (f"{p} has {', '.join(b for b in PRODUCTS[p].bands if b in bands)}." for p, bands in sorted(has.items()))
    return "\n".join(lines)


def _next_step(project: Project, images: "Iterable[Image]") -> str:
    """What has to stand in the settings for the images to serve, or that all of it stands there."""
    from minemap_assets.imagery.config import ImageryConfig
    from minemap_assets.imagery.sources.archive.kind import ARCHIVE

    named = project.section(ImageryConfig).sources
    lacking = [p for p in sorted({image.product for image in images}) if ARCHIVE.name not in named.get(p, ())]
    if not lacking:
        return 'The settings name "archive" as a source already; `minemap run` reads these images.'
    lines = [f"{p} = {json.dumps([*named.get(p, ()), ARCHIVE.name])}" for p in lacking]
    return f"Next: have them read by writing under [imagery.sources] of {project.where}: {'; '.join(lines)}"


def _listed(files: Path) -> list[str]:
    """Relative paths from a text file. Raises `BadInputError`."""
    try:
        listed = [line.strip() for line in files.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--files: {files} cannot be read as text; give a file with one path a line") from error
    if not listed:
        raise BadInputError(f"--files: {files} is empty; write one path a line")
    for line in listed:
        if URL_MARK in line:
            _check_no_secret(line)
    return listed
