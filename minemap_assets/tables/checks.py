"""Checks of the room tables."""

import pandas as pd

from minemap_assets.graph.materialization import Check, CheckOutcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.project import Project


def _not_negative(partition: Partition, _: Project) -> CheckOutcome:
    name = f"{partition.manifest.asset}.parquet"
    frame = pd.read_parquet(partition.file(name))
    wrong = int((frame["area_km2"] < 0).sum())
    return CheckOutcome(wrong == 0, f"{len(frame) - wrong} of {len(frame)} areas are zero or more", {"wrong": wrong})


_AREAS = Check("areas_not_negative", "No area is below zero; unknown areas are null.", _not_negative)

TABLE_CHECKS: dict[str, tuple[Check, ...]] = {
    "polygons": (_AREAS,),
    "site_panel": (_AREAS,),
    "country_summary": (_AREAS,),
    "region_summary": (_AREAS,),
}
