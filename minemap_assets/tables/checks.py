"""Checks of the room tables."""

import pandas as pd

from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.lake.partitions import Partition


def _not_negative(partition: Partition, _: InputContext) -> CheckOutcome:
    name = f"{partition.manifest.asset}.parquet"
    frame = pd.read_parquet(partition.file(name))
    wrong = int((frame["area_km2"] < 0).sum())
    return CheckOutcome(wrong == 0, f"{len(frame) - wrong} of {len(frame)} areas are zero or more", {"wrong": wrong})


AREA_CHECKS = (Check("areas_not_negative", "No area is below zero; unknown areas are null.", _not_negative),)
