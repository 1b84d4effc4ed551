"""What `minemap metrics` tells: how much is made and current, runs and steps, bytes, and how old the maps are."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from dagster_project.commands.context import Session
from dagster_project.commands.metrics_format import Family, Kind, Sample
from dagster_project.commands.pruning import size_of
from dagster_project.commands.step_totals import Totals, count_runs
from dagster_project.environment import CACHES, COPIES
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.graph.routing import wants_accelerator
from minemap_assets.lake.input_history import FOLDER as INPUTS
from minemap_assets.lake.trash import QUARANTINE, TRASH
from minemap_assets.segmentation.config import SegmentationConfig
from minemap_assets.tables.assets import REGION_SUMMARY

NVIDIA = Path("/dev/nvidiactl")
"""There where the system has a GPU that torch computes on."""

CLUSTERS = frozenset({"ray", "k8s"})
"""Executors that give a GPU to whatever step asks for the accelerator."""

_UNDER_WAY = ("queued", "not_started", "starting", "started", "canceling")


def metrics(session: Session, instance: DagsterInstance, now: datetime | None = None) -> list[Family]:
    """Every family, from the lake and the instance."""
    totals = count_runs(instance, session.environment.state.expanduser().absolute())
    return [
        *_partitions(session),
        *_latest_year(session, now or datetime.now(UTC)),
        *_runs(instance, totals),
        *_steps(session, totals),
        *_bytes(session),
    ]


def _family(name: str, help_: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> Family:
    samples = [Sample(value, dict(zip(labels, key, strict=True))) for key, value in sorted(values)]
    return Family(f"minemap_{name}", help_, samples)


def _partitions(session: Session) -> Iterator[Family]:
    project = session.project
    scope = Scope(frozenset(session.graph.assets), tuple(project.active_regions()), tuple(project.closed_years()))
    counts = Counter[tuple[str, ...]]()
    gaps, rejected = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for step in session.graph.steps(scope):
        for asset in step.assets:
            counts[str(asset), session.states.state(asset, step.keys).value] += 1
            manifest = session.states.manifest(asset.ref(step.keys))
            if manifest is not None and manifest.missing:
                gaps[str(asset),] += len(manifest.missing)
            if manifest is not None and manifest.rejected:
                rejected[str(asset),] += 1
    every = {(asset, state.value): counts[asset, state.value] for asset, _ in counts for state in PartitionState}
    yield _family("partitions", "Partitions of active regions and closed years.", every.items(), "asset", "state")
    yield _family("missing_items", "Items, such as sites, that partitions lack.", gaps.items(), "asset")
    yield _family("rejected_partitions", "Partitions that failed a check.", rejected.items(), "asset")
    regions = {("active",): len(project.active_regions()), ("retired",): 0}
    regions["retired",] = len(project.regions) - regions["active",]
    yield _family("regions", "Regions of the regions file.", regions.items(), "state")


def _latest_year(session: Session, now: datetime) -> Iterator[Family]:
    """Nothing before a first year is complete."""
    years = [
        int(manifest.ref.keys[0])
        for manifest in session.project.lake.manifests(REGION_SUMMARY.room, REGION_SUMMARY.name)
        if manifest.complete and not manifest.summary.get("regions_missing", ("?",))
    ]
    if years:
        year = max(years)
        age = (now - datetime(year + 1, 1, 1, tzinfo=UTC)).total_seconds()
        yield _family("latest_complete_year", "The latest year with tables of every region.", [((), year)])
        yield _family("latest_complete_year_age_seconds", "Time since the end of that year.", [((), age)])


def _runs(instance: DagsterInstance, totals: Totals) -> Iterator[Family]:
    now = {
        (name,): instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus(name.upper())]))
        for name in _UNDER_WAY
    }
    yield _family("runs_under_way", "Runs that have not ended.", now.items(), "status")
    ended = {(name,): float(totals.runs.get(name, 0)) for name in ("success", "failure", "canceled")}
    yield _counter(_family("runs_total", "Runs that ended, by how.", ended.items(), "status"))


def _counter(family: Family) -> Family:
    return Family(family.name, family.help, family.samples, Kind.COUNTER)


def _steps(session: Session, totals: Totals) -> Iterator[Family]:
    steps = {(asset,): float(number) for asset, number in totals.steps.items()}
    failed = {(asset,): float(totals.failed_steps.get(asset, 0)) for asset in totals.steps}
    seconds = {(asset,): number for asset, number in totals.seconds.items()}
    yield _counter(_family("steps_total", "Steps that ended.", steps.items(), "asset"))
    yield _counter(_family("failed_steps_total", "Steps that failed.", failed.items(), "asset"))
    yield _counter(_family("step_seconds_total", "Seconds that steps took.", seconds.items(), "asset"))
    wanting = {str(asset) for asset in session.graph.assets if wants_accelerator(asset.op_tags)}
    gpu = {key: value if has_accelerator(session) else 0.0 for key, value in seconds.items() if key[0] in wanting}
    said = "Seconds that steps which ask for the accelerator took, where there is one."
    yield _counter(_family("gpu_seconds_total", said, gpu.items(), "asset"))


def has_accelerator(session: Session) -> bool:
    """Whether steps that ask for the accelerator get one: a cluster gives it, or this machine has it."""
    if session.environment.executor in CLUSTERS:
        return True
    return session.project.section(SegmentationConfig).device != "cpu" and NVIDIA.exists()


def _bytes(session: Session) -> Iterator[Family]:
    store = session.project.lake.store
    rooms = [*dict.fromkeys(asset.room for asset in session.graph.assets), INPUTS, TRASH, QUARANTINE]
    files, sizes = dict[tuple[str, ...], float](), dict[tuple[str, ...], float]()
    for room in rooms:
        entries = store.entries(room)
        files[room.lstrip("."),] = len(entries)
        sizes[room.lstrip("."),] = sum(entry.bytes for entry in entries.values())
    yield _family("lake_bytes", "Bytes in the lake.", sizes.items(), "room")
    yield _family("lake_files", "Files in the lake.", files.items(), "room")
    state = session.project.lake.state
    caches = {(name,): float(size_of([state / name])[1]) for name in (*COPIES, *CACHES)}
    yield _family("cache_bytes", "Bytes of caches of this machine.", caches.items(), "cache")
    size = float(size_of([session.environment.dagster_home])[1])
    yield _family("dagster_bytes", "Bytes of Dagster's home.", [((), size)])
