"""`minemap label`: a page on which an expert labels points or outlines mines, and what came of it."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json

label_app = typer.Typer(help="Label points and outline mines on a page of this machine.", no_args_is_help=True)

Task = Annotated[str, typer.Argument(metavar="NAME", help="A name that `minemap label list` shows.")]
Annotator = Annotated[str | None, typer.Option(help="Who labels. Default: the user of this machine.")]
Adjudicate = Annotated[bool, typer.Option(help="Decide about the points on which others differ; shows both answers.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")]
Browser = Annotated[bool, typer.Option(help="Open the page in the browser.")]
Licence = Annotated[str, typer.Option(help="Licence under which what people drew may be used.")]

PORT = 3010

OWN_WORK = "own work, no licence chosen"


@label_app.command()
def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A sample that `minemap sample draw` drew.")],
    annotator: Annotator = None,
    adjudicate: Adjudicate = False,
    port: Port = PORT,
    browser: Browser = True,
) -> None:
    """Label the points of a sample; every answer is stored at once, and counts in the area estimates."""
    from dagster_project.commands import labelling

    labelling.label_sample(name, labelling.Wanted(annotator, port, browser, adjudicate))


@label_app.command()
def points(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A vector file of points, or a name from `minemap label list`.")
    ],
    years: Annotated[
        str | None, typer.Option(help="Years to ask for, such as 2017,2019. Default: every year that has images.")
    ] = None,
    annotator: Annotator = None,
    adjudicate: Adjudicate = False,
    port: Port = PORT,
    browser: Browser = True,
) -> None:
    """Label points of a file in every year; `minemap label hand-over` makes them the validation points."""
    from dagster_project.commands import labelling

    labelling.label_points(file, years, labelling.Wanted(annotator, port, browser, adjudicate))


@label_app.command()
def detections(
    year: Annotated[int, typer.Argument(help="The year that was scanned.")],
    annotator: Annotator = None,
    adjudicate: Adjudicate = False,
    port: Port = PORT,
    browser: Browser = True,
) -> None:
    """Label the sample of patches of a scan; `minemap label hand-over` writes it for `minemap scan accuracy`."""
    from dagster_project.commands import labelling

    labelling.label_detections(year, labelling.Wanted(annotator, port, browser, adjudicate))


@label_app.command()
def outline(
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    scan: Annotated[
        bool, typer.Option(help="On the scan of that year, the surest detections first, or at coordinates.")
    ] = False,
    annotator: Annotator = None,
    licence: Licence = OWN_WORK,
    port: Port = PORT,
    browser: Browser = True,
) -> None:
    """Outline mines on the image of the reference year; what is saved is ground truth, and trains the next model."""
    from dagster_project.commands import outlining

    outlining.outline_mines(region, annotator, licence, port, scan=scan, browser=browser)


@label_app.command("list")
def list_tasks(as_json: Json = False) -> None:
    """Show what there is to label, who labelled how much of it, and whose labels are handed over."""
    from dagster_project.commands import labelling

    labelling.list_tasks(as_json=as_json)


@label_app.command()
def agreement(name: Task, as_json: Json = False) -> None:
    """Say how far two annotators agree: Cohen's kappa, each class, and the points on which they differ."""
    from dagster_project.commands import labelling

    labelling.tell_agreement(name, as_json=as_json)


@label_app.command("hand-over")
def hand_over(
    name: Task,
    annotator: Annotated[
        str | None, typer.Option(help="Whose labels. Default: those of the only annotator, or the agreed ones.")
    ] = None,
    licence: Licence = OWN_WORK,
    to: Annotated[
        Path | None, typer.Option(help="Of detections: the file to write, for `minemap scan accuracy`.")
    ] = None,
) -> None:
    """Say whose labels count: those of an annotator, or the agreed ones of several."""
    from dagster_project.commands import labelling

    labelling.hand_over(name, annotator, licence, to)
