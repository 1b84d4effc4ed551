"""Help: at once, in every command, whichever way it is asked for."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from terminal import Terminal

HEAVY = ("dagster", "numpy", "pandas", "geopandas", "shapely", "rasterio", "pyarrow", "torch", "httpx")
"""What takes longer to import than a person should wait for help."""

EVERY_HELP = f"""
import sys
import typer
from dagster_project.cli.main import app

root = typer.main.get_command(app)

def ask(command, *words):
    root.main([*words, "--help"], standalone_mode=False, prog_name="minemap")
    print("COMMAND", *words)
    for name, one in getattr(command, "commands", {{}}).items():
        ask(one, *words, name)

ask(root)
print("HEAVY", *sorted(name for name in {HEAVY!r} if name in sys.modules))
"""


def test_help_of_every_command_imports_nothing_that_takes_time() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EVERY_HELP], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert sum(line.startswith("COMMAND") for line in lines) > 30
    assert lines[-1] == "HEAVY", lines[-1]


@pytest.mark.parametrize("words", [("-h",), ("run", "-h"), ("regions", "-h"), ("regions", "add", "-h")])
def test_the_short_form_is_the_long_one(minemap: Terminal, words: tuple[str, ...]) -> None:
    short, long = minemap(*words), minemap(*words[:-1], "--help")
    assert (short.code, short.out) == (0, long.out)
    assert "Usage: minemap" in short.out


def test_the_version(minemap: Terminal) -> None:
    answer = minemap("--version")
    assert (answer.code, answer.out) == (0, f"minemap {version('minemap')}\n")
