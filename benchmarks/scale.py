"""How the project holds at 20, 50 and 200 regions x 11 years, with every partition of every asset there and current.

Grows a lake from a finished `tiny` world (`--project` takes one that is made already, a folder with `lake` and `state`)
and measures, each in a process of its own: `minemap status`, telling a new Dagster instance of the lake, `minemap run`
with nothing to do, loading the definitions, what a partition's followers are, and ticks of automation, at the fewest
regions as many as `--ticks` says, to see whether memory grows. Prints figures beside the goals, and fails where one is
missed at the most regions.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from support.grown_lakes import YEARS, Grown, grow
from support.scale_parts import PARTS, Figures

REGIONS = (20, 50, 200)
HERE = Path(__file__).resolve().parents[1]
FEW_TICKS = 3


@dataclass(frozen=True)
class Goal:
    """A figure of a part, what it is called, and the most that it may be (with `least`, the least)."""

    part: str
    figure: str
    words: str
    bound: float | None = None
    least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a figure is within its bound."""
        if self.bound is None:
            return True
        return value >= self.bound if self.least else value <= self.bound


GOALS = (
    Goal("status", "seconds", "minemap status, s", 30.0),
    Goal("status", "peak_mb", "its memory, MB"),
    Goal("restoring", "seconds", "instance restored, s", 120.0),
    Goal("restoring", "peak_mb", "its memory, MB", 300.0),
    Goal("restoring", "imported_mb", "of which before it begins, MB"),
    Goal("restoring", "again_seconds", "nothing to restore, s"),
    Goal("restoring", "median_event_kb", "median imagery event, KB", 20.0),
    Goal("restoring", "largest_event_kb", "largest imagery event, KB"),
    Goal("run", "rate", "minemap run, current region-years a s", 5.0, least=True),
    Goal("run", "peak_mb", "its memory, MB"),
    Goal("asking", "definitions_seconds", "definitions loaded, s"),
    Goal("asking", "shape_seconds", "the graph's shape, s"),
    Goal("asking", "due_seconds", "what the reconcile sensor asks for, s"),
    Goal("asking", "followers_of_borders_seconds", "followers of the borders, s"),
    Goal("asking", "followers_of_an_image_seconds", "followers of an image, s"),
    Goal("ticks", "first_seconds", "first tick of automation, s", 5.0),
    Goal("ticks", "median_seconds", "tick of automation, s", 5.0),
    Goal("ticks", "requested", "partitions asked for over a current lake", 0.0),
    Goal("ticks", "peak_mb", "memory of ticks, MB", 500.0),
)
FLAT_MB = 20.0
"""What memory may grow by over all ticks after the first few."""


def _part(name: str, folder: Path, number: int = 0) -> Figures:
    """One of `PARTS` in a process of its own."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--part",
        name,
        "--folder",
        str(folder),
        "--ticks",
        str(number),
    ]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=_environment({}))
    figures: Figures = json.loads(found.stdout.splitlines()[-1])
    return figures


def _command(grown: Grown, *words: str) -> Figures:
    """Seconds and most memory of a command as a whole process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "dagster_project.cli.main", *words]
    environment = _environment(grown.environment)
    process = subprocess.Popen(command, cwd=grown.folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"minemap {' '.join(words)} ended with code {process.returncode}")
    return {"seconds": time.perf_counter() - start, "peak_mb": usage.ru_maxrss / 1024}


def _environment(more: dict[str, str]) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"} | more


def _measure(grown: Grown, regions: int, ticks: int) -> dict[str, Figures]:
    years = f"{YEARS[0]}-{YEARS[-1]}"
    found = {"restoring": _part("restoring", grown.folder), "status": _command(grown, "status", "--years", years)}
    found["run"] = _command(grown, "run", "--years", years)
    found["run"]["rate"] = regions * len(YEARS) / found["run"]["seconds"]
    found["asking"] = _part("asking", grown.folder)
    found["ticks"] = _part("ticks", grown.folder, ticks)
    return found


def _finished(folder: Path) -> Path:
    """A finished `tiny` world."""
    command = [sys.executable, "-m", "dagster_project.cli.main", "demo", "--world", "tiny"]
    own = {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    subprocess.run(command, env=_environment(own), stdout=subprocess.DEVNULL, check=True)
    return folder


def _grown(finished: Path, folder: Path, regions: int) -> Grown:
    """A grown project, made in a process of its own: what a process is started by counts as its memory."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(grow, finished, folder, regions).result()


def _print(sizes: list[int], measured: list[dict[str, Figures]]) -> list[str]:
    """A table of all figures; returns what was missed at the most regions."""
    print(f"{'regions x years':<44}" + "".join(f"{f'{size} x {len(YEARS)}':>12}" for size in sizes) + "   goal")
    missed = []
    for goal in GOALS:
        values = [one[goal.part][goal.figure] for one in measured]
        bound = "" if goal.bound is None else f"{'at least' if goal.least else 'at most'} {goal.bound:g}"
        print(f"{goal.words:<44}" + "".join(f"{value:>12.2f}" for value in values) + f"   {bound}")
        if not goal.is_met(values[-1]):
            missed.append(f"{goal.words}: {values[-1]:.2f}, {bound}")
    first = measured[0]["ticks"]
    print(f"memory over {first['ticks']:.0f} ticks at {sizes[0]} regions grew by {first['growth_mb']:.1f} MB")
    if first["growth_mb"] > FLAT_MB:
        missed.append(f"memory over ticks grew by {first['growth_mb']:.1f} MB, at most {FLAT_MB:g}")
    return missed


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, help="a folder with the lake and state of a finished tiny world")
    parser.add_argument("--regions", type=int, nargs="+", default=REGIONS, help="how many regions to measure at")
    parser.add_argument("--ticks", type=int, default=500, help="ticks of automation at the fewest regions")
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        print(json.dumps(PARTS[options.part](options.folder, options.ticks)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        finished = (options.project or _finished(Path(scratch) / "tiny")).resolve()
        sizes, measured = sorted(options.regions), []
        for size in sizes:
            grown = _grown(finished, Path(scratch) / f"{size}", size)
            measured.append(_measure(grown, size, options.ticks if size == sizes[0] else FEW_TICKS))
        missed = _print(sizes, measured)
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
