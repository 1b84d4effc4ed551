"""`minemap reference`: polygon sets, boundaries and validation points from local files."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import Session, complain, console, note, open_session, parse_pairs
from minemap_assets.errors import BadInputError

if TYPE_CHECKING:
    from minemap_assets.reference.catalogue import Kind, Role
    from minemap_assets.reference.registration import Registration

reference_app = typer.Typer(help="Polygon sets, country boundaries and validation points.", no_args_is_help=True)

FIXED_KINDS: dict[str, "Kind"] = {"country_boundaries": "boundaries", "validation_points": "points"}
"""Names that say what they are; every other name is a polygon set."""

Name = Annotated[str, typer.Argument(help="`country_boundaries`, `validation_points`, or a name for a polygon set.")]
Licence = Annotated[str, typer.Option(help="Licence of the data, such as 'CC BY-SA 4.0'; 'unknown' has to be said.")]
Citation = Annotated[str, typer.Option(help="Whom to cite.")]
Origin = Annotated[str, typer.Option(help="Where the file came from: an address or a DOI.")]
ReferenceYear = Annotated[int | None, typer.Option(help="The year the set describes.")]
RoleOption = Annotated[
    str | None, typer.Option(help="`labels` trains the model and locates sites; `outlines` only locates sites.")
]


@reference_app.command()
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Any vector file.")],
    licence: Licence,
    role: RoleOption = None,
    citation: Citation = "",
    origin: Origin = "",
    reference_year: ReferenceYear = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the file.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of a file that does not say, such as EPSG:4326.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A column's name in the file, such as iso3=ADM0_A3; may be repeated.")
    ] = None,
) -> None:
    """Register a file: it is checked, copied into the lake, and described with checksum and licence."""
    from minemap_assets.reference.registration import register

    session = open_session()
    registration = register(
        session.project.lake.store,
        file,
        name=name,
        kind=FIXED_KINDS.get(name, "polygons"),
        licence=licence,
        role=_role(role),
        citation=citation,
        origin=origin,
        reference_year=reference_year,
        layer=layer,
        crs=crs,
        columns=parse_pairs("--column", column, "ours=theirs, such as iso3=ADM0_A3"),
        reserved=_reserved(session),
    )
    say_registration(session, registration)


@reference_app.command("add-masks")
def add_masks(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="Folder of mask rasters.")],
    licence: Licence,
    pattern: Annotated[str, typer.Option(help="Which files are masks.")] = "mask_*.tif",
    images: Annotated[Path | None, typer.Option(help="Folder of the images the masks belong to.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV that gives each mask's group, kept in one split.")] = None,
    group_key: Annotated[str, typer.Option(help="Column with the number in the mask's file name.")] = "i",
    group_column: Annotated[str, typer.Option(help="Column with the group.")] = "g",
    value: Annotated[int, typer.Option(help="Pixel value that means mine.")] = 1,
    citation: Citation = "",
    origin: Origin = "",
    reference_year: ReferenceYear = None,
) -> None:
    """Register raster masks as a polygon set: outlines of the pixels that are mine."""
    from minemap_assets.geo.vector import write_geoparquet
    from minemap_assets.reference.labelled_masks import polygons_from_masks
    from minemap_assets.reference.registration import register

    session = open_session()
    outlined = polygons_from_masks(
        folder,
        pattern,
        groups=groups,
        group_key=group_key,
        group_column=group_column,
        value=value,
        images=images,
    )
    for refused in outlined.refused:
        complain(f"{refused.item}: {refused.reason}", word="left out ", colour="yellow")
    if outlined.frame.empty:
        raise BadInputError(
            f"no mask in {folder} has a pixel of value {value}; say which value means mine with --value, and which "
            "files are masks with --pattern"
        )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.parquet"
        write_geoparquet(outlined.frame, path)
        registration = register(
            session.project.lake.store,
            path,
            name=name,
            kind="polygons",
            licence=licence,
            role="labels",
            citation=citation,
            origin=origin or str(folder),
            reference_year=reference_year,
            columns={"id": "polygon_id", "group": "group"},
            reserved=_reserved(session),
        )
    say_registration(session, registration)


@reference_app.command("list")
def list_entries(as_json: Json = False) -> None:
    """Show what is registered."""
    from rich.table import Table

    from minemap_assets.reference.registered import catalogue, polygon_sets

    session = open_session()
    entries = catalogue(session.project).entries
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json(entries)
        return
    if not entries:
        console.print("No reference file yet; `minemap reference add NAME FILE --licence LICENCE` registers one.")
        return
    table = Table("name", "kind", "role", "features", "year", "licence", "checksum", "citation")
    names = {e.name for e in entries}
    for e in entries:
        year = str(e.reference_year or "")
        role = e.role if e.kind == "polygons" else ""
        table.add_row(e.name, e.kind, role, f"{e.features:,}", year, e.licence, e.sha256[:12], e.citation)
    console.print(table)
    missing = [n for n in (*polygon_sets(session.project), "country_boundaries") if n not in names]
    if missing:
        console.print(f"Not registered yet: {', '.join(missing)}.")


@reference_app.command()
def remove(name: Name) -> None:
    """Take a file out of the catalogue."""
    from minemap_assets.reference.registration import withdraw

    session = open_session()
    withdraw(session.project.lake.store, name)
    console.print(f"{name} is no longer registered; what was made from it stays until the next run.")


def say_registration(session: Session, registration: "Registration") -> None:
    """What registering did, and what is doubtful about the file, also in the light of the project's regions."""
    from minemap_assets.reference.coverage import notes_on_entry

    console.print(f"{registration.sentence}.", soft_wrap=True)
    for sentence in registration.notes:
        note(f"{registration.entry.name}: {sentence}")
    for sentence in notes_on_entry(session.reopened().project, registration.entry):
        note(sentence)


def _reserved(session: Session) -> frozenset[str]:
    """Names of other rooms' assets: `--select` could not tell which is meant."""
    from minemap_assets.reference.assets import ROOM as REFERENCE

    return frozenset(asset.name for asset in session.graph.assets if asset.room != REFERENCE.name)


def _role(text: str | None) -> "Role | None":
    roles: dict[str, Role] = {"labels": "labels", "outlines": "outlines"}
    if text is None:
        return None
    if text not in roles:
        raise BadInputError(f"--role: {text!r} is neither `labels` nor `outlines`")
    return roles[text]
