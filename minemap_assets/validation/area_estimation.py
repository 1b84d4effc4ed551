"""Area estimates: mining area and its change on the ground of known sites, from labelled points.

The labels alone make the estimate, and the strata that the points were drawn in give it its exactness: it is right
however wrong the maps are that drew them, and also where these were remade since (Olofsson et al. 2014, equations 9 to
11; Stehman 2014, where strata are not the classes of the map that is judged). Both papers' estimators are one
(`estimators.py`). What lies outside the frame, in places where no site is known, is not measured.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from minemap_assets.geo.vector import WGS84, write_geoparquet, write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.validation.estimators import (
    LEAST_POINTS,
    MEASURES,
    NOTHING,
    Design,
    Estimate,
    agreement,
    area,
    difference,
    estimate,
)
from minemap_assets.validation.map_reading import Judged
from minemap_assets.validation.sample_files import PointLabel, SampleDesign

FILE, ACCURACY, POINTS = "area_estimates.parquet", "area_accuracy.parquet", "sample_points.parquet"

LEAST_LABELLED = 25
"""Labelled points without which nothing is said of a country, or of everything."""

UNMEASURED = "unmeasured"
ESTIMATED, INSUFFICIENT = "estimated", "insufficient"
ALL_GROUND, UNTAUGHT = "all", "not trained on"
EVERYWHERE = "all countries"

_SCOPE = ("sample", "iso3", "country_name", "ground")
COLUMNS = (
    *(*_SCOPE, "quantity", "from_year", "year", "points", "labelled", "in_training_blocks", "remapped", "strata"),
    *("frame_km2", "estimate_km2", "standard_error_km2", "low_km2", "high_km2", "mapped_km2", "mapped_now_km2"),
    *("outside_frame", "verdict", "reason"),
)
ACCURACY_COLUMNS = (
    *(*_SCOPE, "class", "year", "measure", "labelled", "judged"),
    *("estimate", "standard_error", "low", "high", "verdict", "reason"),
)

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledSample:
    """A sample by its name, its labels by point, what the maps say now of its points in both years, and which points
    lie in blocks that the model was trained on (n,). It is `whole` where it was drawn from all regions of the project.
    """

    name: str
    design: SampleDesign
    labels: Mapping[str, PointLabel]
    start: Judged
    end: Judged
    taught: Bools
    whole: bool


@dataclass(frozen=True)
class _Quantity:
    """An area, or the difference of two, in terms of the four cells of `_cells`."""

    name: str
    from_year: int | None
    year: int
    more: tuple[bool, ...]
    less: tuple[bool, ...] = (False,) * 4


@dataclass(frozen=True, eq=False)
class _Scope:
    """Labelled points of a country or of everything (`rows` of the sample), and their design."""

    iso3: str | None
    rows: Bools
    strata: Bools
    design: Design
    reason: str


def build_area_estimates(
    samples: Sequence[LabelledSample],
    names: Mapping[str, str],
    mapped_now: Mapping[tuple[str, int], float],
    writer: PartitionWriter,
) -> Outcome:
    """Write `area_estimates.parquet`, `area_accuracy.parquet` and `sample_points.parquet`.

    `names` are those of countries by code, `mapped_now` the mapped areas in km2 by code and year.
    """
    rows = [row for sample in samples for row in _area_rows(sample, names, mapped_now)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"from_year": "Int32", "year": "int32"})
    judged = [row for sample in samples for row in _accuracy_rows(sample, names)]
    accuracy = pd.DataFrame(judged, columns=list(ACCURACY_COLUMNS)).astype({"year": "int32"})
    writer.write(FILE, partial(write_parquet, frame))
    writer.write(ACCURACY, partial(write_parquet, accuracy))
    points = gpd.GeoDataFrame(pd.concat([_points(sample) for sample in samples]), geometry="geometry", crs=WGS84)
    writer.write(POINTS, partial(write_geoparquet, points))
    told = [_told(row) for row in rows if row["ground"] == ALL_GROUND and row["iso3"] is None]
    return Outcome(
        {
            "rows": len(frame),
            "samples": len(samples),
            "points": len(points),
            "in_training_blocks": int(points["in_training_block"].sum()),
            "insufficient": int((frame["verdict"] == INSUFFICIENT).sum()),
            "outside the frame": "omission where no site is known is unmeasured",
            "estimates": told,
        }
    )


def _points(sample: LabelledSample) -> pd.DataFrame:
    """Every point of a sample with its labels, and what the maps say of it now: to look at where they disagree."""
    points = sample.design.points
    labels = [sample.labels.get(point.point_id) for point in points]
    frame = pd.DataFrame(
        {
            "sample": sample.name,
            "point_id": [point.point_id for point in points],
            "iso3": [sample.design.strata[point.stratum].iso3 for point in points],
            "stratum": [sample.design.strata[point.stratum].kind for point in points],
            "site_id": [point.site_id for point in points],
            "map_start": _in_words(sample.start),
            "map_end": _in_words(sample.end),
            "label_start": [None if label is None else label.start for label in labels],
            "label_end": [None if label is None else label.end for label in labels],
            "interpreter": ["" if label is None else label.interpreter for label in labels],
            "confidence": ["" if label is None else label.confidence for label in labels],
            "in_training_block": sample.taught,
            "geometry": gpd.points_from_xy([p.longitude for p in points], [p.latitude for p in points]),
        }
    )
    return frame.astype({"label_start": "boolean", "label_end": "boolean"})


def _in_words(judged: Judged) -> npt.NDArray[np.str_]:
    """What a map says of points (n,)."""
    return np.where(judged.known, np.where(judged.mapped, "mine", "other"), "not observed")


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    years = str(row["year"]) if row["from_year"] is None else f"{row['from_year']} to {row['year']}"
    said = row["reason"]
    if row["verdict"] == ESTIMATED:
        said = f"{row['estimate_km2']:.3f} km2, 95 % interval {row['low_km2']:.3f} to {row['high_km2']:.3f}"
    return {
        "sample": row["sample"],
        "quantity": row["quantity"],
        "years": years,
        "estimate": said,
        "mapped km2": round(row["mapped_km2"], 3),
    }


def _quantities(design: SampleDesign) -> list[_Quantity]:
    first, last = design.start_year, design.end_year
    area_end = _Quantity("area", None, last, (False, True, False, True))
    if design.single:
        return [area_end]
    gain, loss = (False, True, False, False), (False, False, True, False)
    return [
        _Quantity("area", None, first, (False, False, True, True)),
        area_end,
        _Quantity("gain", first, last, gain),
        _Quantity("loss", first, last, loss),
        _Quantity("net change", first, last, gain, loss),
    ]


def _cells(labels: Sequence[PointLabel], kept: Bools) -> npt.NDArray[np.float64]:
    """Indicators (n, 4): other in both years, gain, loss, mine in both; all zero where a point is not kept."""
    code = np.array([2 * bool(label.start) + bool(label.end) for label in labels], dtype=np.int64)
    return np.asarray((code[:, None] == np.arange(4)) & kept[:, None], dtype=np.float64)


def _labelled(sample: LabelledSample) -> Bools:
    """Points with a label in both years."""
    found = [sample.labels.get(point.point_id) for point in sample.design.points]
    return np.array([one is not None and one.start is not None and one.end is not None for one in found], dtype=bool)


def _scopes(sample: LabelledSample) -> Iterator[_Scope]:
    """Everything, then each country."""
    design, labelled = sample.design, _labelled(sample)
    codes = np.array([s.iso3 for s in design.strata], dtype=object)
    sizes = np.array([s.area_km2 for s in design.strata])
    stratum = np.array([point.stratum for point in design.points], dtype=np.int64)
    countries = sorted(set(codes))
    for iso3 in [None, *countries]:
        strata = np.ones(len(codes), dtype=bool) if iso3 is None else codes == iso3
        rows = labelled & strata[stratum]
        number = np.cumsum(strata) - 1
        drawn = Design.stratified(number[stratum[rows]], sizes[strata])
        yield _Scope(iso3, rows, strata, drawn, _lacking(sample, strata, drawn))


def _lacking(sample: LabelledSample, strata: Bools, drawn: Design) -> str:
    """Why a scope has too few labelled points; empty where it has enough."""
    labelled = int(drawn.counts.sum())
    if labelled < LEAST_LABELLED:
        return f"{labelled} labelled points, fewer than {LEAST_LABELLED}"
    own = [s for s, chosen in zip(sample.design.strata, strata, strict=True) if chosen]
    for stratum, count in zip(own, drawn.counts, strict=True):
        if count < LEAST_POINTS:
            name = f"{stratum.kind} of {stratum.iso3 or 'no country'}"
            return f"{int(count)} labelled points in the stratum {name}, fewer than {LEAST_POINTS}"
    return ""


def _grounds(sample: LabelledSample, scope: _Scope) -> Iterator[tuple[str, Bools]]:
    """All ground, and where the model was trained on some of it, the rest (rows of the scope)."""
    taught = sample.taught[scope.rows]
    yield ALL_GROUND, np.ones(len(taught), dtype=bool)
    if sample.taught.any():
        yield UNTAUGHT, ~taught


def _reason(scope: _Scope, kept: Bools) -> str:
    """Why nothing is said of a ground of the scope; empty where something is."""
    if not scope.reason and int(kept.sum()) < LEAST_LABELLED:
        return f"{int(kept.sum())} labelled points on that ground, fewer than {LEAST_LABELLED}"
    return scope.reason


def _keys(sample: LabelledSample, scope: _Scope, ground: str, names: Mapping[str, str]) -> dict[str, Any]:
    country = EVERYWHERE if scope.iso3 is None else names.get(scope.iso3, scope.iso3)
    return {"sample": sample.name, "iso3": scope.iso3, "country_name": country, "ground": ground}


def _own_labels(sample: LabelledSample, scope: _Scope) -> list[PointLabel]:
    points = sample.design.points
    return [sample.labels[points[n].point_id] for n in np.flatnonzero(scope.rows)]


def _area_rows(
    sample: LabelledSample, names: Mapping[str, str], mapped_now: Mapping[tuple[str, int], float]
) -> Iterator[dict[str, Any]]:
    design = sample.design
    in_scope = np.array([point.stratum for point in design.points], dtype=np.int64)
    remapped = _remapped(sample)
    for scope in _scopes(sample):
        own = [s for s, chosen in zip(design.strata, scope.strata, strict=True) if chosen]
        labels = _own_labels(sample, scope)
        for ground, kept in _grounds(sample, scope):
            reason = _reason(scope, kept)
            totals = None if reason else scope.design.totals(_cells(labels, kept))
            known_now = sample.whole and ground == ALL_GROUND
            for quantity in _quantities(design):
                more, less = np.array(quantity.more), np.array(quantity.less)
                found = NOTHING
                if totals is not None:
                    found = difference(totals, more, less) if less.any() else area(totals, more)
                yield {
                    **_keys(sample, scope, ground, names),
                    "quantity": quantity.name,
                    "from_year": quantity.from_year,
                    "year": quantity.year,
                    "points": int(scope.strata[in_scope].sum()),
                    "labelled": int(kept.sum()),
                    "in_training_blocks": int(sample.taught[scope.rows].sum()),
                    "remapped": int(remapped[scope.strata[in_scope]].sum()),
                    "strata": len(own),
                    "frame_km2": sum(s.area_km2 for s in own) if ground == ALL_GROUND else math.nan,
                    **_in_km2(found),
                    "mapped_km2": _mapped(own, quantity, design) if ground == ALL_GROUND else math.nan,
                    "mapped_now_km2": _now(scope.iso3, quantity, mapped_now) if known_now else math.nan,
                    "outside_frame": UNMEASURED,
                    "verdict": INSUFFICIENT if reason else ESTIMATED,
                    "reason": reason,
                }


def _in_km2(found: Estimate) -> dict[str, float]:
    return {
        "estimate_km2": found.value,
        "standard_error_km2": found.standard_error,
        "low_km2": found.low,
        "high_km2": found.high,
    }


def _mapped(strata: Sequence[Any], quantity: _Quantity, design: SampleDesign) -> float:
    """What the maps said when the sample was drawn."""
    start, end, both = (sum(getattr(s, f"mapped_{name}_km2") for s in strata) for name in ("start", "end", "both"))
    by_name = {"gain": max(end - both, 0.0), "loss": max(start - both, 0.0), "net change": end - start}
    return float(by_name.get(quantity.name, end if quantity.year == design.end_year else start))


def _now(iso3: str | None, quantity: _Quantity, mapped_now: Mapping[tuple[str, int], float]) -> float:
    """What the tables say now; not known of change, which they do not hold by ground."""
    of_year = {code: km2 for (code, year), km2 in mapped_now.items() if year == quantity.year}
    if not of_year or quantity.name != "area":
        return math.nan
    return sum(of_year.values()) if iso3 is None else of_year.get(iso3, 0.0)


def _remapped(sample: LabelledSample) -> Bools:
    """Points of which the maps say something else now than when they were drawn."""
    points = sample.design.points
    changed = np.zeros(len(points), dtype=bool)
    for judged, name in ((sample.start, "mapped_start"), (sample.end, "mapped_end")):
        changed |= _in_words(judged) != np.array([getattr(point, name) for point in points], dtype=object)
    return changed


def _accuracy_rows(sample: LabelledSample, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """How right the maps of now are, on the ground of the frame."""
    design = sample.design
    start, end = sample.start, sample.end
    both = start.known & end.known
    maps = {("mine", design.end_year): (end.mapped, end.known)}
    if not design.single:
        maps |= {
            ("mine", design.start_year): (start.mapped, start.known),
            ("gain", design.end_year): (end.mapped & ~start.mapped, both),
            ("loss", design.end_year): (start.mapped & ~end.mapped, both),
        }
    for scope in _scopes(sample):
        labels = _own_labels(sample, scope)
        first, last = (np.array([getattr(one, name) for one in labels], dtype=bool) for name in ("start", "end"))
        truths = {
            ("mine", design.end_year): last,
            ("mine", design.start_year): last if design.single else first,
            ("gain", design.end_year): last & ~first,
            ("loss", design.end_year): first & ~last,
        }
        for ground, kept in _grounds(sample, scope):
            reason = _reason(scope, kept)
            for (kind, year), (mapped, known) in maps.items():
                judged = known[scope.rows] & kept
                indicators = agreement(mapped[scope.rows], truths[kind, year], judged)
                totals = None if reason else scope.design.totals(indicators)
                for measure in MEASURES:
                    found = NOTHING if totals is None else estimate(measure, totals, int(judged.sum()))
                    yield {
                        **_keys(sample, scope, ground, names),
                        "class": kind,
                        "year": year,
                        "measure": measure,
                        "labelled": int(kept.sum()),
                        "judged": int(judged.sum()),
                        "estimate": found.value,
                        "standard_error": found.standard_error,
                        "low": found.low,
                        "high": found.high,
                        "verdict": INSUFFICIENT if reason else ESTIMATED,
                        "reason": reason,
                    }
