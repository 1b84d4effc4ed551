"""`minemap regions`: the areas a project maps."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import PROJECT_RULE, Session, console, note, open_session, parse_season
from minemap_assets.errors import BadInputError, MinemapError

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from shapely.geometry.base import BaseGeometry

    from minemap_assets.project.project import Project
    from minemap_assets.project.region_changes import RegionChange
    from minemap_assets.project.regions import Region

    Regions = Mapping[str, Region]

regions_app = typer.Typer(help="The areas a project maps.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="Short name: lower-case letters, digits, hyphens, underscores.")]
File = Annotated[
    Path, typer.Argument(help="A vector file, such as GeoPackage or GeoJSON; all its polygons together are the region.")
]
Title = Annotated[str | None, typer.Option(help="Name for people.")]
SeasonOption = Annotated[
    str | None, typer.Option(help="First and last month of the images, such as 6-11; 12-3 runs across New Year.")
]
Product = Annotated[
    list[str] | None,
    typer.Option(help="Overrides the project's rule, such as 'planet-nicfi until 2024'; may be repeated."),
]
ReferenceYear = Annotated[int | None, typer.Option(help="The year its ground truth describes.")]
Layer = Annotated[str | None, typer.Option(help="Layer of the file.")]
Crs = Annotated[str | None, typer.Option(help="CRS of a file that does not say.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Edit the region of that name: put this boundary in its place.")
]

Split = Annotated[bool, typer.Option("--split", help="Cut a region that is too large into several.")]

Anyway = Annotated[bool, typer.Option("--anyway", help="Take a region that is smaller than any mine.")]

_PERIOD = re.compile(r"(?P<product>\S+)(?:\s+from\s+(?P<first>\d{4}))?(?:\s+until\s+(?P<until>\d{4}))?")


def parse_periods(texts: Sequence[str]) -> tuple[dict[str, object], ...]:
    """Product periods such as `planet-nicfi until 2024`. Raises `BadInputError`."""
    from minemap_assets.imagery.products import product as known_product

    periods = []
    for text in (t for t in texts if t != PROJECT_RULE):
        match = _PERIOD.fullmatch(text.strip())
        if match is None:
            raise BadInputError(
                f"--product: {text!r} is not understood; write 'planet-nicfi until 2024' or 'sentinel-2-l2a from 2025'"
            )
        known_product(match["product"])
        ends = {"from": match["first"], "until": match["until"]}
        periods.append({"product": match["product"], **{k: int(v) for k, v in ends.items() if v}})
    return tuple(periods)


@regions_app.command()
def add(
    slug: Slug,
    file: File,
    title: Title = None,
    season: SeasonOption = None,
    product: Product = None,
    reference_year: ReferenceYear = None,
    layer: Layer = None,
    crs: Crs = None,
    replace_known: Replace = False,
    split: Split = False,
    anyway: Anyway = False,
) -> None:
    """Add a region, or edit one with --replace: what is not given stays, `--season default` is the project's again."""
    from minemap_assets.project.region_changes import add_pieces, add_region, check_not_tiny, replace_region
    from minemap_assets.project.regions import region_from_file

    added: list[Region] = []

    def change(known: "Regions") -> "RegionChange":
        before = known.get(slug) if replace_known else None
        region = region_from_file(
            file,
            slug,
            title=title or (before.title if before else None),
            season=before.season if before and season is None else parse_season(season),
            products=before.products if before and not product else parse_periods(product or ()),
            reference_year=before.reference_year if before and reference_year is None else reference_year,
            layer=layer,
            crs=crs,
        )
        if not anyway:
            check_not_tiny(region, f"region {slug}")
        added[:] = [region]
        if replace_known:
            return replace_region(known, region)
        return add_pieces(known, region) if split else add_region(known, region)

    session = _save(change)
    _say_doubts(session.project, added[0].geometry, f"region {slug}")


