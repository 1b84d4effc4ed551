"""Checks of the room reference."""

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.lake.partitions import Partition


def _valid(partition: Partition, _: InputContext) -> CheckOutcome:
    name = next(n for n in partition.names() if n.endswith(".parquet"))
    frame = read_geoparquet(partition.file(name))
    broken = int((~frame.geometry.is_valid | frame.geometry.is_empty).sum())
    sentence = f"{len(frame) - broken} of {len(frame)} geometries are valid"
    return CheckOutcome(broken == 0 and len(frame) > 0, sentence, {"geometries": len(frame), "broken": broken})


GEOMETRY_CHECKS = (Check("valid_geometries", "The set has geometries, and every one is valid and not empty.", _valid),)
