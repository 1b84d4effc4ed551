"""Checks of the room detection."""

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.detection.schemas import DETECTIONS, PATCH_SCORES
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.quality import positive_areas, valid_geometries

SHOWN = 5
TOLERANCE = 1e-6


def _tiles_fetched(partition: Partition, _: InputContext) -> CheckOutcome:
    """Whether every tile was fetched that a source has; the others are asked for again by the next run."""
    failed = [one for one in partition.manifest.missing if one.retry]
    facts = {"failed": len(failed), "without an image": len(partition.manifest.missing) - len(failed)}
    if not failed:
        return CheckOutcome(True, "every tile that a source has was fetched", facts, only_warns=True)
    named = ", ".join(one.item for one in failed[:SHOWN])
    return CheckOutcome(
        False,
        f"{len(failed)} tiles failed ({named}: {failed[0].reason}); the next run tries them again",
        facts,
        only_warns=True,
    )


def scores_whole(table: pd.DataFrame, members: int) -> CheckOutcome:
    """Whether patches [score, member_scores] are scored by all members or by none, with their mean between 0 and 1."""
    score, counts = table["score"].to_numpy(np.float64), table["member_scores"].map(len).to_numpy(np.int64)
    observed = ~np.isnan(score)
    good = counts == np.where(observed, members, 0)
    whole = np.flatnonzero(observed & good)
    if len(whole):
        own = np.stack(table["member_scores"].iloc[whole].to_list()).astype(np.float64)
        good[whole] = (own >= 0).all(1) & (own <= 1).all(1) & (np.abs(own.mean(1) - score[whole]) < TOLERANCE)
    bad = int((~good).sum())
    sentence = f"{len(table) - bad:,} of {len(table):,} patches have the scores of all {members} members, or none"
    return CheckOutcome(bad == 0, sentence, {"patches": len(table), "observed": int(observed.sum()), "wrong": bad})


def _scores_whole(partition: Partition, _: InputContext) -> CheckOutcome:
    table = pd.read_parquet(partition.file(PATCH_SCORES.file), columns=["score", "member_scores"])
    return scores_whole(table, int(partition.manifest.summary["members"]))


def _outlines(partition: Partition) -> gpd.GeoDataFrame:
    return read_geoparquet(partition.file(DETECTIONS.file)).rename(columns={"patch_area_km2": "area_km2"})


TILE_CHECKS = (
    Check("tiles_fetched", "No tile failed; those that did are tried again by the next run.", _tiles_fetched),
)
SCORE_CHECKS = (
    Check("scores_whole", "Every observed patch has a score of each member, and no other has one.", _scores_whole),
)
DETECTION_CHECKS = (
    Check("valid_geometries", "Every outline is a valid polygon.", lambda made, _: valid_geometries(_outlines(made))),
    Check("positive_areas", "Every area is above zero.", lambda made, _: positive_areas(_outlines(made))),
)
