"""Reference validation: yearly maps and reference outlines against labelled points.

Counts and plain shares describe the points, as in the seed paper (section Validation). Where the points say how they
were drawn (`reference/points.py`), the estimates describe the ground (`estimators.py`). A point of which a map says
nothing is missing, and neither right nor wrong (`map_reading.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.reference.points import DESIGN
from minemap_assets.segmentation.scale import NOT_OBSERVED, is_mine
from minemap_assets.validation.accuracy import wilson
from minemap_assets.validation.estimators import CELLS, MEASURES, Design, Floats, agreement, estimate, measure
from minemap_assets.validation.map_reading import ALL, FRAMES, INSIDE, OUTSIDE, Judged, Places

FILE, ESTIMATES, SWEEP = "reference_validation.parquet", "estimates.parquet", "threshold_sweep.parquet"

OF_GROUND = "the ground that was sampled"
OF_POINTS = "the points only"

THRESHOLDS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.625)
"""Steps of the sweep, the paper's two operating points (0.55 and 0.625) among them."""

SCORES = tuple(name for name in MEASURES if name != "mine_share")
_KEYS = ("map", "frame", "year", "years", "points", "missing")
COLUMNS = (*_KEYS, *CELLS, "accuracy", "accuracy_low", "accuracy_high", *SCORES[1:])
ESTIMATE_COLUMNS = (*_KEYS, "measure", "estimate", "standard_error", "low", "high", "describes")
SWEEP_COLUMNS = ("frame", "year", "years", "threshold", "points", "missing", *CELLS, *SCORES, "describes")


@dataclass(frozen=True, eq=False)
class YearMap:
    """A map of a year, and what it says of that year's points, in their order."""

    name: str
    year: int
    judged: Judged


@dataclass(frozen=True, eq=False)
class YearMasks:
    """Stored probabilities (0 to 254, 255 not observed) of a year's points, in their order, and which of the points lie
    in a region whose masks were made.
    """

    stored: npt.NDArray[np.uint8]
    made: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """Labels (`reference/points.py`), one row for each point and year, and where the points lie, in the same order."""

    table: gpd.GeoDataFrame
    places: Places
    _designs: dict[tuple[int, ...], "_Drawn"] = field(default_factory=dict, repr=False)

    def rows_of(self, years: Sequence[int]) -> npt.NDArray[np.bool_]:
        """True for each row of these years."""
        return np.asarray(self.table["year"].isin(list(years)), dtype=bool)

    def drawn(self, years: tuple[int, ...]) -> "_Drawn":
        """How the labels of some years were drawn."""
        if years not in self._designs:
            self._designs[years] = _drawn(self.table[self.rows_of(years)])
        return self._designs[years]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """How rows were drawn: the design of their units, the unit of each row (n,) and what the row weighs in it (n,).

    A point is one unit in all its years, since its labels are not independent.
    """

    design: Design
    unit: npt.NDArray[np.int64]
    weight: Floats
    describes: str

    def by_unit(self, indicators: Floats) -> Floats:
        """Weighted indicators (n, k) summed over the rows of each unit."""
        units = len(self.design.stratum)
        weighted = indicators * self.weight[:, None]
        return np.stack([np.bincount(self.unit, weighted[:, k], units) for k in range(weighted.shape[1])], axis=1)


def _drawn(rows: pd.DataFrame) -> _Drawn:
    known = rows["weight"].notna().any() or rows["stratum_area"].notna().any()
    named = rows["stratum"].fillna("").to_numpy(dtype=object)
    strata, codes = np.unique(named.astype(str), return_inverse=True)
    once = len(rows["year"].unique()) == 1
    if once and rows["stratum_area"].notna().any() and rows["weight"].isna().all():
        sizes = np.zeros(len(strata))
        sizes[codes] = rows["stratum_area"].to_numpy(dtype=np.float64)
        return _Drawn(Design.stratified(codes, sizes), np.arange(len(rows)), np.ones(len(rows)), OF_GROUND)
    if once and not known:
        alone = Design.stratified(np.zeros(len(rows), dtype=np.int64), np.array([float(len(rows))]))
        return _Drawn(alone, np.arange(len(rows)), np.ones(len(rows)), OF_POINTS)
    weight = np.ones(len(rows))
    if known:
        weight = rows["weight"].to_numpy(dtype=np.float64)
        drawn = rows.groupby(["year", "stratum"], dropna=False)["stratum"].transform("size").to_numpy(dtype=np.float64)
        weight = np.where(np.isnan(weight), rows["stratum_area"].to_numpy(dtype=np.float64) / drawn, weight)
    names = pd.Series(rows["point_id"].astype(str).to_numpy(dtype=object) + "\n" + named.astype(str))
    unit, first = pd.factorize(names)
    stratum = np.zeros(len(first), dtype=np.int64)
    stratum[unit] = codes if known else 0
    design = Design.weighted(stratum, np.ones(len(first)), len(strata) if known else 1)
    return _Drawn(design, unit.astype(np.int64), weight, OF_GROUND if known else OF_POINTS)


