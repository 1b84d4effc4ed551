"""What it costs that every byte is checked before it is worked with, and before a partition is kept.

Makes a world (`--world`, tiny unless told otherwise) in a fresh folder, or takes the finished one in `--project`, a
folder with `lake` and `state`. Then, in the same process and one after the other, with and without checks (what the
files say of themselves is believed):

- the states of all partitions where nothing changed, as `minemap run` tells them before it keeps everything;
- the same where every file was touched, so that each byte is read once more (cold);
- making the masks of a region and year again, from chips and a model that were never read in this process.

With `--baseline PATH`, another checkout of this project, `minemap run` with nothing to do is timed as a whole process
with each of the two. Prints seconds and ratios.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from dagster_project.environment import Environment
from dagster_project.registry import ROOMS, home_of
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionState, PartitionStates
from minemap_assets.lake.checksums import CHECKSUMS
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Manifest, StoredFile
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.simulation.built_in_worlds import load_world

TIMES = 5
GOAL = 1.05
HERE = Path(__file__).resolve().parents[1]


def _command(checkout: Path, folder: Path, *words: str) -> float:
    """Seconds of a command with the packages of a checkout, as a whole process."""
    own = {"PYTHONPATH": str(checkout), "PYTHONWARNINGS": "ignore"}
    own |= {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    start = time.perf_counter()
    command = [sys.executable, "-m", "dagster_project.cli.main", *words]
    subprocess.run(command, cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


@contextmanager
def _believing() -> Iterator[None]:
    """Nothing is checked but whether a file is there with its size, as before there were checks."""

    def sized(lake: Lake, manifest: Manifest, *, thoroughly: bool = False) -> list[StoredFile]:
        del thoroughly
        entries = lake.store.entries(manifest.ref.prefix)
        sizes = {path: entry.bytes for path, entry in entries.items()}
        return [f for f in manifest.files if sizes.get(f"{manifest.ref.prefix}/{f.path}") != f.bytes]

    def unread(partition: Partition, files: Sequence[StoredFile]) -> list[Path]:
        return [partition._fetch(stored) for stored in files]

    with ExitStack() as stack:
        stack.enter_context(patch.object(Lake, "damaged", sized))
        stack.enter_context(patch.object(Partition, "_checked", unread))
        yield


def _states(home: ProjectHome, years: Sequence[int]) -> int:
    """States of every partition, all of them current."""
    project = home.open()
    graph = Graph(ROOMS, project)
    states = PartitionStates(graph, project)
    steps = graph.steps(Scope(frozenset(graph.assets), tuple(project.active_regions()), tuple(years)))
    found = [states.state(asset, step.keys) for step in steps for asset in step.assets]
    if set(found) != {PartitionState.CURRENT}:
        raise RuntimeError("the lake is not finished")
    return len(found)


def _touch(root: Path) -> tuple[int, int]:
    """Give every file but the manifests a new change time; their number and bytes."""
    paths = [p for p in root.rglob("*") if p.is_file() and p.name != "manifest.json" and p.parts[-2] != "inputs"]
    for path in paths:
        os.utime(path)
    return len(paths), sum(path.stat().st_size for path in paths)


def _masks(home: ProjectHome, year: int) -> None:
    """The masks of the first region and a year, made again by a process that has read nothing of them yet."""
    CHECKSUMS.forget()
    project = home.open()
    graph = Graph(ROOMS, project)
    keys = (next(iter(project.active_regions())), str(year))
    shutil.rmtree(Path(project.lake.store.root) / RAW_MASKS.ref(keys).prefix)
    PartitionStates(graph, project).make(RAW_MASKS, keys)


def _pair(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> tuple[float, float]:
    """Least seconds with and without checks, in turns, after one of each that is not counted."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for n in range(TIMES + 1):
        for checks in (True, False):
            before()
            with ExitStack() as stack:
                if not checks:
                    stack.enter_context(_believing())
                start = time.perf_counter()
                work()
                seconds = time.perf_counter() - start
            if n:
                found[checks].append(seconds)
    return min(found[True]), min(found[False])


def _say(what: str, pair: tuple[float, float], note: str = "") -> None:
    ratio = pair[0] / pair[1]
    print(f"{what:<44}{pair[0]:9.3f} s  {pair[1]:9.3f} s   ratio {ratio:.3f}  {note}")


def _measure(project: Project, home: ProjectHome, years: Sequence[int]) -> None:
    root = Path(project.lake.store.root)
    print(f"{'':<44}{'checked':>11}  {'believed':>11}")
    _say(f"states of {_states(home, years)} partitions, nothing changed", _pair(lambda: _states(home, years)))
    files, size = _touch(root)
    start = time.perf_counter()
    CHECKSUMS.forget()
    _states(home, years)
    cold = time.perf_counter() - start
    print(f"the same, all {files:,} files touched before      {cold:9.3f} s  ({size / 1e6:,.0f} MB read again, once)")
    masks = _pair(lambda: _masks(home, years[0]))
    _say(
        "masks of one region and year made again",
        masks,
        f"goal {GOAL}: {'met' if masks[0] <= GOAL * masks[1] else 'missed'}",
    )


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="tiny", help="the world to make")
    parser.add_argument("--project", type=Path, help="a folder with the lake and state of that world, already made")
    parser.add_argument("--baseline", type=Path, help="another checkout of this project")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = (options.project or Path(scratch)).resolve()
        if options.project is None:
            _command(HERE, folder, "demo", "--world", options.world)
        years = tuple(load_world(options.world).years)
        home = home_of(Environment(home=str(folder / "lake"), state=folder / "state"))
        _measure(home.open(), home, years)
        if options.baseline is not None:
            words = ("run", "--years", f"{years[0]}-{years[-1]}")
            ours = [_command(HERE, folder, *words) for _ in range(TIMES)]
            copy = folder / "baseline"
            shutil.copytree(folder / "lake", copy / "lake")
            theirs = [_command(options.baseline.resolve(), copy, *words) for _ in range(TIMES + 1)][1:]
            shutil.rmtree(copy)
            _say("`minemap run` with nothing to do", (min(ours), min(theirs)), "(believed: the baseline)")


if __name__ == "__main__":
    main()
