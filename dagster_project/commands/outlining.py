"""What `minemap label outline` does: a page on which a person draws ground truth."""

from collections.abc import Sequence

from dagster_project.commands.context import console, counted, note, open_session, parse_regions
from dagster_project.commands.labelling import serve
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.rules import reference_year_of
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.answer_files import annotator_name
from minemap_assets.publication.labelling.desk import Desk
from minemap_assets.publication.labelling.outline_places import ScanPlaces, SitePlaces
from minemap_assets.publication.labelling.outlined_sites import read_outlines


def outline_mines(
    region: str | None, annotator: str | None, licence: str, port: int, *, scan: bool, browser: bool
) -> None:
    """Serve the page until a signal comes. Raises `BadInputError` where there is no image to draw on."""
    from dagster_project.commands.serving import check_address
    from dagster_project.pages.label_routes import outline_page

    project = open_session().project
    places = (_scanned if scan else _sites)(project, parse_regions(region, project))
    check_address("127.0.0.1", port)
    before = len(read_outlines(project.lake.store))
    what = counted(len(places.listed), "detection" if scan else "site")
    console.print(f"{what} to outline on; {counted(before, 'outline')} so far.")
    desk = Desk(project, places, annotator_name(annotator or user()), licence)
    serve(outline_page(desk), port, browser=browser)
    drawn = len(read_outlines(project.lake.store))
    if drawn != before:
        console.print(
            f"{counted(drawn, 'outline')} now, registered as ground truth; `minemap run` trains on them.",
            soft_wrap=True,
        )


def _sites(project: Project, regions: Sequence[str]) -> SitePlaces:
    places = SitePlaces(project, regions)
    if not places.listed:
        slug = regions[0]
        year = reference_year_of(project, project.region(slug))
        raise BadInputError(
            f"there is no image of {year} to outline mines on, the year that the model learns from; draw a box around "
            "each place to look at, add them with `minemap sites promote FILE`, and fetch their images with `minemap "
            f"run --select +imagery --years {year}`; or outline on a scan of that year with --scan"
        )
    return places


def _scanned(project: Project, regions: Sequence[str]) -> ScanPlaces:
    places = ScanPlaces(project, regions)
    if not places.offered:
        raise BadInputError(places.refusal())
    for slug, years in places.scanned.items():
        year = reference_year_of(project, project.region(slug))
        if years and slug not in places.offered:
            note(
                f"{slug} is left out: its scans are of {', '.join(map(str, years))}, and the model learns from "
                f"outlines of {year} alone"
            )
    return places
