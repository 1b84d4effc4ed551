"""`minemap model`: models as things that people bring, take along, look at and put in use."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.cli.promote import promote

model_app = typer.Typer(
    help="Models: from elsewhere and for elsewhere, which there are, and which one is in use.", no_args_is_help=True
)

Version = Annotated[
    str | None,
    typer.Argument(help="Start of a model's version. Default: the one in use, or else the newest trained one."),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="A minemap model's folder, or one that SegformerForSemanticSegmentation of transformers has written.",
    ),
]
Target = Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it: a folder that is not there yet.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file instead of printing it.")]
By = Annotated[str | None, typer.Option(help="Who brings it. Default: the user of this machine.")]
Note = Annotated[str, typer.Option(help="Why.")]
Bands = Annotated[
    str | None, typer.Option(help="For a model of transformers: its bands in order, such as blue,green,red,nir.")
]
Product = Annotated[
    list[str] | None, typer.Option(help="For a model of transformers: a product that it knows; may be repeated.")
]
Mean = Annotated[
    str | None,
    typer.Option(help="For a model of transformers: mean of each band in stored numbers (reflectance x 10,000)."),
]
Std = Annotated[
    str | None, typer.Option(help="For a model of transformers: standard deviation of each band, as with --mean.")
]
NormalisationFile = Annotated[
    Path | None,
    typer.Option(
        "--normalisation", help="In place of --mean and --std: JSON with `mean` and `std`, or such by product."
    ),
]
Threshold = Annotated[
    float | None, typer.Option(help="For a model of transformers: probability from which a pixel is a mine.")
]
Reduction = Annotated[
    int, typer.Option(help="For a model of transformers: chip pixels (5 m) a side for one of its own: 1, 2, 4 or 8.")
]
Licence = Annotated[str, typer.Option(help="For a model of transformers: what its weights may be used for.")]


@model_app.command("import")
def import_(
    path: Folder,
    bands: Bands = None,
    product: Product = None,
    mean: Mean = None,
    std: Std = None,
    normalisation: NormalisationFile = None,
    threshold: Threshold = None,
    reduction: Reduction = 1,
    licence: Licence = "",
    by: By = None,
    note: Note = "",
) -> None:
    """Look at a model that was made elsewhere and keep a copy; `minemap model promote` puts it in use."""
    from dagster_project.commands.model_exchange import Given, bring

    bring(path, Given(bands, tuple(product or ()), mean, std, normalisation, threshold, reduction, licence), by, note)


@model_app.command()
def export(target: Target, version: Version = None) -> None:
    """Write a model and its card into a folder that another project can import."""
    from dagster_project.commands.model_exchange import take_along

    take_along(target, version)


@model_app.command("list")
def list_models(as_json: Json = False) -> None:
    """Show every model that can be put in use: where it is from, what it is worth, and since when it is in use."""
    from dagster_project.commands.model_exchange import list_models

    list_models(as_json=as_json)


@model_app.command()
def card(version: Version = None, output: Output = None) -> None:
    """Show a model's card in Markdown: what it is, what it was made from, how far to trust it, and its licence."""
    from dagster_project.commands.model_exchange import show_card

    show_card(version, output)


model_app.command()(promote)
