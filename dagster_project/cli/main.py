"""The command `minemap`: its sub-commands, and how an error becomes one sentence and an exit code.

What belongs here: putting commands together. What does not: what any of them does.
"""

import sys
import warnings

import click
import typer
from dotenv import load_dotenv

from dagster_project.cli.archive import archive_app
from dagster_project.cli.context import errors
from dagster_project.cli.demo import demo
from dagster_project.cli.reference import reference_app
from dagster_project.cli.regions import regions_app
from dagster_project.cli.run import promote, run
from dagster_project.cli.sites import sites_app
from dagster_project.cli.status import status
from dagster_project.cli.ui import ui
from minemap_assets.errors import BadInputError, MinemapError

app = typer.Typer(
    help="Map mining areas from satellite imagery, year by year.", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command()(demo)
app.add_typer(regions_app, name="regions")
app.add_typer(reference_app, name="reference")
app.add_typer(archive_app, name="archive")
app.add_typer(sites_app, name="sites")
app.command()(run)
app.command()(promote)
app.command()(status)
app.command()(ui)

INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    warnings.filterwarnings("ignore", category=UserWarning)
    load_dotenv(".env")
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BadInputError as error:
        errors.print(f"[red]Error:[/] {error}", soft_wrap=True)
        sys.exit(2)
    except MinemapError as error:
        errors.print(f"[red]Error:[/] {error}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