@dataclass(frozen=True, eq=False)
class _Compared:
    """A map against the labels of some years, in one part of the frame."""

    keys: Mapping[str, Any]
    indicators: Floats
    drawn: _Drawn

    def counts(self) -> Floats:
        """The four numbers of points."""
        return np.asarray(self.indicators.sum(axis=0))

    def cells(self) -> Floats:
        """The four areas (or numbers of points, where it is not known how they were drawn)."""
        return np.asarray(self.drawn.by_unit(self.indicators).T @ self.drawn.design.weight)

    def row(self) -> dict[str, Any]:
        """The plain description of the points."""
        counts = self.counts()
        right = int(counts[0] + counts[3])
        held = wilson(right, int(counts.sum()))
        ends = {"accuracy_low": held.low, "accuracy_high": held.high}
        return {**self.keys, **_counted(counts), **{name: measure(name, counts) for name in SCORES}, **ends}

    def estimates(self) -> Iterator[dict[str, Any]]:
        """Every measure with its interval."""
        totals = self.drawn.design.totals(self.drawn.by_unit(self.indicators))
        for name in MEASURES:
            found = estimate(name, totals, self.keys["points"])
            yield {
                **self.keys,
                "measure": name,
                "estimate": found.value,
                "standard_error": found.standard_error,
                "low": found.low,
                "high": found.high,
                "describes": self.drawn.describes,
            }

    def swept(self, threshold: float) -> dict[str, Any]:
        """A step of the sweep; measures are those of the ground where that is known."""
        cells = self.cells()
        scores = {name: measure(name, cells) for name in SCORES}
        known = {"threshold": threshold, "describes": self.drawn.describes}
        return {**self.keys, **known, **_counted(self.counts()), **scores}


def _counted(counts: Floats) -> dict[str, int]:
    return {name: int(count) for name, count in zip(CELLS, counts, strict=True)}


def _compared(points: LabelledPoints, name: str, maps: Mapping[int, Judged]) -> Iterator[_Compared]:
    """A map in every part of the frame and each of its years, and over all of them where there are several."""
    years = tuple(sorted(maps))
    spans = [(year,) for year in years] + ([years] if len(years) > 1 else [])
    for span in spans:
        rows = points.rows_of(span)
        table, frame = points.table[rows], points.places.frame[rows]
        mapped, known = (np.zeros(len(table), dtype=bool) for _ in range(2))
        for year in span:
            own = table["year"].to_numpy() == year
            mapped[own], known[own] = maps[year].mapped, maps[year].known
        label = table["label"].to_numpy(dtype=bool)
        for part in FRAMES:
            inside = np.ones(len(table), dtype=bool) if part == ALL else frame == part
            if inside.any():
                keys = {
                    "map": name,
                    "frame": part,
                    "year": span[0] if len(span) == 1 else None,
                    "years": len(span),
                    "points": int((known & inside).sum()),
                    "missing": int((inside & ~known).sum()),
                }
                yield _Compared(keys, agreement(mapped, label, known & inside), points.drawn(span))


def _by_name(maps: Sequence[YearMap], labelled: set[int]) -> dict[str, dict[int, Judged]]:
    """Maps of years that have labels, in order of their names."""
    found: dict[str, dict[int, Judged]] = {}
    for one in sorted(maps, key=lambda m: (m.name, m.year)):
        if one.year in labelled:
            found.setdefault(one.name, {})[one.year] = one.judged
    return found


