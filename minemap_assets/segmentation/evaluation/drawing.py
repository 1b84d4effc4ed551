"""The picture of an evaluation: the best, the median and the worst site, and how reliable probabilities are."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.pictures import INK, SIDE, Swatch, Tile, sampled, sheet
from minemap_assets.imagery.preview import channels
from minemap_assets.lake.partitions import Partition
from minemap_assets.segmentation.evaluation.boundary_agreement import edge
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.segmentation.evaluation.site_scores import SiteScore
from minemap_assets.segmentation.metrics import FOLDS
from minemap_assets.segmentation.preview import COLOURS, UNSEEN, coloured
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine
from minemap_assets.segmentation.site_scoring import SitePicture, corner
from minemap_assets.segmentation.training_set import ChipRef
from minemap_assets.segmentation.verdict import POINT

PICTURE = "evaluation.webp"

MAPPED = (56, 189, 248)
TRUE = (250, 204, 21)
GRID = (209, 213, 219)

LEGEND = (
    Swatch((MAPPED,), "edge of what is mapped"),
    Swatch((TRUE,), "edge of the labels"),
    Swatch(COLOURS, "probability of mining, 0 to 1"),
    Swatch((INK,), "share of mine (up) at each probability (right): right where it lies on the diagonal"),
)

GROUND = {FOLDS: "training ground that the models had not seen"}
"""What a split is called where its name does not say it."""

_INSET = 14
"""Pixels between the frame of the diagram and the end of its picture."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shown:
    """A site to be shown: why it was chosen, its picture and score, the threshold, and its colours as seen from above
    (`SIDE`, `SIDE`, 3).
    """

    name: str
    picture: SitePicture
    score: SiteScore
    threshold: float
    colours: Image


def choose_sites(scores: Sequence[SiteScore]) -> dict[str, SiteScore]:
    """The sites with mines that have the best, the median and the worst IoU, by these names; of one site the best."""
    having = [s for s in scores if POINT in s.points and _true_pixels(s)]
    ranked = sorted(having, key=lambda s: (-s.points[POINT].confusion.iou, s.site_id))
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    taken: dict[int, str] = {}
    for name, place in places.items():
        if ranked:
            taken.setdefault(place, name)
    return {name: ranked[place] for place, name in taken.items()}


def colours(chips: Sequence[ChipSet], refs: Sequence[ChipRef], picture: SitePicture) -> Image:
    """A site in its red, green and blue, or its first bands, (`SIDE`, `SIDE`, 3), stretched to what it holds."""
    names = chips[picture.chip_set].bands
    shown = channels(names)
    rows, columns = (sampled(np.arange(side)[None, :], SIDE)[0] for side in picture.labels.shape)
    seen = np.zeros((3, SIDE, SIDE), dtype=np.float64)
    for ref in refs:
        pixels, at = chips[ref.chip_set].pixels(ref.chip)[shown], corner(chips, ref)
        down = np.flatnonzero((rows >= at.row) & (rows < at.row + pixels.shape[1]))
        across = np.flatnonzero((columns >= at.column) & (columns < at.column + pixels.shape[2]))
        part = pixels[:, (rows[down] - at.row)[:, None], columns[across] - at.column]
        seen[:, down[:, None], across] = np.where(part > 0, part, seen[:, down[:, None], across])
    known = seen[seen > 0]
    low, high = np.quantile(known, [0.02, 0.98]) if known.size else (0.0, 1.0)
    stretched = np.clip((seen - low) / max(high - low, 1.0), 0.0, 1.0) * 255.0
    return np.moveaxis(stretched, 0, -1).astype(np.uint8)


def evaluation_picture(shown: Iterable[Shown], scores: Sequence[SiteScore]) -> bytes:
    """WebP: a column for each site, what it looks like above what the model says of it, and the diagram of all."""
    sites = list(shown)
    above = [Tile(_outlined(s.colours, s), _caption(s), _metres(s)) for s in sites]
    below = [Tile(_outlined(coloured(sampled(s.picture.stored)), s), s.picture.site_id, _metres(s)) for s in sites]
    # the tiles of a sheet stand three in a row
    blank = [Tile(np.full((SIDE, SIDE, 3), 255, dtype=np.uint8), "", 0.0)] * (3 - len(sites))
    total = sum((score.reliability for score in scores), Reliability.empty())
    error = f"calibration error {total.calibration_error:.3f}"
    first = scores[0]
    ground = GROUND.get(first.split, f"{first.split} ground")
    title = f"{first.product}, {ground}: {len(scores)} sites, mine from {sites[0].threshold:.2f}"
    tiles = [*above, *blank, *below, *blank, Tile(diagram(total), error, 0.0)]
    return sheet(title, tiles, LEGEND)


def diagram(total: Reliability) -> Image:
    """Share of mine against probability, (`SIDE`, `SIDE`, 3): on the diagonal a probability means what it says."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    picture = Pictures.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    low, high = _INSET, SIDE - _INSET
    draw.rectangle((low, low, high, high), outline=GRID)
    draw.line((low, high, high, low), fill=GRID)
    points = []
    for row in total.rows():
        if not math.isnan(row["mine_share"]):
            x = low + row["mean_probability"] * (high - low)
            points.append((x, high - row["mine_share"] * (high - low)))
    draw.line(points, fill=INK, width=2)
    for x, y in points:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=INK)
    return np.asarray(picture)


def stored_picture(partition: Partition) -> bytes:
    """The picture of a partition of `model_evaluation`."""
    return partition.file(PICTURE).read_bytes()


def _outlined(image: Image, shown: Shown) -> Image:
    """An image with the edges of labels and of what is mapped, on the tile's own pixels."""
    stored, labels = sampled(shown.picture.stored), sampled(shown.picture.labels)
    everywhere = np.ones(stored.shape, dtype=bool)
    drawn = image.copy()
    drawn[edge(labels == 1, everywhere)] = TRUE
    drawn[edge(is_mine(stored, shown.threshold), stored != NOT_OBSERVED)] = MAPPED
    drawn[~sampled(shown.picture.owned)] = UNSEEN
    return drawn


def _caption(shown: Shown) -> str:
    return f"{shown.name}: IoU {shown.score.points[POINT].confusion.iou:.2f}"


def _metres(shown: Shown) -> float:
    return shown.picture.metres * int(shown.picture.labels.shape[1])


def _true_pixels(score: SiteScore) -> int:
    counts = score.points[POINT].confusion
    return counts.true_positive + counts.false_negative
