"""Checks of the room tables."""

from datetime import UTC, date, datetime

import pandas as pd

from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.imagery.rules import season_of
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project


def _not_negative(partition: Partition, _: InputContext) -> CheckOutcome:
    name = f"{partition.manifest.asset}.parquet"
    frame = pd.read_parquet(partition.file(name))
    wrong = int((frame["area_km2"] < 0).sum())
    return CheckOutcome(wrong == 0, f"{len(frame) - wrong} of {len(frame)} areas are zero or more", {"wrong": wrong})


AREA_CHECKS = (Check("areas_not_negative", "No area is below zero; unknown areas are null.", _not_negative),)


def latest_closed_year(project: Project, today: date) -> int | None:
    """The last year of the project whose season is over in every active region; None before the first one."""
    regions = project.active_regions().values()
    closed = [year for year in project.years() if all(season_of(region, year).end <= today for region in regions)]
    return max(closed, default=None)


def latest_year(context: InputContext, summaries: object) -> CheckOutcome:
    """Whether the tables of the latest closed year hold every region; freshness alone does not say so, because an
    earlier year that is made again is fresh too.
    """
    year = latest_closed_year(context.project, datetime.now(UTC).date())
    if year is None:
        return CheckOutcome(True, "no year is over yet", {}, only_warns=True)
    found = {ref.keys[0]: one.manifest.summary for ref, one in context.inputs_of(summaries).items()}
    summary = found.get(str(year))
    if summary is None:
        sentence = f"{year}, the latest year that is over, has no tables; `minemap run --years {year}` makes them"
        return CheckOutcome(False, sentence, {"year": year}, only_warns=True)
    expected, missing = int(summary["regions_expected"]), [str(slug) for slug in summary["regions_missing"]]
    facts = {"year": year, "regions": expected, "regions missing": ", ".join(missing) or "none"}
    if missing:
        some = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
        sentence = f"{year}, the latest year that is over, lacks {len(missing)} of {expected} regions ({some})"
        return CheckOutcome(False, sentence, facts, only_warns=True)
    return CheckOutcome(True, f"{year}, the latest year that is over, has all of {expected} regions", facts, True)
