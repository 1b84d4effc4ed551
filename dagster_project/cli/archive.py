"""`minemap archive`: a team's own imagery, as folders of GeoTIFF files."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import console, open_session, parse_pairs
from minemap_assets.errors import BadInputError

archive_app = typer.Typer(help="Folders of GeoTIFF files that serve as an imagery source.", no_args_is_help=True)

URL_MARK = "://"

_Product = Annotated[
    str | None,
    typer.Option(help="planet-nicfi, sentinel-2-l2a or sentinel-2-l1c. Default: what the files say they are."),
]
_Bands = Annotated[
    str | None,
    typer.Option(help="Bands of multi-band files in order, such as blue,green,red; - is one that is not to be used."),
]
_Clouds = Annotated[
    list[str] | None,
    typer.Option(
        help="Cloud masks beside the images, besides SCL, UDM, UDM2 and CLM files, and what in them is cloud: "
        "'*_QA*=1,2', '*_QA*!=0' or '*_CLP*>=0.4'; may be repeated."
    ),
]
_Use = Annotated[
    bool | None,
    typer.Option(
        "--use/--no-use",
        help="Write what a run needs to read these images into the settings, or only say it. Default: ask, where "
        "somebody is there to answer.",
    ),
]


@archive_app.command()
def index(
    root: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Folder of GeoTIFF files, or a URL prefix together with --files.")
    ],
    name: Annotated[str | None, typer.Option(help="Short name of the archive. Default: the folder's name.")] = None,
    product: _Product = None,
    bands: _Bands = None,
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
    use: _Use = None,
) -> None:
    """Index a folder of images, so that they serve as a source; the images themselves stay where they are.

    Files that cannot be used are named with the reason and left out. Run it again when the folder has changed.
    """
    from dagster_project.commands.archive_report import add_folder
    from minemap_assets.imagery.sources.archive.index import ArchiveRules

    place = _place(root)
    if product is not None:
        _check_product(product)
    dates = parse_pairs("--date-of", date_of, "file-or-folder=2016-12-09")
    if len(dates) < len(date_of or ()):
        raise BadInputError("--date-of: a file or folder is named twice; give each one date, or first/last")
    rules = ArchiveRules(
        bands=None if bands is None else _band_names(bands),
        date=date,
        year=year,
        date_overrides=dates,
        scale=scale,
        offset=offset,
        terms=terms,
        redistributable=redistributable,
        clouds=tuple(clouds or ()),
    )
    add_folder(
        open_session(),
        place,
        name=name,
        product=product,
        rules=rules,
        pattern=pattern,
        files=_listed(files) if files is not None else None,
        masks=str(masks.absolute()) if masks is not None else None,
        use=use,
    )


@archive_app.command("list")
def list_archives(as_json: Json = False) -> None:
    """Show all archives."""
    from dagster_project.commands.archive_report import archive_facts, archives_table
    from minemap_assets.imagery.sources.archive.catalogue import read_archives

    archives = read_archives(open_session().project)
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json([archive_facts(archive) for archive in archives])
        return
    if not archives:
        console.print("No archive yet; `minemap archive index FOLDER` adds one.")
        return
    console.print(archives_table(archives))
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


def _check_product(name: str) -> None:
    """Raises `BadInputError` for a product that there is not."""
    from minemap_assets.imagery.products import PRODUCTS
    from minemap_assets.messages import suggestion

    if name not in PRODUCTS:
        meant = suggestion(name, PRODUCTS)
        raise BadInputError(f"--product: unknown product {name!r}{meant}; the products are {', '.join(PRODUCTS)}")


def _band_names(text: str) -> tuple[str, ...]:
    """Common names of bands from `blue,green` or `B02,B03`. Raises `BadInputError` for a name that is missing."""
    from minemap_assets.imagery.files.scene_names import common_band

    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise BadInputError(f"--bands: {text!r} leaves a name out; write - for a band that is not to be used")
    return tuple(common_band(name) or name for name in names)


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
