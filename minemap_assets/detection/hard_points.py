"""Points to learn from where a classifier was wrong: patches that it scored high, and that no mine touches."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.detection.detections import outlined
from minemap_assets.detection.sampling_points import FromTruth, SamplingPoints, squares

LEAST_SCORE = 0.02
"""Patches that score less teach next to nothing."""


def hard_points(scores: pd.DataFrame, mines: npt.NDArray[np.object_], wanted: FromTruth) -> SamplingPoints:
    """The middles of at most `wanted.others` patches [patch_id, tile, row, column, longitude, latitude, score] that
    touch no mine (m) and score highest, as points that are none.

    Where mines are missing among the outlines, such a point may be wrong.
    """
    high = scores[scores["score"] >= LEAST_SCORE].sort_values(["score", "patch_id"], ascending=[False, True])
    frame = outlined(high.reset_index(drop=True))
    touching = np.zeros(len(frame), bool)
    touching[shapely.STRtree(mines).query(frame.geometry.to_numpy(), predicate="intersects")[0]] = True
    chosen = frame[~touching].head(wanted.others)
    longitudes, latitudes = (chosen[axis].to_numpy(np.float64) for axis in ("longitude", "latitude"))
    places = squares(longitudes, latitudes, wanted.place_degrees)
    return SamplingPoints(longitudes, latitudes, np.zeros(len(chosen), bool), places)
