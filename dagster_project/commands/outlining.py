"""What `minemap label outline` does: a page on which a person draws ground truth."""

from dagster_project.commands.context import console, counted, open_session, parse_regions
from dagster_project.commands.labelling import serve
from dagster_project.first_promotion import user
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.rules import reference_year_of
from minemap_assets.publication.labelling.answer_files import annotator_name
from minemap_assets.publication.labelling.desk import Desk
from minemap_assets.publication.labelling.outlined_sites import read_outlines


def outline_mines(region: str | None, annotator: str | None, licence: str, port: int, *, browser: bool) -> None:
    """Serve the page until a signal comes. Raises `BadInputError` where there is no image to draw on."""
    from dagster_project.commands.serving import check_address
    from dagster_project.pages.label_routes import outline_page

    project = open_session().project
    desk = Desk(project, parse_regions(region, project), annotator_name(annotator or user()), licence)
    if not desk.places:
        slug = desk.regions[0]
        year = reference_year_of(project, project.region(slug))
        raise BadInputError(
            f"there is no image of {year} to outline mines on, the year that the model learns from; draw a box around "
            "each place to look at, add them with `minemap sites promote FILE`, and fetch their images with `minemap "
            f"run --select +imagery --years {year}`"
        )
    check_address("127.0.0.1", port)
    before = len(read_outlines(project.lake.store))
    console.print(f"{counted(len(desk.places), 'site')} to outline on; {counted(before, 'outline')} so far.")
    serve(outline_page(desk), port, browser=browser)
    drawn = len(read_outlines(project.lake.store))
    if drawn != before:
        console.print(
            f"{counted(drawn, 'outline')} now, registered as ground truth; `minemap run` trains on them.",
            soft_wrap=True,
        )
