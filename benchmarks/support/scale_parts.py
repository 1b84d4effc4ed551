"""What `scale.py` measures, each in a process of its own, so that peaks of memory do not mix."""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from dagster import AssetRecordsFilter, DagsterInstance

from dagster_project.commands.context import Session
from dagster_project.definitions import build_definitions
from dagster_project.environment import Environment
from dagster_project.graph_shape import graph_shape
from dagster_project.reconciling import due_now
from dagster_project.registry import Registry, home_of
from dagster_project.restoring import restore_all
from minemap_assets.graph.dagster_assets import asset_key
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES

Figures = dict[str, float]

SETTLING_TICKS = 20
"""Ticks after which memory is first looked at: caches are filled by then."""


def _session(folder: Path) -> Session:
    environment = Environment(home=str(folder / "lake"), state=folder / "state")
    return Session(environment, Registry(), home_of(environment))


def _peak_mb() -> float:
    """Most memory that this process had at any time."""
    # what getrusage tells begins with the memory of the process that started this one
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def _now_mb() -> float:
    """Memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def restoring(folder: Path, _: int) -> Figures:
    """A new instance is told what the lake holds."""
    session = _session(folder)
    with session.instance() as instance:
        before = _peak_mb()
        start = time.perf_counter()
        count = restore_all(instance, session.graph, session.states)
        seconds, peak = time.perf_counter() - start, _peak_mb()
        again = _seconds(lambda: restore_all(instance, session.graph, session.states))
        sizes = _event_bytes(instance)
    return {
        "partitions": count,
        "seconds": seconds,
        "peak_mb": peak,
        "imported_mb": before,
        "again_seconds": again,
        "median_event_kb": statistics.median(sizes) / 1e3,
        "largest_event_kb": max(sizes) / 1e3,
    }


def _event_bytes(instance: DagsterInstance) -> list[int]:
    """How many bytes the instance keeps of each event of imagery."""
    found = instance.fetch_materializations(AssetRecordsFilter(asset_key=asset_key(COMPOSITES)), limit=1000)
    return [len(dg.serialize_value(record.event_log_entry)) for record in found.records]


def asking(folder: Path, _: int) -> Figures:
    """What the UI's services ask again and again, and what a person asks of one partition."""
    session = _session(folder)
    graph, project = session.graph, session.project
    environment = session.environment
    loading = _seconds(lambda: build_definitions(environment, session.home))
    shape = _seconds(lambda: graph_shape(session.home, session.registry))
    due = _seconds(lambda: due_now(graph, session.states, 50))
    country, image = COUNTRY_BOUNDARIES.ref(), COMPOSITES.ref((next(iter(project.active_regions())), "2019"))
    following = _seconds(lambda: graph.followers(country))
    one = _seconds(lambda: graph.followers(image))
    return {
        "definitions_seconds": loading,
        "shape_seconds": shape,
        "due_seconds": due,
        "followers_of_borders_seconds": following,
        "followers_of_an_image_seconds": one,
        "peak_mb": _peak_mb(),
    }


def ticks(folder: Path, count: int) -> Figures:
    """Ticks of automation over a lake in which nothing changes, as the daemon evaluates them."""
    session = _session(folder)
    definitions = build_definitions(session.environment, session.home)
    cursor, seconds, requested, settled = None, list[float](), 0, 0.0
    with session.instance() as instance:
        for number in range(count):
            start = time.perf_counter()
            result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
            seconds.append(time.perf_counter() - start)
            cursor, requested = result.cursor, requested + result.total_requested
            if number == min(SETTLING_TICKS, count - 1):
                settled = _now_mb()
    return {
        "ticks": count,
        "first_seconds": seconds[0],
        "median_seconds": statistics.median(seconds),
        "requested": requested,
        "peak_mb": _peak_mb(),
        "growth_mb": _now_mb() - settled,
    }


PARTS: dict[str, Callable[[Path, int], Figures]] = {"restoring": restoring, "asking": asking, "ticks": ticks}