@regions_app.command("list")
def list_regions(as_json: Json = False) -> None:
    """Show all regions."""
    from rich.table import Table

    session = open_session()
    if as_json:
        from dagster_project.commands.json_output import print_json

        print_json([_facts(region) for region in session.project.regions.values()])
        return
    if not session.project.regions:
        from dagster_project.commands.advice import say_next_steps

        say_next_steps(session)
        return
    table = Table("region", "title", "km2", "season", "products", "state")
    for region in session.project.regions.values():
        state = "retired" if region.retired else "active"
        periods = ", ".join(_period_text(p) for p in region.products) or "project's rule"
        months = f"{region.season[0]}-{region.season[1]}" if region.season else "6-11"
        table.add_row(region.slug, region.title, f"{region.area_km2:,.0f}", months, periods, state)
    console.print(table)


@regions_app.command()
def check(file: File, layer: Layer = None, crs: Crs = None) -> None:
    """Say whether a file would make a good region, without adding it."""
    from minemap_assets.project.region_changes import add_region, check_not_tiny
    from minemap_assets.project.regions import region_from_file

    region = region_from_file(file, "check", layer=layer, crs=crs)
    check_not_tiny(region, str(file))
    add_region({}, region)
    west, south, east, north = region.geometry.bounds
    console.print(
        f"{file} can be a region: {_km2(region.area_km2)}, from {west:.4f} to {east:.4f} degrees east and "
        f"{south:.4f} to {north:.4f} degrees north.",
        markup=False,
        soft_wrap=True,
    )
    try:
        project = open_session().project
    except MinemapError:
        return  # what is wrong with the project is nothing about the file
    _say_doubts(project, region.geometry, str(file))


@regions_app.command()
def retire(slug: Slug) -> None:
    """Leave a region out of everything from now on; what was made stays."""
    from minemap_assets.project.region_changes import retire_region

    _save(lambda known: retire_region(known, slug))


@regions_app.command()
def restore(slug: Slug) -> None:
    """Bring a retired region back."""
    from minemap_assets.project.region_changes import restore_region

    _save(lambda known: restore_region(known, slug))


@regions_app.command()
def rename(slug: Slug, new_slug: Slug) -> None:
    """Give a region another name."""
    from minemap_assets.project.region_changes import rename_region

    _save(lambda known: rename_region(known, slug, new_slug))


def _save(change: "Callable[[Regions], RegionChange]") -> Session:
    """Change the list of regions as it is at this moment, and say what follows; returns the project after it."""
    from dagster_project.instance import sync_regions
    from minemap_assets.lake.inputs import Inputs
    from minemap_assets.project.regions import REGIONS_PATH, read_regions, write_regions

    session = open_session()
    inputs, said = Inputs(session.project.lake.store), [""]
    opened: list[DagsterInstance] = []

    def edit(data: bytes | None) -> bytes | None:
        with inputs.reading(REGIONS_PATH, data):
            known = {} if data is None else read_regions(data)
        changed = change(known)
        said[0] = changed.sentence
        if not opened:
            opened.append(session.instance())  # before anything is written: its folder may not be fit for it
        return data if changed.regions == known else write_regions(changed.regions.values())

    inputs.change(REGIONS_PATH, edit)
    after = session.reopened()
    sync_regions(opened[0], after.project)
    console.print(f"{said[0]}.", soft_wrap=True)
    return after


def _say_doubts(project: "Project", area: "BaseGeometry", named: str) -> None:
    """What a person should look at again though it may be right."""
    from minemap_assets.reference.coverage import notes_on_region

    for sentence in notes_on_region(project, area, named):
        note(sentence)


def _km2(area: float) -> str:
    return f"{area:,.0f} km2" if area >= 1 else f"{area:.2g} km2"


def _period_text(period: dict[str, object]) -> str:
    text = str(period["product"])
    for word in ("from", "until"):
        if word in period:
            text += f" {word} {period[word]}"
    return text


def _facts(region: "Region") -> dict[str, object]:
    """A region as `--json` gives it; its boundary lies in the project's file of regions."""
    return {
        "region": region.slug,
        "title": region.title,
        "km2": region.area_km2,
        "bounds": region.geometry.bounds,
        "season": region.season,
        "products": region.products,
        "reference_year": region.reference_year,
        "retired": region.retired,
    }
