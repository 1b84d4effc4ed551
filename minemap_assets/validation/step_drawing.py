"""The figure of source continuity: how far areas in one product are from those in the other, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.geo.pictures import INK, SIDE, Colour, Swatch, Tile, sentence_picture, sheet
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.evaluation.mine_sizes import SIZES
from minemap_assets.validation.continuity import ALL_GROUND, EVERYTHING, HELD_OUT, SUMMARY, TRAINED_ON

NOTHING = "No site was seen by two products in the reference year: there is no step to show."

GRID: Colour = (209, 213, 219)
COLOURS: Mapping[str, Colour] = {ALL_GROUND: INK, HELD_OUT: (37, 99, 235), TRAINED_ON: (217, 119, 6)}

LEGEND = (
    Swatch((INK,), "all sites: area in the second product over that in the first, 95 % interval"),
    Swatch((COLOURS[HELD_OUT],), "sites that no model was trained on"),
    Swatch((COLOURS[TRAINED_ON],), "the others"),
)

_TITLES = {"all": "all sites", "country": "by country", "size": "by size of mine", "baseline": "by baseline"}
_MOST_ROWS = 8
_LABEL = 78
_INSET = 8
_LONGEST_LABEL = 12
_REACH = 0.1
"""Of the axis at least, on each side of 1."""

Image = npt.NDArray[np.uint8]


def step_picture(partition: Partition) -> bytes:
    """WebP of a `source_continuity` partition: the first pair of products, all sites and by country, size, baseline."""
    summary = pd.read_parquet(partition.file(SUMMARY))
    summary = summary[summary["area_ratio"].notna()]
    if not len(summary):
        return sentence_picture(NOTHING)
    first = summary.iloc[0]
    of_pair = summary[(summary["product"] == first["product"]) & (summary["other_product"] == first["other_product"])]
    low, high = _axis(of_pair)
    tiles = []
    for stratum, title in _TITLES.items():
        rows = of_pair[of_pair["stratum"] == stratum]
        if stratum != EVERYTHING:
            rows = rows[rows["ground"] == ALL_GROUND].nlargest(_MOST_ROWS, "area_km2")
        if stratum == "size":
            rows = rows.sort_values("group", key=lambda groups: groups.map(SIZES.index))
        if len(rows):
            tiles.append(Tile(_drawn(rows.to_dict("records"), stratum, low, high), title, 0.0))
    return sheet(f"{first['other_product']} over {first['product']}, {low:.2f} to {high:.2f}", tiles, LEGEND)


def _axis(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: all ratios and the intervals of all sites together, as far as 1 on the same side is shown."""
    ends = rows[["area_ratio", "area_ratio_low", "area_ratio_high"]].to_numpy(dtype=np.float64)
    known = ends[np.isfinite(ends)]
    low, high = float(np.quantile(known, 0.02)), float(np.quantile(known, 0.98))
    return min(low, 1.0 - _REACH), max(high, 1.0 + _REACH)


def _drawn(rows: Sequence[Mapping[str, Any]], stratum: str, low: float, high: float) -> Image:
    """A dot and its interval for each row, (`SIDE`, `SIDE`, 3); the line is where both areas are equal."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    picture = Pictures.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    left, right = _LABEL, SIDE - _INSET

    def across(ratio: float) -> float:
        return left + (min(max(ratio, low), high) - low) / (high - low) * (right - left)

    draw.line((across(1.0), _INSET, across(1.0), SIDE - 2 * _INSET), fill=GRID, width=2)
    for ratio, anchor in ((low, "ls"), (1.0, "ms"), (high, "rs")):
        draw.text((across(ratio), SIDE - 2), f"{ratio:.2f}", fill=INK, anchor=anchor)
    step = (SIDE - 3 * _INSET) / max(len(rows), 3)
    for place, row in enumerate(rows):
        middle = _INSET + step * (place + 0.5)
        colour = COLOURS[str(row["ground"])]
        name = str(row["ground"] if stratum == EVERYTHING else row["group"])
        draw.text((2, middle - 6), name[-_LONGEST_LABEL:], fill=INK)
        ends = (float(row["area_ratio_low"]), float(row["area_ratio_high"]))
        if not any(map(math.isnan, ends)):
            draw.line((across(ends[0]), middle, across(ends[1]), middle), fill=colour, width=2)
        at = across(float(row["area_ratio"]))
        draw.ellipse((at - 3, middle - 3, at + 3, middle + 3), fill=colour)
    return np.asarray(picture)
