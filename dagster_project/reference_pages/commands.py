"""Every command and every option of the command line, as typer knows them."""

import inspect
import typing
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from dagster_project.cli.main import HELP_OPTIONS, NAME, app
from dagster_project.reference_pages.markdown import page, table

INTRODUCTION = """\
# Command line

Every command and every option. `make docs` writes this page from the commands themselves, and a test compares it with
them. Every command takes `-h` and `--help`.

Results go to the standard output, notes and errors to the error stream. With `--json` a command prints one JSON
document there and nothing else. What an exit code means stands in [Troubleshooting](../troubleshooting.md#exit-codes).
"""

WORDS: dict[Any, str] = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}

NOT_SHOWN = ("--install-completion", "--show-completion")
"""Options of every command line of this kind, which depend on the shell."""


def commands_page() -> str:
    """The page, as Markdown."""
    root = typer.main.get_command(app)
    lines = list(_options(root))
    return page([INTRODUCTION, "## minemap", "", *_said(root), *lines, *_below(root, (NAME,))])


def every_command(command: Any = None, name: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The words of every command that does something, without `minemap`, and typer's object for it."""
    here = typer.main.get_command(app) if command is None else command
    below = getattr(here, "commands", {})
    if not below:
        yield tuple(name), here
    for word, inner in below.items():
        yield from every_command(inner, (*name, word))


def _below(group: Any, name: tuple[str, ...]) -> Iterator[str]:
    for word, command in group.commands.items():
        if command.hidden:
            continue
        whole = (*name, word)
        yield from (f"{'#' * len(whole)} {' '.join(whole)}", "", *_said(command))
        if hasattr(command, "commands"):
            yield from _below(command, whole)
        else:
            yield from ("```text", " ".join([*whole, *_usage(command)]), "```", "", *_options(command))


def _said(command: Any) -> Iterator[str]:
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield from (" ".join(paragraph.split()), "")


def _usage(command: Any) -> Iterator[str]:
    """The arguments in order; what may be left out stands in brackets."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = (parameter.metavar or parameter.name.upper()) + ("..." if parameter.nargs != 1 else "")
            yield name if parameter.required else f"[{name}]"
    if any(p.param_type_name == "option" for p in command.params):
        yield "[OPTIONS]"


def _options(command: Any) -> Iterator[str]:
    """A row for each argument and option."""
    kinds = typing.get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    shown = [p for p in command.params if not p.hidden and not set(p.opts) & {*NOT_SHOWN, *HELP_OPTIONS}]
    if shown:
        rows = [(_name(p, kinds.get(p.name)), _default(p), getattr(p, "help", None) or "") for p in shown]
        yield from table(("argument or option", "default", "meaning"), rows)


def _name(parameter: Any, kind: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    spelled = " or ".join(f"`{word}`" for word in [*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {_value(kind)}"
    return f"{spelled}{value}{' (may be repeated)' if parameter.multiple else ''}"


def _value(kind: Any) -> str:
    """What an option takes, in capitals; the words to choose from, where there are some."""
    inner = [one for one in typing.get_args(kind) if one is not type(None)]
    if inner:
        return _value(inner[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{member.value}`" for member in kind)
    return WORDS.get(kind, "TEXT")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "has to be given"
    value = parameter.default
    if isinstance(value, bool):
        return f"`{(parameter.opts if value else parameter.secondary_opts)[0]}`" if parameter.secondary_opts else ""
    plain = value.value if isinstance(value, Enum) else value
    return f"`{plain}`" if isinstance(plain, str | int | float) and plain != "" else ""
