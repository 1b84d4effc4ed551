"""The report of many sites: seconds, memory and bytes, and what a site's page takes beside those of a small report.

Run: `python benchmarks/report_size.py [sites ...]`, with `--project` for a finished `tiny` world (a folder with `lake`
and `state`) that is made already. Its sites are written again under other ids into the tables, polygons, mines and
indexes of images that the report reads; the pixels are the same files. Each size is made in a process of its own, the
first, small one as the measure of the others, with a page for every site (`--sheets` for the largest ones only). Prints
one JSON object. Exits with 1 where the first page is larger than 5 MB, or where a page of a site takes more than 1.5
times the processor time that it takes in the small report.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from support.many_reported_sites import many_sites

from dagster_project.environment import Environment
from dagster_project.registry import Registry, home_of
from minemap_assets.graph.context import BuildContext
from minemap_assets.graph.graph import Graph
from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.store import LocalStore
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.report_assets import REPORT

SIZES = (100, 1000)
MOST_BYTES, MOST_RATIO = 5_000_000, 1.5

Figures = dict[str, float]


def _peak_mb() -> float:
    """Most memory that this process had at any time."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def measure(finished: Path, scratch: Path, sites: int, sheets: int) -> Figures:
    """Make the report of so many sites, and of so many of their pages, in this process."""
    shutil.copytree(finished / "lake", scratch / "finished")
    home = home_of(Environment(home=str(scratch / "finished"), state=scratch / "state"))
    Inputs(home.lake.store).change(
        SETTINGS_PATH, lambda held: (held or b"") + f"\n[report]\nsheets = {sheets}\n".encode()
    )
    project = home.open()
    graph = Graph(Registry().rooms, project)
    reads = graph.reads(REPORT, ())
    held = {ref: part for ref in reads if (part := project.lake.find(ref)) is not None}
    inputs = many_sites(project.lake.store, held, sites, scratch / "tables")
    upstream = {ref: reads[ref].upstream for ref in held}
    lake = Lake(LocalStore(scratch / "lake"), scratch / "own")
    before, start, began = _peak_mb(), time.perf_counter(), time.process_time()
    ends: list[float] = []
    pages: list[float] = []

    def build(writer: PartitionWriter) -> Outcome:
        write = writer.write

        def timed(name: str, put: Callable[[Path], object]) -> None:
            write(name, put)
            if name.startswith("sites/"):
                pages.append(time.process_time())

        writer.write = timed  # type: ignore[method-assign]
        outcome = REPORT.build(BuildContext(project, REPORT.ref(), inputs, upstream, writer))
        ends.extend((time.perf_counter() - start, time.process_time() - began))
        return outcome

    manifest, _ = build_partition(lake, REPORT.ref(), code_version="1", config={}, inputs={}, build=build)
    sizes = {file.name: file.bytes for file in manifest.files}
    written = [size for name, size in sizes.items() if name.startswith("sites/")]
    return {
        "sites": sites,
        "sheets": len(written),
        "seconds": round(ends[0], 1),
        "processor_seconds": round(ends[1], 1),
        "processor_seconds_a_sheet": round((pages[-1] - pages[0]) / max(1, len(pages) - 1), 4),
        "memory_before_mb": round(before),
        "peak_mb": round(_peak_mb()),
        "first_page_bytes": sizes["report.html"],
        "sheets_bytes": sum(written),
        "largest_region_page_bytes": max((s for n, s in sizes.items() if n.startswith("regions/")), default=0),
        "all_bytes": sum(sizes.values()),
    }


def _in_a_process(finished: Path, sites: int, sheets: int) -> Figures:
    words = ["--project", str(finished), "--alone", str(sites), "--sheets", str(sheets)]
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    return figures


def _finished(folder: Path) -> Path:
    """A finished `tiny` world."""
    command = [sys.executable, "-m", "dagster_project.cli.main", "demo", "--world", "tiny"]
    own = {"MINEMAP_HOME": str(folder / "lake"), "MINEMAP_STATE": str(folder / "state")}
    subprocess.run(command, env=os.environ | own, stdout=subprocess.DEVNULL, check=True)
    return folder


def main() -> int:
    """Measure, print, and judge."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sites", type=int, nargs="*", default=SIZES, help="how many sites; the first is the small one")
    parser.add_argument("--project", type=Path, help="a folder with the lake and state of a finished tiny world")
    parser.add_argument("--sheets", type=int, default=100_000, help="sites that get a page, at most")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        finished = (options.project or _finished(Path(scratch) / "tiny")).resolve()
        if options.alone is not None:
            print(json.dumps(measure(finished, Path(scratch), options.alone, options.sheets)))
            return 0
        small, *others = [_in_a_process(finished, sites, options.sheets) for sites in options.sites]
    for one in others:
        one["ratio_to_small"] = round(one["processor_seconds_a_sheet"] / small["processor_seconds_a_sheet"], 2)
    print(json.dumps({"small": small, "large": others}, indent=1))
    fits = all(one["first_page_bytes"] <= MOST_BYTES for one in (small, *others))
    return 0 if fits and all(one["ratio_to_small"] <= MOST_RATIO for one in others) else 1


if __name__ == "__main__":
    sys.exit(main())