def validate(points: LabelledPoints, maps: Sequence[YearMap]) -> pd.DataFrame:
    """A row for each map, part of the frame and year that has points, and the mean over the years (year is null).

    The mean is that of the years' measures, as in the paper; years without a point that the map judges have none.
    """
    rows: list[dict[str, Any]] = []
    for name, years in _by_name(maps, set(points.table["year"])).items():
        yearly = [one.row() for one in _compared(points, name, years)]
        rows += [row for row in yearly if row["year"] is not None]
        rows += _means([row for row in yearly if row["year"] is not None]) if len(years) > 1 else []
    return _typed(pd.DataFrame(rows, columns=list(COLUMNS)))


def _means(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in FRAMES:
        of_part = pd.DataFrame([row for row in rows if row["frame"] == part])
        if len(of_part):
            judged = of_part[of_part["points"] > 0]
            summed = {name: int(of_part[name].sum()) for name in (*_KEYS[4:], *CELLS)}
            means = {name: float(of_part[name].mean()) for name in SCORES}
            yield {"map": rows[0]["map"], "frame": part, "year": None, "years": len(judged), **summed, **means}


def estimate_all(points: LabelledPoints, maps: Sequence[YearMap]) -> pd.DataFrame:
    """Every measure of every map with its standard error and interval, by year and over all years."""
    named = _by_name(maps, set(points.table["year"])).items()
    rows = [row for name, years in named for one in _compared(points, name, years) for row in one.estimates()]
    return _typed(pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS)))


def sweep(points: LabelledPoints, masks: Mapping[int, YearMasks]) -> pd.DataFrame:
    """Measures at every threshold, from the stored probabilities of each year's points.

    They are those of one year's masks, before the temporal rule. What lies outside all windows is no mine at any
    threshold, where the region's masks were made.
    """
    rows: list[dict[str, Any]] = []
    years = {year: values for year, values in masks.items() if year in set(points.table["year"])}
    for threshold in THRESHOLDS:
        maps = {year: _cut(points.places.frame[points.rows_of([year])], v, threshold) for year, v in years.items()}
        for one in _compared(points, "", maps):
            if one.keys["frame"] in (ALL, INSIDE):
                rows.append(one.swept(threshold))
    frame = pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))
    return _typed(frame.sort_values(["frame", "year", "threshold"], ignore_index=True))


def _cut(frame: npt.NDArray[np.object_], masks: YearMasks, threshold: float) -> Judged:
    seen = masks.stored != NOT_OBSERVED
    return Judged(is_mine(masks.stored, threshold), seen | ((frame == OUTSIDE) & masks.made))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"year": "Int32", "years": "int32", "points": "int64", "missing": "int64"})


def build_reference_validation(
    points: LabelledPoints,
    maps: Sequence[YearMap],
    masks: Mapping[int, YearMasks],
    writer: PartitionWriter,
) -> Outcome:
    """Write `reference_validation.parquet`, `estimates.parquet` and `threshold_sweep.parquet`.

    The summary has the mean over the years of each map on all points that it judges.
    """
    frame, estimated, swept = validate(points, maps), estimate_all(points, maps), sweep(points, masks)
    for name, table in ((FILE, frame), (ESTIMATES, estimated), (SWEEP, swept)):
        writer.write(name, partial(write_parquet, table))
    told = [_told(name, rows) for name, rows in frame[frame["frame"] == ALL].groupby("map")]
    known = points.table[list(DESIGN[1:])].notna().any(axis=None)
    describes = OF_GROUND if known else OF_POINTS
    return Outcome(
        {"rows": len(frame), "points": len(points.table), "accuracies_describe": describes, "mean over years": told}
    )


def _told(name: Any, rows: pd.DataFrame) -> dict[str, Any]:
    yearly = rows[rows["year"].notna()]
    scores = yearly[["accuracy", "matthews", "users_accuracy", "producers_accuracy"]].mean()
    told = {str(c): "none" if np.isnan(v) else round(float(v), 4) for c, v in scores.items()}
    return {"map": name, "judged": int(yearly["points"].sum()), "missing": int(yearly["missing"].sum()), **told}
