"""Checks of the room chips."""

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.lake.partitions import Partition


def _no_empty(partition: Partition, _: InputContext) -> CheckOutcome:
    index = read_geoparquet(partition.file("index.parquet"))
    empty = int((index["observed_fraction"] <= 0).sum())
    sentence = f"{len(index) - empty} of {len(index)} chips hold observed pixels"
    return CheckOutcome(empty == 0, sentence, {"chips": len(index), "empty": empty})


CHIP_CHECKS = (Check("no_empty_chips", "Every chip holds at least one observed pixel.", _no_empty),)
