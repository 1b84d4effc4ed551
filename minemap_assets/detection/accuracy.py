"""Precision and recall of a year's detections, from a sample that somebody labelled."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minemap_assets.detection.sampling import DETECTED
from minemap_assets.detection.sampling_points import MINE, OTHER
from minemap_assets.errors import BadInputError
from minemap_assets.validation.accuracy import wilson
from minemap_assets.validation.estimators import LEAST_POINTS, Design, Estimate, agreement, estimate

UNSURE = frozenset({"unsure", "?", "unclear"})


@dataclass(frozen=True, eq=False)
class LabelledSample:
    """Labelled patches (n): the stratum of each, by its place in `names`, and whether it shows a mine; the number of
    patches of each stratum (H); and how many patches of the file are unsure, or not labelled yet.
    """

    names: tuple[str, ...]
    sizes: npt.NDArray[np.float64]
    stratum: npt.NDArray[np.int64]
    mine: npt.NDArray[np.bool_]
    unsure: int
    unlabelled: int


@dataclass(frozen=True)
class DetectionAccuracy:
    """Shares with 95 % intervals, by patches. `precision` is the share of detected patches that show a mine, `recall`
    that of the patches with a mine that were detected; None where too little is labelled, and `lacking` says of what.
    """

    labelled: int
    unsure: int
    unlabelled: int
    precision: Estimate | None
    recall: Estimate | None
    lacking: tuple[str, ...]


def read_labels(path: Path) -> LabelledSample:
    """A sample whose features were given a `class`: mine, other or unsure; an empty one is not labelled yet.

    Raises `BadInputError` for a file that is no such sample, and for any other class.
    """
    try:
        features: list[dict[str, Any]] = [one["properties"] for one in json.loads(path.read_text("utf-8"))["features"]]
        sizes = {str(one["stratum"]): float(one["stratum_patches"]) for one in features}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{path} is no sample of detections; draw one with `minemap scan sample --year YEAR`, and fill in `class`"
        ) from error
    names = tuple(sorted(sizes))
    stratum, mine, unsure, unlabelled = list[int](), list[bool](), 0, 0
    for one in features:
        said = str(one.get("class") or "").strip().lower()
        if not said:
            unlabelled += 1
        elif said in UNSURE:
            unsure += 1
        elif said in MINE | OTHER:
            stratum.append(names.index(str(one["stratum"])))
            mine.append(said in MINE)
        else:
            raise BadInputError(
                f"{path}: {one.get('sample_id', 'a patch')} has the class {one['class']!r}; give it one of mine, "
                "other, unsure"
            )
    every = np.array([sizes[name] for name in names])
    return LabelledSample(names, every, np.array(stratum, np.int64), np.array(mine, np.bool_), unsure, unlabelled)


def accuracy(sample: LabelledSample) -> DetectionAccuracy:
    """Precision by Wilson's interval where all detected patches are one stratum, else by the stratified estimator;
    recall by the stratified one (Stehman 2014), which needs labels in every stratum.
    """
    counts = np.bincount(sample.stratum, minlength=len(sample.names))
    lacking = tuple(
        f"{name} ({count} labelled)"
        for name, count, size in zip(sample.names, counts.tolist(), sample.sizes.tolist(), strict=True)
        if count < min(LEAST_POINTS, size)
    )
    detected = np.array([name.startswith(DETECTED) for name in sample.names])
    few = [name for name in lacking if name.startswith(DETECTED)]
    return DetectionAccuracy(
        len(sample.mine),
        sample.unsure,
        sample.unlabelled,
        None if few or not detected.any() else _precision(sample, detected),
        None if lacking else _estimate("producers_accuracy", sample, detected),
        lacking,
    )


def _precision(sample: LabelledSample, detected: npt.NDArray[np.bool_]) -> Estimate:
    if detected.sum() > 1:
        inside = detected[sample.stratum]
        number = np.cumsum(detected) - 1
        part = LabelledSample(
            tuple(np.array(sample.names)[detected].tolist()),
            sample.sizes[detected],
            number[sample.stratum[inside]],
            sample.mine[inside],
            0,
            0,
        )
        return _estimate("users_accuracy", part, np.ones(len(part.names), np.bool_))
    mine = sample.mine[detected[sample.stratum]]
    between = wilson(int(mine.sum()), len(mine))
    return Estimate(float(mine.mean()), math.nan, between.low, between.high)


def _estimate(name: str, sample: LabelledSample, detected: npt.NDArray[np.bool_]) -> Estimate:
    design = Design.stratified(sample.stratum, sample.sizes, finite=True)
    mapped = detected[sample.stratum]
    totals = design.totals(agreement(mapped, sample.mine, np.ones(len(mapped), np.bool_)))
    return estimate(name, totals, len(mapped))


def told(name: str, found: Estimate | None) -> str:
    """An estimate in words, for people."""
    if found is None or math.isnan(found.value):
        return f"{name}: not known"
    return f"{name}: {found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def sentences(found: DetectionAccuracy) -> Sequence[str]:
    """What is to be said of a labelled sample."""
    said = [told("precision", found.precision), told("recall", found.recall)]
    said.append(f"{found.labelled} patches labelled, {found.unsure} unsure, {found.unlabelled} not labelled yet")
    if found.lacking:
        said.append(f"too few labels in {', '.join(found.lacking)}: label at least {LEAST_POINTS} patches of each")
    return said
