"""The sensor `reconcile`: what is not current and can be made is asked for, little by little.

It is slow on purpose: what automation asks for is left to automation, nothing is asked for while its inputs are being
made, and no more runs are under way at a time than the settings allow.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from dagster_project.reconciling import Turn, Walk
from dagster_project.sensors.polling import Deadline
from dagster_project.sensors.requests import asset_request, attempts, loaded, under_way
from dagster_project.sensors.switch import on_or_off
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.statement import Room
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.operations import OperationsConfig
from minemap_assets.project.project import Project, ProjectHome

TICK_PAUSE_SECONDS = 300

CAUSE = "reconcile"


def ask_for_what_is_due(
    context: dg.SensorEvaluationContext, home: ProjectHome, rooms: Sequence[Room], now: datetime
) -> dg.SensorResult:
    """One tick at a moment."""
    deadline, project = Deadline(), home.open()
    config, there, graph = project.section(OperationsConfig), loaded(context), Graph(rooms, project)
    work = under_way(context.instance, graph, now)
    last: dict[PartitionRef, str] = {}

    def turn(ref: PartitionRef) -> Turn:
        if ref in work.making:
            return Turn.IS_MADE
        if not there.has(graph, ref):
            return Turn.RESTS
        before = attempts(context.instance, ref, config, now)
        last[ref] = before.last
        return Turn.RESTS if before.rests else Turn.NOW

    walk = Walk(graph, PartitionStates(graph, project), turn, deadline.is_over, work.making | work.recent)
    due = walk.due(max(0, config.requests_at_once - work.asked), _begin(context.cursor, graph, project))
    for sentence in list(walk.hopeless.values())[:1]:
        context.log.warning("%d partitions cannot be made, such as: %s", len(walk.hopeless), sentence)
    requests = [asset_request(graph, project, ref, CAUSE, last[ref]) for ref in due]
    return dg.SensorResult(run_requests=requests, cursor=walk.cut.prefix if walk.cut is not None else "")


def reconcile(rooms: Sequence[Room], status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor, turned on or off until somebody says otherwise in the UI."""

    @dg.sensor(
        name="reconcile",
        asset_selection=dg.AssetSelection.all(),
        minimum_interval_seconds=TICK_PAUSE_SECONDS,
        default_status=status,
        description="Makes again, a few at a time, what is outdated, damaged, failed or has gaps, failed images with "
        f"growing pauses of up to a day, and never trains or promotes{on_or_off(status)}.",
    )
    def _reconcile(context: dg.SensorEvaluationContext, home: dg.ResourceParam[ProjectHome]) -> dg.SensorResult:
        return ask_for_what_is_due(context, home, rooms, datetime.now(UTC))

    return _reconcile


def _begin(cursor: str | None, graph: Graph, project: Project) -> PartitionRef | None:
    """Where the last tick stopped; None for the first partition, also where that one is gone."""
    if not cursor:
        return None
    room, name, *keys = cursor.split("/")
    ref = PartitionRef(room, name, tuple(keys))
    assets = {(asset.room, asset.name): asset for asset in graph.assets}
    asset = assets.get((room, name))
    return ref if asset is not None and ref.keys in asset.partitions.every(project) else None
