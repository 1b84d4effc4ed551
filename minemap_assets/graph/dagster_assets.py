"""How the statements become Dagster's: asset definitions with dependencies, checks, metadata and automation; jobs."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from minemap_assets.errors import BadInputError, MinemapError
from minemap_assets.graph.automation import condition
from minemap_assets.graph.context import CheckOutcome
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.launches import ATTENDED, launched, say_what_is_made
from minemap_assets.graph.metadata import KEPT, MADE, RESTORED, made_metadata, static_metadata
from minemap_assets.graph.partition_states import Made, PartitionStates
from minemap_assets.graph.partitioning import lake_keys, partition_key
from minemap_assets.graph.routing import routing_tags
from minemap_assets.graph.statement import Asset, Room
from minemap_assets.graph.step_failures import StepFailedError, StepStoppedError
from minemap_assets.graph.step_log import StepLog, duration
from minemap_assets.graph.step_retries import STEP_RETRIES, worth_another_try
from minemap_assets.lake.manifests import DamagedError, Manifest, PartitionRef
from minemap_assets.project.project import Project, ProjectHome

OWNERS = ["team:mapping"]


def asset_key(asset: Asset) -> dg.AssetKey:
    """Room and name."""
    return dg.AssetKey([asset.room, asset.name])


def asset_definitions(graph: Graph, project: Project) -> list[dg.AssetsDefinition]:
    """Every asset of the graph for Dagster. The resource `home` says where the project lies."""
    return [_definition(asset, graph, project) for asset in graph.assets]


def job_definitions(graph: Graph) -> list[Any]:
    """The named jobs."""
    return [
        dg.define_asset_job(
            job.name, dg.AssetSelection.assets(*(asset_key(a) for a in assets)), description=job.description
        )
        for job, assets in graph.jobs().items()
    ]


def materialization(project: Project, asset: Asset, manifest: Manifest, why: str) -> dg.AssetMaterialization:
    """The event that tells Dagster of a partition which no run of it made."""
    return dg.AssetMaterialization(
        asset_key(asset),
        partition=partition_key(manifest.ref.keys),
        metadata=made_metadata(project, asset, manifest, story=RESTORED),
        tags={"dagster/data_version": manifest.content},
        description=why,
    )


def _definition(asset: Asset, graph: Graph, project: Project) -> dg.AssetsDefinition:
    rooms, partitions = graph.rooms, asset.partitions.definition(project)

    @dg.asset(
        name=asset.name,
        key_prefix=[asset.room],
        group_name=asset.room,
        description=asset.description,
        deps=_deps(asset, graph, project),
        partitions_def=partitions,
        kinds=set(asset.kinds),
        owners=OWNERS,
        code_version=asset.code_version,
        check_specs=_check_specs(asset, partitions),
        pool=asset.pool,
        op_tags=routing_tags(asset.op_tags),
        retry_policy=STEP_RETRIES,
        automation_condition=condition(asset, graph) if asset.automated and graph.applies(asset) else None,
        freshness_policy=_freshness_policy(asset),
        metadata=static_metadata(asset, graph),
    )
    def _asset(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[ProjectHome]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from _materialize(context, asset, rooms, home)

    return _asset


def _deps(asset: Asset, graph: Graph, project: Project) -> list[dg.AssetDep]:
    return [
        dg.AssetDep(
            asset_key(upstream),
            partition_mapping=dep.mapping.dagster(project, upstream.partitions, asset.partitions),
        )
        for dep, upstream in graph.widest(asset)
    ]


def _freshness_policy(asset: Asset) -> dg.FreshnessPolicy | None:
    if asset.freshness is None:
        return None
    return dg.FreshnessPolicy.cron(
        deadline_cron=asset.freshness.deadline, lower_bound_delta=timedelta(days=asset.freshness.days)
    )


def _check_specs(asset: Asset, partitions: dg.PartitionsDefinition[Any] | None) -> list[dg.AssetCheckSpec]:
    """All checks block what lies downstream."""
    with warnings.catch_warnings():
        # Results by partition are marked as a preview; the pinned version was tried with them.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                c.name, asset=asset_key(asset), description=c.description, blocking=True, partitions_def=partitions
            )
            for c in asset.checks
        ]


def _materialize(
    context: dg.AssetExecutionContext, asset: Asset, rooms: Sequence[Room], home: ProjectHome
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """Make (or keep) the partition the context names and report it.

    The partition stays in the lake when a check fails, for people to look at, but its manifest says so and it is not
    recorded as materialised: so nothing downstream starts, in this run, a later one or by automation.
    """
    ref = asset.ref(lake_keys(context.partition_key if context.has_partition_key else None))
    run = context.run
    say_what_is_made(context.instance, run, context.job_def.asset_layer.selected_asset_keys)
    context.log.info("%s: looking at what it depends on", ref)
    try:
        project = home.open()
        log = StepLog(project.listener, context.log)
        project = project.told(log)
        graph = Graph(rooms, project)
        _require_something_to_make(asset, graph)
        states = PartitionStates(graph, project)
        with launched(project, run.tags, run.run_id):
            made, facts = _make(asset, ref, states)
        project.record_inputs()
    except MinemapError as error:
        # without its cause: it was foreseen, and the sentence says what to do
        raise StepFailedError(str(error), allow_retries=worth_another_try(error, run.tags)) from None
    except Exception as error:
        if worth_another_try(error, run.tags):
            raise
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as stop:
        raise StepStoppedError(f"{ref} was stopped; what is done of it is kept") from stop
    for manifest in states.healed:
        context.log_event(materialization(project, graph.asset(manifest.ref), manifest, "Made again: it was damaged"))
    context.log.info("%s: %s", ref, f"made in {duration(log.seconds)}" if made.now else KEPT)
    yield from _check_results(made.findings)
    if made.failures:
        project.listener.failed(ref, MinemapError("; ".join(made.failures)))
        passing = ATTENDED not in run.tags and any(one.retry for one in made.manifest.missing)
        raise StepFailedError("; ".join(made.failures), allow_retries=passing, metadata=facts)
    project.listener.finished(ref, made.now)
    yield dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(made.manifest.content))


def _require_something_to_make(asset: Asset, graph: Graph) -> None:
    if not graph.applies(asset):
        raise BadInputError(f"{asset}: this project has nothing to make it from; it holds: {asset.description}")


def _check_results(findings: Mapping[str, CheckOutcome]) -> Iterator[dg.AssetCheckResult]:
    for name, found in findings.items():
        yield dg.AssetCheckResult(
            passed=found.passed,
            check_name=name,
            severity=dg.AssetCheckSeverity.WARN if found.only_warns else dg.AssetCheckSeverity.ERROR,
            description=found.sentence,
            metadata=dict(found.facts),
        )


def _make(asset: Asset, ref: PartitionRef, states: PartitionStates) -> tuple[Made, dict[str, Any]]:
    """Make the partition and tell its facts; whoever listens hears of a failure of any kind, interruptions included."""
    try:
        with states.project.lake.store.using():
            made = states.make(asset, ref.keys)
            try:
                return made, made_metadata(states.project, asset, made.manifest, story=MADE if made.now else KEPT)
            except DamagedError as damage:
                states.set_aside(damage)
                made = states.make(asset, ref.keys)
                return made, made_metadata(states.project, asset, made.manifest, story=MADE if made.now else KEPT)
    except BaseException as error:
        states.project.listener.failed(ref, error)
        raise
