"""Words of a command line, read as `minemap` reads them, without carrying anything out."""

from typing import Any

import typer

from dagster_project.cli.main import NAME, app


def parsed(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of the command that is meant, such as `archive`, `index`.

    Raises the option parser's own error for an unknown command or option, and where an argument is lacking.
    """
    command: Any = typer.main.get_command(app)
    context, rest, name = None, list(words), NAME
    path: tuple[str, ...] = ()
    while True:
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "commands"):
            return path
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        name, command, rest = command.resolve_command(context, rest)
        path = (*path, name)


def option_names(words: tuple[str, ...]) -> tuple[list[str], set[str]]:
    """The options among some words, and those that the command they name takes; arguments may be placeholders.

    A word that names no command counts as an option that is not known.
    """
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return [rest[0]], set()
        command = command.commands[rest.pop(0)]
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}
    return [word.split("=")[0] for word in rest if word.startswith("-")], known
