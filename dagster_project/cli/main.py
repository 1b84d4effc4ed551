"""The command `minemap`: its sub-commands, and how an error becomes one sentence and an exit code."""

import os
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from dotenv import load_dotenv

from dagster_project import structured_logs
from dagster_project.cli.advise import advise
from dagster_project.cli.archive import archive_app
from dagster_project.cli.area import area
from dagster_project.cli.backup import backup, restore_backup
from dagster_project.cli.corrections import corrections_app
from dagster_project.cli.demo import demo
from dagster_project.cli.doctor import doctor
from dagster_project.cli.explain import explain
from dagster_project.cli.export import export
from dagster_project.cli.fetch import fetch
from dagster_project.cli.imagery import imagery_app
from dagster_project.cli.init import init
from dagster_project.cli.inputs import inputs_app
from dagster_project.cli.label import label_app
from dagster_project.cli.map import map_page
from dagster_project.cli.metrics import metrics
from dagster_project.cli.migrate import migrate
from dagster_project.cli.model import model_app
from dagster_project.cli.plan import plan
from dagster_project.cli.promote import promote
from dagster_project.cli.prune import prune
from dagster_project.cli.reconcile import reconcile
from dagster_project.cli.reference import reference_app
from dagster_project.cli.regions import regions_app
from dagster_project.cli.release import release_app
from dagster_project.cli.report import report
from dagster_project.cli.run import run
from dagster_project.cli.sample import sample_app
from dagster_project.cli.scan import scan_app
from dagster_project.cli.series import series_app
from dagster_project.cli.sites import sites_app
from dagster_project.cli.sources import sources
from dagster_project.cli.status import status
from dagster_project.cli.ui import ui
from dagster_project.cli.verify import verify
from dagster_project.commands.context import complain, console
from dagster_project.exit_codes import FAILED, INTERRUPTED, UNEXPECTED, WRONG_INPUT
from minemap_assets.errors import BadInputError, MinemapError

NAME = "minemap"

HELP_OPTIONS = ["-h", "--help"]

BEGIN, MAKE, LOOK, KEEP, INPUTS = "Begin", "Make maps", "Look", "Keep the lake whole", "What a project works with"
"""Headings of the help, in which the commands stand."""

app = typer.Typer(
    help="Map mining areas from satellite imagery, year by year. `minemap init` starts a project, `minemap demo` shows "
    "one on simulated images. Every command takes -h.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print(f"{NAME} {version(NAME)}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say the version, and end.")
    ] = False,
) -> None:
    """Options of minemap itself."""


app.command(rich_help_panel=BEGIN)(init)
app.command(rich_help_panel=BEGIN)(demo)
app.command(rich_help_panel=BEGIN)(doctor)
app.command(rich_help_panel=MAKE)(run)
app.command(rich_help_panel=MAKE)(promote)
app.add_typer(scan_app, name="scan", rich_help_panel=MAKE)
app.add_typer(model_app, name="model", rich_help_panel=MAKE)
app.add_typer(release_app, name="release", rich_help_panel=MAKE)
app.command(rich_help_panel=MAKE)(export)
app.command(rich_help_panel=KEEP)(verify)
app.command(rich_help_panel=KEEP)(prune)
app.command(rich_help_panel=KEEP)(reconcile)
app.command(rich_help_panel=KEEP)(backup)
app.command(name="restore-backup", rich_help_panel=KEEP)(restore_backup)
app.command(rich_help_panel=KEEP)(migrate)
app.add_typer(regions_app, name="regions", rich_help_panel=INPUTS)
reference_app.command()(fetch)
app.add_typer(reference_app, name="reference", rich_help_panel=INPUTS)
app.add_typer(archive_app, name="archive", rich_help_panel=INPUTS)
app.add_typer(sites_app, name="sites", rich_help_panel=INPUTS)
app.add_typer(series_app, name="series", rich_help_panel=INPUTS)
app.add_typer(corrections_app, name="corrections", rich_help_panel=INPUTS)
app.add_typer(imagery_app, name="imagery", rich_help_panel=INPUTS)
app.add_typer(sample_app, name="sample", rich_help_panel=INPUTS)
app.add_typer(label_app, name="label", rich_help_panel=INPUTS)
app.add_typer(inputs_app, name="inputs", rich_help_panel=INPUTS)
app.command(name="map", rich_help_panel=LOOK)(map_page)
app.command(rich_help_panel=LOOK)(sources)
app.command(rich_help_panel=LOOK)(plan)
app.command(rich_help_panel=LOOK)(status)
app.command(rich_help_panel=LOOK)(explain)
app.command(rich_help_panel=LOOK)(advise)
app.command(rich_help_panel=LOOK)(area)
app.command(rich_help_panel=LOOK)(report)
app.command(rich_help_panel=LOOK)(metrics)
app.command(rich_help_panel=LOOK)(ui)

DEBUG = "MINEMAP_DEBUG"
"""The environment variable that, set to anything, shows where an error comes from."""

JARGON = {
    "Value error, ": "",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "Input should be a valid integer": "it has to be a whole number",
    "Input should be a valid number": "it has to be a number",
    "Input should be greater than or equal to": "it has to be at least",
    "Input should be less than or equal to": "it has to be at most",
    "Input should be": "it has to be",
    "(Possible options: ": "(perhaps ",
}
"""What the option parser says, and what it means; in the order of replacing."""

UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Root of the errors of the option parser, which comes with click or with typer, depending on its version."""


def _terminated(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    warnings.filterwarnings("ignore", category=UserWarning)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _load_environment()
        structured_logs.install()
        code = app(prog_name=NAME, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        complain("stopped", word="")
        sys.exit(INTERRUPTED)
    except Exception as error:
        sys.exit(_explain(error))
    if code == INTERRUPTED:
        # some versions of the option parser take Ctrl-C for themselves, and only return this
        complain("stopped", word="")
    sys.exit(code if isinstance(code, int) else 0)


def _load_environment() -> None:
    """Add what the file .env of this folder says to the environment, which comes first."""
    try:
        load_dotenv(".env")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{Path('.env').absolute()} is not text in UTF-8; save it in that encoding") from error
    except OSError as error:
        raise BadInputError(f"{Path('.env').absolute()} cannot be read ({error.strerror})") from error


def _explain(error: Exception) -> int:
    """Say what went wrong, and return the exit code."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    if isinstance(error, UsageError):
        return _explain_usage(error)
    if isinstance(error, MinemapError):
        complain(str(error))
        return WRONG_INPUT if isinstance(error, BadInputError) else FAILED
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    complain(f"minemap met something it does not expect ({said}); {_keep_traceback(error)}")
    return UNEXPECTED


def _explain_usage(error: Any) -> int:
    """Errors of options and arguments; their classes are private to typer, so they are told by what they can do."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    message = str(error.format_message()).rstrip(". \n")
    for jargon, plain in JARGON.items():
        message = message.replace(jargon, plain)
    command = error.ctx.command_path if getattr(error, "ctx", None) is not None else NAME
    complain(f"{command}: {message[:1].lower()}{message[1:]}; `{command} --help` shows what it takes")
    return int(error.exit_code)


def _keep_traceback(error: Exception) -> str:
    """Where the traceback is to be found."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="minemap-", suffix=".log", delete=False) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return f"set {DEBUG}=1 to see where"
    return f"where it happened stands in {log.name}"


if __name__ == "__main__":
    main()
