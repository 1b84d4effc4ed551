"""What is counted at one site: everything that the tables sum up."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from minemap_assets.segmentation.evaluation.boundary_agreement import TOLERANCE_METRES, Boundary, compare
from minemap_assets.segmentation.evaluation.mine_sizes import Mines, SizeCounts, largest, size_counts
from minemap_assets.segmentation.evaluation.reliability import Reliability
from minemap_assets.segmentation.metrics import Confusion, Histogram
from minemap_assets.segmentation.scale import TOP, is_mine
from minemap_assets.segmentation.site_scoring import SitePicture


@dataclass(frozen=True)
class PointScore:
    """A site at one threshold; `sizes` are counts for each of `mine_sizes.SIZES`."""

    confusion: Confusion
    boundary: Boundary
    sizes: tuple[SizeCounts, ...]


@dataclass(frozen=True, eq=False)
class SiteScore:
    """A site at every threshold of a method, by the threshold's name.

    `region` is empty where it is not known, `contrast` NaN where there is none, `largest` the size of its largest mine
    and `doubt` the mean of p (1 - p) over its pixels, 0.25 at most.
    """

    site_id: str
    group: str
    split: str
    product: str
    region: str
    contrast: float
    largest: str
    doubt: float
    points: Mapping[str, PointScore]
    reliability: Reliability


def score_site(
    picture: SitePicture, mines: Mines, thresholds: Mapping[str, float], region: str = "", contrast: float = math.nan
) -> SiteScore:
    """Compare a site with its labels at every threshold. `mines` are those of its labels."""
    known = (picture.labels <= 1) & (picture.stored <= TOP)
    counted, true = picture.counted, picture.labels == 1
    tolerance = max(1, round(TOLERANCE_METRES / picture.metres))
    points = {}
    for name, threshold in thresholds.items():
        mapped = is_mine(picture.stored, threshold)
        points[name] = PointScore(
            Confusion.of(mapped[counted], true[counted]),
            compare(mapped, true, known, counted, tolerance),
            size_counts(mines, mapped, true, counted),
        )
    histogram = Histogram.of(picture.stored[counted], picture.labels[counted])
    return SiteScore(
        site_id=picture.site_id,
        group=picture.group,
        split=picture.split,
        product=picture.product,
        region=region,
        contrast=contrast,
        largest=largest(mines),
        doubt=histogram.doubt,
        points=points,
        reliability=Reliability.of(histogram),
    )


def by_place(scores: list[SiteScore]) -> Iterator[tuple[str, list[SiteScore]]]:
    """The sites of each split group, by its name."""
    groups: dict[str, list[SiteScore]] = {}
    for score in scores:
        groups.setdefault(score.group, []).append(score)
    yield from sorted(groups.items())
