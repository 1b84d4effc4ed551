"""Failures that somebody should hear of: of runs, and of the sensors and schedules that start them; like with like.

A run that Dagster itself tries again has not failed yet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from dagster_project.alerts.alert_environment import link_to, without_secrets
from minemap_assets.lake.manifests import digest

MOST = 2_000
"""Failures looked at in one tick; the others come with the next."""

_WILL_RETRY = "dagster/will_retry"
_LONGEST = 600
_SHOWN = 5


@dataclass(frozen=True)
class Failure:
    """One failure. `subject` is what failed, in words of its own; `kind` is the same for all of that sort."""

    kind: str
    subject: str
    sentence: str
    run_id: str = ""
    job: str = ""
    partition: str = ""
    step: str = ""

    @property
    def signature(self) -> str:
        """The same for failures that somebody would call the same: whatever partition, number or run is named."""
        words = self.sentence
        for key in self.partition.split("|"):
            words = words.replace(key, "*") if key else words
        return digest([self.kind, re.sub(r"[0-9a-f]{6,}|\d+", "#", words)])[:16]


@dataclass(frozen=True)
class Gathered:
    """Failures of one signature."""

    failures: tuple[Failure, ...]

    @property
    def first(self) -> Failure:
        """The one that is told."""
        return self.failures[0]

    @property
    def sentence(self) -> str:
        """What failed, what is wrong, and where to look."""
        first, others = self.first, len(self.failures) - 1
        also = [failure.partition or failure.run_id[:8] for failure in self.failures[1 : _SHOWN + 1]]
        more = f", {others - len(also)} more" if others > len(also) else ""
        same = f" (and {others} more like it: {', '.join(also)}{more})" if others else ""
        link = link_to(first.run_id) if first.run_id else ""
        where = f"; see {link}" if link else "; `minemap status` shows what is not current"
        return f"{first.subject} failed{same}: {first.sentence.rstrip('. ')}{where}"


@dataclass(frozen=True)
class Found:
    """Failures since a moment, and the marks of the last ones: a run's storage id, a tick's seconds since 1970."""

    failures: tuple[Failure, ...]
    run_mark: int
    tick_mark: float
    is_all: bool

    @property
    def gathered(self) -> tuple[Gathered, ...]:
        """Like with like, in the order in which they came."""
        by_signature: dict[str, list[Failure]] = {}
        for failure in self.failures:
            by_signature.setdefault(failure.signature, []).append(failure)
        return tuple(Gathered(tuple(members)) for members in by_signature.values())


def last_run_mark(instance: dg.DagsterInstance) -> int:
    """The mark of the newest failure of a run; 0 where none has failed yet."""
    records = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    return records[0].storage_id if records else 0


def failures_since(instance: dg.DagsterInstance, run_mark: int, tick_mark: float) -> Found:
    """What failed after two marks."""
    wanted = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=run_mark)
    records = instance.fetch_run_status_changes(wanted, limit=MOST, ascending=True).records
    runs = [(record.storage_id, _of_run(instance, record.run_id)) for record in records]
    ticks = list(_of_ticks(instance, tick_mark))
    return Found(
        tuple([failure for _, failure in runs if failure is not None] + [failure for _, failure in ticks]),
        max((mark for mark, _ in runs), default=run_mark),
        max((moment for moment, _ in ticks), default=tick_mark),
        len(records) < MOST,
    )


def _of_run(instance: dg.DagsterInstance, run_id: str) -> Failure | None:
    """The failure of a run; None for one that is tried again, or was removed since."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.tags.get(_WILL_RETRY) == "true":
        return None
    step, sentence = _first_cause(instance, run_id)
    partition = run.tags.get("dagster/partition", "")
    asset = step.split("__")[-1] if "__" in step else step or run.job_name
    subject = f"{asset}[{partition}]" if partition else asset
    told = _one_line(sentence or "its process ended without a word; the machine may have run out of memory")
    said = f"{subject} in run {run_id[:8]}"
    return Failure(f"{run.job_name} {step}", said, told, run_id, run.job_name, partition, step)


def _first_cause(instance: dg.DagsterInstance, run_id: str) -> tuple[str, str]:
    """The step that failed first and why; else what the run itself says."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    page = instance.get_records_for_run(run_id, of_type=kinds, limit=_SHOWN)
    said = ""
    for record in page.records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.event_type is dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            own = data.user_failure_data.description if data.user_failure_data is not None else None
            return event.step_key or "", own or (data.error.message if data.error is not None else "")
        said = said or (event.message or "" if event is not None else "")
    return "", said


def _of_ticks(instance: dg.DagsterInstance, since: float) -> Iterator[tuple[float, Failure]]:
    """Failed ticks of schedules and sensors: what keeps them from asking for anything."""
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=since, limit=_SHOWN, statuses=[TickStatus.FAILURE]
        )
        for tick in ticks:
            if tick.timestamp > since:
                name = state.instigator_name
                sentence = _one_line(tick.error.message if tick.error is not None else "it says no more")
                yield tick.timestamp, Failure(f"tick {name}", f"{name}, which starts runs,", sentence)


def _one_line(text: str) -> str:
    """The first lines of a text as one, without secrets and not too long."""
    line = " ".join(without_secrets(text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
