"""`minemap run --submit`: a selection handed to the running daemon as a backfill of Dagster's, and followed."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster import DagsterInstance
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from dagster_project.commands.context import Session, console, counted, note
from dagster_project.commands.progress import failure
from dagster_project.definitions import build_definitions
from dagster_project.first_promotion import user
from dagster_project.forecast import sort
from dagster_project.interrupts import interruptible
from dagster_project.outcomes import Report, Result, State
from dagster_project.run_locks import USER
from dagster_project.step_maker import whole
from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.graph.graph import Scope
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.segmentation.assets import PROMOTED_MODEL
from minemap_assets.segmentation.promotion import promotions

HEARD_SECONDS = 120.0
"""A daemon says about every half minute that it lives; one that has not for so long is taken for dead."""

PAUSE_SECONDS = 2.0

BACKFILLS = "BACKFILL"
"""What Dagster calls the part of the daemon that makes runs of backfills."""

BACKFILL = "dagster/backfill"
"""Tag of a run: the backfill that it belongs to."""


def submit(session: Session, scope: Scope, *, everything: bool = False) -> Report:
    """Hand what is not current (or `everything`) to the daemon, and follow it to its end; gives what came out.

    Stopped by hand it goes on without this command. Raises `BadInputError` where no daemon lives or it could not make
    what is asked for, and `RetryableError` where Dagster itself could not go on with it.
    """
    instance = session.instance()
    _check_daemon(instance)
    refs = _wanted(session, scope, everything=everything)
    if not refs:
        return Report([whole(session.states, ref, State.KEPT) for ref in _named(session, scope)])
    session.project.record_inputs()
    definitions = build_definitions(session.environment, session.home, session.registry)
    backfill = _backfill(definitions, instance, refs)
    following = Following(session, instance, backfill.backfill_id, refs, _newest(instance))
    with interruptible(following.last_words):
        instance.add_backfill(backfill)
        console.print(
            f"Handed {counted(len(refs), 'asset partition')} to the daemon as backfill {backfill.backfill_id}; Ctrl-C "
            "leaves it going on.",
            soft_wrap=True,
        )
        return following.to_the_end()


def _wanted(session: Session, scope: Scope, *, everything: bool) -> list[PartitionRef]:
    """What the daemon is to make, inputs first. Raises `BadInputError` where a model would have to be put in use."""
    found = sort(session.graph, session.states, session.graph.steps(scope))
    if found.stuck:
        note(
            f"{counted(len(found.stuck), 'partition')} cannot be made yet, such as {found.stuck[0]}; `minemap run "
            "--dry-run` says what they lack"
        )
    due = {*found.made, *found.follows, *(found.kept if everything else ())}
    behind = session.graph.closure([PROMOTED_MODEL], upstream=False)
    if not promotions(session.project) and any(session.graph.asset(ref) in behind for ref in due):
        raise BadInputError(
            "no model is in use yet, and runs of the daemon never put one in use: make the first one with `minemap run "
            "--select +model_evaluation`, put it in use with `minemap promote`, and submit the rest then"
        )
    return [ref for ref in _named(session, scope) if ref in due]


def _named(session: Session, scope: Scope) -> list[PartitionRef]:
    return [ref for step in session.graph.steps(scope) for ref in step.refs]


def _check_daemon(instance: DagsterInstance) -> None:
    """Raises `BadInputError` where nobody would take the backfill up."""
    if not _daemon_lives(instance):
        raise BadInputError(
            f"no daemon is running on the instance in {instance.root_directory}: start one with `minemap ui` or as "
            "docs/how-to/deploy.md shows, or leave --submit out to make it in this process"
        )


def _daemon_lives(instance: DagsterInstance) -> bool:
    heartbeat = instance.get_daemon_heartbeats().get(BACKFILLS)
    return heartbeat is not None and time.time() - heartbeat.timestamp < HEARD_SECONDS


def _newest(instance: DagsterInstance) -> int:
    return instance.event_log_storage.get_maximum_record_id() or 0


def _backfill(
    definitions: dg.Definitions, instance: DagsterInstance, refs: Sequence[PartitionRef]
) -> PartitionBackfill:
    """The backfill that the UI would make of these partitions. Raises `BadInputError` for one that Dagster has not."""
    graph = definitions.resolve_asset_graph()
    keys: dict[dg.AssetKey, Collection[str]] = {}
    for ref in refs:
        key, wanted = dg.AssetKey([ref.room, ref.asset]), partition_key(ref.keys)
        if key not in keys:
            partitions: Any = graph.get(key).partitions_def
            store: dict[str, Any] = {"dynamic_partitions_store": instance}
            keys[key] = () if partitions is None else set(partitions.get_partition_keys(**store))
        if wanted is not None and wanted not in keys[key]:
            raise BadInputError(
                f"{ref} is no partition for the daemon yet: a year is one when it is over or something of it is there; "
                "leave --submit out to make it in this process"
            )
    wanted_set = {AssetKeyPartitionKey(dg.AssetKey([r.room, r.asset]), partition_key(r.keys)) for r in refs}
    backfill: PartitionBackfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags={USER: user()},
        dynamic_partitions_store=instance,
        asset_graph_subset=AssetGraphSubset.from_asset_partition_set(wanted_set, graph),
        title="minemap run --submit",
        description=None,
        run_config=None,
    )
    return backfill


@dataclass(eq=False)
class Following:
    """A backfill on its way: what was made since a record of the instance's, and which of its runs failed."""

    session: Session
    instance: DagsterInstance
    backfill: str
    refs: Sequence[PartitionRef]
    since: int
    _made: dict[PartitionRef, None] = field(default_factory=dict)
    _failed: dict[PartitionRef, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _unheard: bool = False

    def to_the_end(self) -> Report:
        """Say what is made while it goes on. Raises `RetryableError` where Dagster gave the backfill up."""
        while True:
            # asked before what it made: what is over has made all that it will
            now = self.instance.get_backfill(self.backfill)
            self._look()
            if now is None:
                raise RetryableError(f"backfill {self.backfill} was deleted; what it made is kept")
            if now.status in BULK_ACTION_TERMINAL_STATUSES:
                return self._ended(now)
            self._listen_for_daemon()
            time.sleep(PAUSE_SECONDS)

    def last_words(self) -> str:
        """What is said where somebody stops following."""
        return (
            f"{len(self._made)} of {len(self.refs)} asset partitions are done, and backfill {self.backfill} goes on "
            "without this command; `minemap ui` shows it, and cancels it"
        )

    def _look(self) -> None:
        """Take notice of what was made and what failed since the last time, and say so."""
        waiting: dict[tuple[str, str], list[PartitionRef]] = {}
        for ref in self.refs:
            if ref not in self._made:
                waiting.setdefault((ref.room, ref.asset), []).append(ref)
        for name, refs in waiting.items():
            recorded = self._recorded(dg.AssetKey(list(name)))
            for ref in refs:
                if partition_key(ref.keys) in recorded:
                    self._made[ref] = None
                    self._failed.pop(ref, None)
                    console.print(f"[{len(self._made)}/{len(self.refs)}] {ref} done", markup=False, soft_wrap=True)
        self._hear_failures()

    def _recorded(self, key: dg.AssetKey) -> set[str | None]:
        """Partitions that were recorded since the backfill began; None is an asset without any."""
        found: set[str | None] = set(self.instance.get_materialized_partitions(key, after_cursor=self.since))
        latest = self.instance.get_latest_materialization_event(key)
        if latest is not None and latest.run_id and self._belongs(latest.run_id):
            found.add(None)
        return found

    def _belongs(self, run_id: str) -> bool:
        run = self.instance.get_run_by_id(run_id)
        return run is not None and run.tags.get(BACKFILL) == self.backfill

    def _hear_failures(self) -> None:
        by_step = {f"{ref.room}__{ref.asset}": ref for ref in self.refs}
        failed = dg.RunsFilter(tags={BACKFILL: self.backfill}, statuses=[dg.DagsterRunStatus.FAILURE])
        for run in self.instance.get_runs(failed):
            if run.run_id in self._seen:
                continue
            self._seen.add(run.run_id)
            for event in self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
                place = by_step.get(event.step_key or "")
                if place is None or event.dagster_event is None:
                    continue
                key = run.tags.get("dagster/partition")
                ref = PartitionRef(place.room, place.asset, tuple(key.split("|")) if key else ())
                error = event.dagster_event.step_failure_data.error
                said = (error.message if error is not None else "it failed").strip().splitlines()
                self._failed[ref] = said[0]
                console.print(f"failed {failure(Result(ref, State.FAILED, said[0]))}", markup=False, soft_wrap=True)

    def _listen_for_daemon(self) -> None:
        lives = _daemon_lives(self.instance)
        if not lives and not self._unheard:
            note(f"the daemon has not been heard of for {HEARD_SECONDS:.0f} s; the backfill goes on when it is back")
        self._unheard = not lives

    def _ended(self, backfill: PartitionBackfill) -> Report:
        if backfill.status is BulkActionStatus.FAILED:
            said = backfill.error.message.strip().splitlines()[-1] if backfill.error is not None else "no reason given"
            raise RetryableError(f"Dagster gave backfill {self.backfill} up: {said}; what it made is kept")
        stopped = f"backfill {self.backfill} was cancelled" if backfill.status is BulkActionStatus.CANCELED else ""
        states = PartitionStates(self.session.graph, self.session.reopened().project)
        results = []
        for ref in self.refs:
            if ref in self._made:
                kept = states.manifest(ref) == self.session.states.manifest(ref)
                results.append(whole(states, ref, State.KEPT if kept else State.MADE))
            elif ref in self._failed:
                results.append(Result(ref, State.FAILED, self._failed[ref]))
            else:
                results.append(Result(ref, State.BLOCKED, stopped or "waits for what failed"))
        return Report(results, stopped=stopped)
