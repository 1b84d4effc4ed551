"""Upkeep that starts by itself: a slice of the lake is read every day, so that damage is found before it is needed."""

from datetime import UTC, datetime

import dagster as dg

from dagster_project.registry import Registry
from dagster_project.sensors.switch import on_or_off
from minemap_assets.graph.graph import Graph
from minemap_assets.project.project import ProjectHome

VERIFICATION_DAYS = 30
"""Days in which everything is read once."""

VERIFICATION_CRON = "0 3 * * *"
"""At night, when few read and write."""

_SHOWN = 20
"""Damages that the failure itself lists; its log has them all."""


class VerifySliceConfig(dg.Config):
    """Which part of the lake is read: that of `day` (ISO 8601; empty: today in UTC), of so many `days`."""

    day: str = ""
    days: int = VERIFICATION_DAYS


@dg.op(description="Reads a part of the lake, sets aside what is damaged, and fails where anything is.")
def verify_slice(context: dg.OpExecutionContext, config: VerifySliceConfig, home: dg.ResourceParam[ProjectHome]) -> int:
    """Read the slice of a day; returns how many files that were.

    Raises `dagster.Failure` where anything is damaged, after it was set aside: the next run makes it again.
    """
    from dagster_project.commands.verification import Slice, Verification

    day = datetime.fromisoformat(config.day).date() if config.day else datetime.now(UTC).date()
    project = home.open()
    part = Slice.of_day(day, config.days)
    context.log.info("reading slice %s of %s", part, project.lake.store.root)
    work = Verification(project, Graph(Registry().rooms, project), part)
    found = work.run(lambda damage: context.log.error("%s", damage.sentence))
    said = f"{found.files} files of {found.partitions} partitions read ({found.bytes / 1e6:,.1f} MB), slice {part}"
    by_hand = [*found.inputs, *found.releases]
    damages = [*found.damaged, *by_hand]
    context.log.info("%s: %s damaged or gone", said, len(damages))
    if damages:
        raise dg.Failure(
            f"{said}: {len(damages)} damaged or gone, such as: {damages[0].sentence}",
            metadata={
                "damaged": dg.MetadataValue.json([damage.sentence for damage in damages[:_SHOWN]]),
                "made again by the next run": len(found.damaged),
                "needs a person": len(by_hand),
            },
            allow_retries=False,
        )
    context.add_output_metadata({"slice": str(part), "files": found.files, "size (bytes)": found.bytes})
    return found.files


@dg.job(
    description=f"Reads a part of the lake and compares it with its checksums; {VERIFICATION_DAYS} days in a row read "
    "everything.",
)
def verification() -> None:
    """Read one slice of the lake."""
    verify_slice()


def verification_schedule(status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """The schedule `daily_verification`, turned on or off until somebody says otherwise in the UI."""

    @dg.schedule(
        name="daily_verification",
        job=verification,
        cron_schedule=VERIFICATION_CRON,
        execution_timezone="UTC",
        default_status=status,
        description=f"Reads a part of the lake every night, all of it in {VERIFICATION_DAYS} days; what is damaged is "
        f"set aside, the run fails and so raises the alert, and the next run makes it again{on_or_off(status)}.",
    )
    def daily_verification(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date().isoformat()
        config = dg.RunConfig({"verify_slice": VerifySliceConfig(day=day)})
        return dg.RunRequest(run_key=day, run_config=config)

    return daily_verification


DAILY_VERIFICATION = verification_schedule(dg.DefaultScheduleStatus.STOPPED)

UPKEEP_JOBS = [verification]
