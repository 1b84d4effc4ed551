"""The picture of a training: the loss of every member, step by step, and the scores where there are any."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.geo.pictures import INK, SIDE, Swatch, Tile, sheet
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.artefact import LOG, MODEL

LINES = ((37, 99, 235), (217, 119, 6), (5, 150, 105), (190, 24, 93), (109, 40, 217))
"""One for each member; they come round again."""

SCORE = (220, 38, 38)
GRID = (209, 213, 219)

_INSET = 14
_WINDOW = 25
"""Losses are shown as means over about a twenty-fifth of all steps: single batches differ too much."""

Image = npt.NDArray[np.uint8]


def curves_picture(partition: Partition) -> bytes:
    """WebP of the training log of a partition that holds a model."""
    log = pd.read_parquet(partition.tree(MODEL) / LOG)
    members = log["member"].nunique()
    swatches = [Swatch(LINES[:members], "loss of each member, from 0 (bottom) to the highest")]
    if log["validation_iou"].notna().any():
        swatches.append(Swatch((SCORE,), "highest IoU in validation, 0 to 1"))
    first, last = (float(log[log["step"] == step]["loss"].mean()) for step in (log["step"].min(), log["step"].max()))
    title = f"{int(log['step'].max()):,} steps of {members} {'member' if members == 1 else 'members'}"
    return sheet(title, [Tile(curves(log), f"loss {first:.2f} to {last:.2f}", 0.0)], tuple(swatches))


def curves(log: pd.DataFrame) -> Image:
    """Losses and scores against steps, (`SIDE`, `SIDE`, 3)."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    picture = Pictures.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    low, high = _INSET, SIDE - _INSET
    draw.rectangle((low, low, high, high), outline=GRID)
    steps = max(2, int(log["step"].max()))
    smooth = {
        number: own["loss"].rolling(max(1, len(own) // _WINDOW), min_periods=1).mean()
        for number, own in log.groupby("member", sort=True)
    }
    top = max(float(values.max()) for values in smooth.values()) or 1.0
    for place, (number, values) in enumerate(smooth.items()):
        own = log[log["member"] == number]
        points = list(zip(_across(own["step"], steps), high - values / top * (high - low), strict=True))
        draw.line(points, fill=LINES[place % len(LINES)], width=2)
        judged = own.dropna(subset="validation_iou")
        for x, score in zip(_across(judged["step"], steps), judged["validation_iou"], strict=True):
            y = high - float(score) * (high - low)
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=SCORE)
    draw.text((low + 4, high - 14), f"{steps:,} steps", fill=INK)
    return np.asarray(picture)


def _across(steps: "pd.Series[int]", last: int) -> npt.NDArray[np.float64]:
    share = np.asarray((steps.to_numpy() - 1.0) / (last - 1.0), dtype=np.float64)
    return _INSET + share * (SIDE - 2 * _INSET)
