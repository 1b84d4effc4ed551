"""How long `minemap status` takes on a project of 20 regions x 10 years, and how often it reads the lake.

Builds a lake with every input and with manifests of sites and imagery, and times the command as a whole process. With
`--baseline PATH`, another checkout of this project, that one's command is timed on the same lake; without it, the
states are told in this process once more by a naive reader, which opens the project anew for each partition. Prints
seconds, reads, and the ratio of the two.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from support.lakes import CountingStore, build

from dagster_project.commands.context import parse_years
from dagster_project.registry import ROOMS
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import ProjectHome

REGIONS, YEARS = 20, range(2016, 2026)
TIMES = 3
HERE = Path(__file__).resolve().parents[1]


def _seconds(checkout: Path, folder: Path, *words: str) -> float:
    """The fastest of some runs of a command with the packages of a checkout, after one that is not counted."""
    own = {"PYTHONPATH": str(checkout), "PYTHONWARNINGS": "ignore"}
    own |= {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    found = []
    for _ in range(TIMES + 1):
        start = time.perf_counter()
        command = [sys.executable, "-m", "dagster_project.cli.main", *words]
        subprocess.run(command, cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - start)
    return min(found[1:])


def _counting(home: ProjectHome) -> tuple[ProjectHome, CountingStore]:
    store = CountingStore(Path(home.lake.store.root))
    return replace(home, lake=Lake(store, home.lake.state)), store


def _once(home: ProjectHome) -> list[PartitionRef]:
    """All states, as the command tells them: one snapshot for all."""
    project = home.open()
    graph = Graph(ROOMS, project)
    states = PartitionStates(graph, project)
    scope = Scope(frozenset(graph.assets), tuple(project.active_regions()), parse_years(_years(), project))
    steps = graph.steps(scope)
    for step in steps:
        for asset in step.assets:
            states.state(asset, step.keys)
    return [ref for step in steps for ref in step.refs]


def _anew(home: ProjectHome, refs: Iterable[PartitionRef]) -> None:
    """All states, where each partition opens the project for itself."""
    for ref in refs:
        project = home.open()
        graph = Graph(ROOMS, project)
        PartitionStates(graph, project).state(graph.asset(ref), ref.keys)


def _years() -> str:
    return f"{YEARS[0]}-{YEARS[-1]}"


def _reads(name: str, store: CountingStore) -> None:
    inputs = store.inputs()
    print(f"{name:<34}{store.reads.total():>8}     of which {inputs.total()} of {len(inputs)} input files")


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", type=Path, help="another checkout of this project")
    baseline: Path | None = parser.parse_args().baseline
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        home = build(folder, REGIONS, YEARS)
        counted, store = _counting(home)
        start = time.perf_counter()
        refs = _once(counted)
        once = time.perf_counter() - start
        words = ("status", "--years", _years())
        whole, empty = _seconds(HERE, folder, *words), _seconds(HERE, folder, "--help")
        print(f"regions x years                   {REGIONS} x {len(YEARS)}, {len(refs)} asset partitions")
        print(f"minemap --help, whole process     {empty:8.2f} s")
        print(f"minemap status, whole process     {whole:8.2f} s")
        print(f"the states alone                  {once:8.2f} s")
        _reads("their reads", store)
        if baseline is not None:
            other = _seconds(baseline.resolve(), folder, *words)
            print(f"the same command of the baseline  {other:8.2f} s   ratio {other / whole:.1f}")
            return
        counted, store = _counting(home)
        start = time.perf_counter()
        _anew(counted, refs)
        naive = time.perf_counter() - start
        print(f"states told by a naive reader     {naive:8.2f} s   ratio {naive / once:.1f}")
        _reads("its reads", store)


if __name__ == "__main__":
    main()
