"""The baseline: the best threshold on any one band or index, which a network has to beat to be worth its trouble."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from minemap_assets.geo.thresholds import best_edge
from minemap_assets.imagery.products import REFLECTANCE, Encoding
from minemap_assets.segmentation.metrics import Histogram
from minemap_assets.segmentation.training_set import LabelledChip

BINS = 512
BRIGHTEST = 0.8
"""Reflectance above which bands are not told apart."""


@dataclass(frozen=True)
class Feature:
    """One band, or the normalised difference of two (first - second) / (first + second), by place in the chip."""

    name: str
    first: int
    second: int | None = None
    encoding: Encoding = REFLECTANCE

    @property
    def lowest(self) -> float:
        """The band's physical number at the lower edge of the first bin."""
        return 0.0 if self.encoding.light else self.encoding.lowest

    @property
    def width(self) -> float:
        """How far the band's physical numbers reach from there."""
        return BRIGHTEST if self.encoding.light else self.encoding.highest - self.encoding.lowest

    def bins(self, pixels: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
        """Value of each pixel as a bin number 0 to `BINS` - 1, (row, column)."""
        one = pixels[self.first].astype(np.float32)
        if self.second is None:
            first = np.float32((self.lowest - self.encoding.offset) / self.encoding.scale)
            part = (one - first) / np.float32(self.width / self.encoding.scale)
        else:
            two = pixels[self.second].astype(np.float32)
            part = 0.5 + 0.5 * (one - two) / np.maximum(one + two, 1.0)
        return np.asarray(np.clip(part * BINS, 0, BINS - 1), dtype=np.int64)

    def value(self, edge: int) -> float:
        """The band's physical number, or the index, at the lower edge of a bin."""
        return self.lowest + edge / BINS * self.width if self.second is None else 2.0 * edge / BINS - 1.0


@dataclass(frozen=True)
class Rule:
    """A feature above (or, where not `above`, below) the lower edge of bin `edge` is called mine."""

    feature: Feature
    edge: int
    above: bool

    @property
    def text(self) -> str:
        """The rule for people."""
        return f"{self.feature.name} {'>=' if self.above else '<'} {self.value:.3f}"

    @property
    def value(self) -> float:
        """The threshold: a physical number such as reflectance, or an index."""
        return self.feature.value(self.edge)

    def mapped(self, pixels: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
        """True for each pixel (row, column) of a chip (band, row, column) that the rule calls mine."""
        found: npt.NDArray[np.bool_] = (self.feature.bins(pixels) >= self.edge) == self.above
        return found

    def probabilities(self, chips: Iterable[npt.NDArray[np.uint16]]) -> Iterator[npt.NDArray[np.float32]]:
        """1 where the rule says mine and 0 elsewhere, of chips in order."""
        return (self.mapped(pixels).astype(np.float32) for pixels in chips)


def features(bands: tuple[str, ...], encoding: Encoding = REFLECTANCE) -> tuple[Feature, ...]:
    """Every band and, where numbers are amounts of light, the normalised difference of every pair."""
    single = [Feature(band, place, encoding=encoding) for place, band in enumerate(bands)]
    if not encoding.light:
        return tuple(single)
    pairs = [Feature(f"nd({bands[a]}, {bands[b]})", a, b) for a, b in combinations(range(len(bands)), 2)]
    return (*single, *pairs)


def best_rule(chips: Iterable[LabelledChip], bands: tuple[str, ...], encoding: Encoding = REFLECTANCE) -> Rule:
    """The feature, threshold and direction with the highest IoU of the mine class on these chips."""
    known = features(bands, encoding)
    totals = [Histogram.empty(BINS) for _ in known]
    for chip in chips:
        for place, feature in enumerate(known):
            totals[place] = totals[place] + Histogram.of(feature.bins(chip.pixels), chip.labels, BINS)
    best = Rule(known[0], 0, above=True)
    highest = -math.inf
    for feature, total in zip(known, totals, strict=True):
        edge = best_edge(total.mine, total.other)
        if edge.iou > highest:
            best, highest = Rule(feature, edge.bin, edge.above), edge.iou
    return best
