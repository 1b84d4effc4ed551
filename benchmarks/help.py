"""How long a person waits for help: every command with `--help`, as a whole process.

The ratio is against the same process when everything that the commands work with is imported before it answers, which
is what it costs where a command's module imports at its top. The goal is the slowest command's median in seconds.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import typer

from dagster_project.cli.main import app

TIMES = 3
GOAL_SECONDS = 0.7
EVERYTHING = "import dagster_project.definitions, dagster_project.runner, geopandas, rasterio"
RUN = "import sys; sys.argv[0] = 'minemap'; from dagster_project.cli.main import main; main()"


def commands() -> Iterator[tuple[str, ...]]:
    """Every command's words, and those of the groups that hold them."""
    open_: list[tuple[tuple[str, ...], object]] = [((), typer.main.get_command(app))]
    while open_:
        words, command = open_.pop(0)
        yield words
        below = getattr(command, "commands", {})
        open_ += [((*words, name), one) for name, one in below.items()]


def seconds(words: Sequence[str], before: str = "") -> float:
    """Median over some processes."""
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", f"{before}\n{RUN}", *words, "--help"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> int:
    """Print a line for each command and the ratio; fail above the goal."""
    whole = seconds((), EVERYTHING)
    found = {words: seconds(words) for words in commands()}
    for words, taken in found.items():
        print(f"{' '.join(('minemap', *words, '--help')):45s} {taken:5.2f} s")
    slowest = max(found, key=lambda words: found[words])
    print(f"with everything imported first: {whole:.2f} s; ratio of the slowest {found[slowest] / whole:.2f}")
    print(f"slowest: minemap {' '.join(slowest)}: {found[slowest]:.2f} s (goal: below {GOAL_SECONDS} s)")
    return int(found[slowest] >= GOAL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
