"""Temporal rules over the same series, and how far each is from the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.events import measure, span, telling, visible
from minemap_assets.polygons.history_chain import SiteSeries, follow
from minemap_assets.polygons.identity import follow_parts
from minemap_assets.polygons.temporal.chain import decide
from minemap_assets.polygons.temporal.hmm import Chances
from support.mapbiomas import mapbiomas_recipe
from support.mine_series import Series

Mask = npt.NDArray[np.bool_]

LEAST_PIXELS = 20
"""A mine is there from the first year with so many mapped pixels on its ground (500 m2 of 5 m), see `visible`."""


@dataclass(frozen=True, eq=False)
class Score:
    """How far an answer is from the truth.

    `area_error` is the mean over years of |mapped - true| area in shares of the true one, `iou` intersection over union
    of all years. `first` and `last` are the errors in years of each mine's first and last year, NaN where it is never
    mapped. `pixel_first` and `pixel_last` are those of pixels, summed over all pixels for each one that is truly mined;
    one that is never mined, or never mapped, has the length of the record there.
    """

    area_error: float
    iou: float
    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    pixel_first: float
    pixel_last: float


def parity(series: Series) -> Mask:
    """The published rule on pixels, as `window_rule` has it for a window of one year: a 4-connected group stays where
    it meets or touches a group of the year before or after, of those that saw half of it, and where neither did; then
    every hole in it is filled.
    """
    from scipy.ndimage import binary_dilation, binary_fill_holes, find_objects, label

    masks = series.masks
    touched = [binary_dilation(mask, np.ones((3, 3), dtype=bool)) for mask in masks]
    kept = np.zeros_like(masks)
    for year, mask in enumerate(masks):
        labels, count = label(mask)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        stays, judged = np.zeros(count + 1, dtype=bool), np.zeros(count + 1, dtype=bool)
        for other in (year - 1, year + 1):
            if 0 <= other < len(masks):
                shown = np.bincount(labels[series.observed[other]], minlength=count + 1) >= sizes / 2
                judged |= shown
                stays[np.unique(labels[touched[other]])] |= shown[np.unique(labels[touched[other]])]
        stays |= ~judged
        for number, place in enumerate(find_objects(labels), start=1):
            if stays[number]:
                kept[year][place] |= binary_fill_holes(labels[place] == number)
    return kept


def chain(series: Series, chances: Chances, window: int = 2) -> Mask:
    """The hidden Markov model, each year from `window` years on both sides."""
    clarity = series.observed.mean(axis=(1, 2))
    years = range(len(series.stored))
    found = np.zeros_like(series.truth)
    for year in years:
        around = [y for y in years if abs(y - year) <= window]
        found[year] = decide(
            {y: series.stored[y] for y in around},
            dict.fromkeys(around, series.threshold),
            {y: float(clarity[y]) for y in around},
            year,
            chances,
        ).mine
    return found


def tidied(mines: Mask, pixel_m: float, config: PolygonsConfig) -> Mask:
    """What the settings leave of yearly masks: no groups below the least area, no holes that are small."""
    from scipy.ndimage import label

    pixel_km2 = pixel_m**2 / 1e6
    found = mines.copy()
    for year in found:
        for ground, least in ((False, config.min_hole_km2), (True, config.min_area_km2)):
            labels, count = label(year == ground, structure=np.ones((3, 3)) if not ground else None)
            small = np.bincount(labels.ravel(), minlength=count + 1) * pixel_km2 < least
            small[0] = False
            year[small[labels]] = not ground
    return found


def rules(series: Series, config: PolygonsConfig, pixel_m: float, native_m: float | None = None) -> Mapping[str, Mask]:
    """Every rule's answer (year, row, column): `default` is what becomes polygons, `history` what dates mines.

    MapBiomas' recipe takes pixels for `native_m` metres wide.
    """
    decided = chain(series, Chances.of(config), config.window)
    return {
        "each_year_alone": series.masks,
        "parity": parity(series),
        "mapbiomas": mapbiomas_recipe(series.masks, series.observed, native_m or pixel_m),
        "default": tidied(decided, pixel_m, config),
        "history": decided,
    }


def score(found: Mask, series: Series) -> Score:
    """How far an answer (year, row, column) is from the truth.

    First and last years are read from observed ground, as the history does; a year that observed less than half of a
    mine's ground tells of no change: the mine is there as in the telling year before (or, at the beginning, after).
    """
    from scipy.ndimage import label

    truth = series.truth
    area, true = found.sum(axis=(1, 2)), truth.sum(axis=(1, 2))
    labels, count = label(truth.any(axis=0), structure=np.ones((3, 3)))
    errors = []
    for number in range(1, count + 1):
        ground = labels == number
        real, mapped = (mask[:, ground].sum(axis=1) for mask in (truth, found & series.observed))
        if real.max() >= 2 * LEAST_PIXELS:
            share = series.observed[:, ground].mean(axis=1)
            there = _without_news(visible(mapped.astype(np.float64), share, LEAST_PIXELS), telling(share))
            wanted = visible(real.astype(np.float64), np.ones(len(real)), LEAST_PIXELS)
            misses = [abs(int(_first(there[::way])) - int(_first(wanted[::way]))) for way in (1, -1)]
            errors.append(misses if there.any() else [np.nan, np.nan])
    first, last = np.array(errors, dtype=np.float64).reshape(-1, 2).T
    ever = np.count_nonzero(truth.any(axis=0))
    return Score(
        area_error=float(np.mean(np.abs(area - true) / np.maximum(true, 1))),
        iou=float((found & truth).sum() / (found | truth).sum()),
        first=first,
        last=last,
        pixel_first=float(np.abs(_first(found) - _first(truth)).sum() / ever),
        pixel_last=float(np.abs(_first(found[::-1]) - _first(truth[::-1])).sum() / ever),
    )


def _without_news(there: Mask, seen: Mask) -> Mask:
    """Yearly answers with those of years that were not seen taken from the seen year before, or the first one."""
    if not seen.any():
        return there
    last = np.maximum.accumulate(np.where(seen, np.arange(len(seen)), -1))
    return there[np.where(last >= 0, last, int(np.argmax(seen)))]


def mean_scores(answers: Sequence[tuple[Mapping[str, Mask], Series]]) -> dict[str, dict[str, float]]:
    """Mean scores of each rule over several series, given as (answers, series).

    First and last years are those of ground (`Score.pixel_first`) and of mines: means over the mines that all rules
    map; `missed` is the share of mines that a rule never maps.
    """
    scores = {name: [score(named[name], series) for named, series in answers] for name in answers[0][0]}
    first, last = (
        {name: np.concatenate([getattr(one, end) for one in ones]) for name, ones in scores.items()}
        for end in ("first", "last")
    )
    common = ~np.isnan(np.stack([*first.values()])).any(axis=0)
    return {
        name: {
            "area_error": round(float(np.mean([one.area_error for one in ones])), 4),
            "iou": round(float(np.mean([one.iou for one in ones])), 4),
            "mine_first_year": round(float(first[name][common].mean()), 4),
            "mine_last_year": round(float(last[name][common].mean()), 4),
            "missed": round(float(np.isnan(first[name]).mean()), 4),
            "ground_first_year": round(float(np.mean([one.pixel_first for one in ones])), 4),
            "ground_last_year": round(float(np.mean([one.pixel_last for one in ones])), 4),
        }
        for name, ones in scores.items()
    }


def yearly_areas(answers: Mapping[str, Mask], truth: Mask) -> dict[str, dict[str, float]]:
    """Of each rule, how far its yearly areas are from the true ones, in shares of these, and the bias of their sum."""
    true = truth.sum(axis=(1, 2))
    found = {}
    for name, answer in answers.items():
        area = answer.sum(axis=(1, 2))
        found[name] = {
            "error": round(float(np.mean(np.abs(area - true) / true)), 4),
            "bias": round(float(area.sum() / true.sum() - 1.0), 4),
            "iou": round(float((answer & truth).sum() / (answer | truth).sum()), 4),
        }
    return found


def interval_cover(series: Sequence[Series], chances: Chances, window: int = 2) -> dict[str, float]:
    """Share of mines whose true first year lies in the range that the history gives, its width in years, and how many.

    Only mines that are found and began within the record are asked about.
    """
    inside, widths = [], []
    for one in series:
        years = range(len(one.truth))
        stored = dict(enumerate(one.stored))
        clarity = dict(enumerate(one.observed.mean(axis=(1, 2)).tolist()))
        ground = np.ones(one.truth.shape[1:], dtype=bool)
        nowhere = np.zeros(ground.size, dtype=bool)
        site = SiteSeries(stored, dict.fromkeys(years, one.threshold), clarity, ground)
        found = follow(site, years, chances, window)
        for part in follow_parts(found.ever, found.index, one.truth.shape[2], LEAST_PIXELS, nowhere[found.index]):
            own = found.take(part.pixels)
            real = one.truth.reshape(len(years), -1)[:, own.index].sum(axis=1)
            told = span(measure(own, np.ones(len(own.index))), years, LEAST_PIXELS)
            if told is None or real[0] > 0 or real.max() < LEAST_PIXELS:
                continue
            low = 0 if told.first_low is None else told.first_low
            high = len(years) if told.first_high is None else told.first_high
            inside.append(
                low <= int(_first(visible(real.astype(np.float64), np.ones(len(real)), LEAST_PIXELS))) <= high
            )
            widths.append(high - low)
    return {"cover": round(float(np.mean(inside)), 3), "width": round(float(np.mean(widths)), 2), "mines": len(inside)}


def _first(mask: Mask) -> npt.NDArray[np.intp]:
    """Number of the first True along the first axis; its length where there is none."""
    return np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask))
