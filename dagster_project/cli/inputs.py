"""`minemap inputs`: the versions of what people and sensors write under `inputs/`, and bringing one back.

Nothing here opens the project, so that it works where an input is damaged or gone.
"""

from typing import Annotated

import typer

from dagster_project.cli.options import Json

inputs_app = typer.Typer(help="What people and sensors write, and every version of it.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="PATH", help="Path below inputs/, such as minemap.toml or reference/catalogue.json.")
]
Number = Annotated[int | None, typer.Option("--version", min=1, help="Number that `minemap inputs history` shows.")]


@inputs_app.command("list")
def list_inputs(as_json: Json = False) -> None:
    """Show every input: whether it is there, how many versions of it are kept, and of when the newest is."""
    from dagster_project.commands import input_versions

    input_versions.list_inputs(as_json=as_json)


@inputs_app.command("history")
def show_history(path: Name, as_json: Json = False) -> None:
    """Show the versions of an input, oldest first."""
    from dagster_project.commands import input_versions

    input_versions.show_history(path, as_json=as_json)


@inputs_app.command()
def show(path: Name, version: Number = None) -> None:
    """Print an input as it is now, or a version of it. Default for one that is gone: its last version."""
    from dagster_project.commands import input_versions

    input_versions.show(path, version)


@inputs_app.command()
def diff(path: Name, version: Number = None) -> None:
    """Show what bringing a version back would change. Default: the version that `restore` would take."""
    from dagster_project.commands import input_versions

    input_versions.diff(path, version)


@inputs_app.command()
def restore(path: Name, version: Number = None) -> None:
    """Bring a version back. Default: the newest that is not what is there now, which is recorded first."""
    from dagster_project.commands import input_versions

    input_versions.restore(path, version)


@inputs_app.command()
def forget(path: Name) -> None:
    """Work without an input that is gone from now on; its versions stay, and can be brought back."""
    from dagster_project.commands import input_versions

    input_versions.forget(path)
