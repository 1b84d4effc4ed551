"""How much faster a run with two jobs is than with one: the whole demo, and a part of it without training.

Runs the demo in two fresh folders, then makes imagery, masks, polygons, tables and validation again in both, where the
model stays as it is. Prints the ratios of the times (one job to two) and the goal of the whole; the contents of both
lakes have to be equal. `--whole` leaves out that part, and `--folder` keeps both projects. `--world tiny` shows that it
works, and says nothing of speed: importing takes most of that.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from dagster_project.environment import Environment
from dagster_project.registry import ROOMS, home_of
from minemap_assets.graph.graph import Graph

GOAL = 1.6

AGAIN = ("imagery/imagery", "chips/chips", "segmentation/raw_masks", "polygons", "tables", "validation")
"""What is made again in the part without training: rooms, and assets of rooms."""


def timed(folder: Path, jobs: int, *words: str) -> float:
    """Seconds that a command takes over the project in a folder."""
    own = {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    command = [sys.executable, "-m", "dagster_project.cli.main", *words, "--jobs", str(jobs)]
    start = time.perf_counter()
    ended = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(
            f"{' '.join(words)} --jobs {jobs} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
        )
    return time.perf_counter() - start


def contents(folder: Path) -> dict[str, str]:
    """Content hash of every partition."""
    project = home_of(Environment(home=str(folder / "lake"), state=folder / "state")).open()
    assets = Graph(ROOMS, project).assets
    return {str(m.ref): m.content for asset in assets for m in project.lake.manifests(asset.room, asset.name)}


def main() -> int:
    """Measure and print; 1 where the goal is missed or results differ."""
    parser = argparse.ArgumentParser(description="Compare a run with one job and with two.")
    parser.add_argument("--world", default="demo", choices=("demo", "tiny"))
    parser.add_argument("--whole", action="store_true", help="leave out the part without training")
    parser.add_argument("--folder", type=Path, help="where the projects are made, and stay")
    options = parser.parse_args()
    if options.folder and options.folder.exists() and any(options.folder.iterdir()):
        parser.error(f"{options.folder} holds something already, and what is current there takes no time; name another")
    whole, part, found = {}, {}, {}
    with nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as place:
        for jobs in (1, 2):
            folder = Path(place).resolve() / str(jobs)
            whole[jobs] = timed(folder, jobs, "demo", "--world", options.world)
            print(f"--jobs {jobs}: the whole {whole[jobs]:.1f} s", flush=True)
            if not options.whole:
                for name in AGAIN:
                    shutil.rmtree(folder / "lake" / name)
                part[jobs] = timed(folder, jobs, "demo", "--world", options.world)
                print(f"--jobs {jobs}: without training {part[jobs]:.1f} s", flush=True)
            found[jobs] = contents(folder)
    same = found[1] == found[2]
    faster = whole[1] / whole[2]
    print(f"the same contents of {len(found[1])} partitions: {'yes' if same else 'no'}")
    if part:
        print(f"without training: {part[1] / part[2]:.2f}x faster with two jobs")
    if options.world == "tiny":
        print(f"the whole: {faster:.2f}x faster with two jobs (no goal for this world)")
        return 0 if same else 1
    print(f"the whole: {faster:.2f}x faster with two jobs (goal: at least {GOAL}x)")
    return 0 if same and faster >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
