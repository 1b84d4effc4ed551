"""Reference validation: yearly maps and reference outlines against labelled points.

A point outside every polygon counts as not mapped, also where no site is near: the map says that there is no mine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from minemap_assets.geo.vector import write_parquet
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.metrics import Confusion
from minemap_assets.validation.accuracy import wilson

FILE = "reference_validation.parquet"
COLUMNS = (
    "map",
    "year",
    "points",
    "true_positive",
    "false_positive",
    "false_negative",
    "true_negative",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "matthews",
    "users_accuracy",
    "producers_accuracy",
    "specificity",
    "false_positive_rate",
)


@dataclass(frozen=True, eq=False)
class YearMap:
    """A map of one year: its name, the year, and its polygons (EPSG:4326)."""

    name: str
    year: int
    polygons: npt.NDArray[np.object_]


def validate(points: gpd.GeoDataFrame, maps: Sequence[YearMap]) -> pd.DataFrame:
    """One row for each map that has points of its year, sorted by name and year."""
    rows = []
    for one in sorted(maps, key=lambda m: (m.name, m.year)):
        of_year = points[points["year"] == one.year]
        if len(of_year):
            inside = _inside(of_year.geometry.to_numpy(), one.polygons)
            rows.append(_row(one, Confusion.of(inside, of_year["label"].to_numpy(dtype=bool))))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def build_reference_validation(points: gpd.GeoDataFrame, maps: Sequence[YearMap], writer: PartitionWriter) -> Outcome:
    """Write `reference_validation.parquet`; the summary has the mean over the years of each map."""
    frame = validate(points, maps)
    writer.write(FILE, lambda path: write_parquet(frame, path))
    means = frame.groupby("map")[["accuracy", "matthews", "users_accuracy", "producers_accuracy"]].mean()
    table = [
        {"map": name, **{c: "none" if np.isnan(v) else round(float(v), 4) for c, v in row.items()}}
        for name, row in means.iterrows()
    ]
    return Outcome({"rows": len(frame), "points": len(points), "mean over years": table})


def _inside(points: npt.NDArray[np.object_], polygons: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    hit = np.zeros(len(points), dtype=bool)
    if len(polygons):
        hit[shapely.STRtree(polygons).query(points, predicate="intersects")[0]] = True
    return hit


def _row(one: YearMap, counts: Confusion) -> Mapping[str, Any]:
    """Plain, unweighted estimates, as in the seed paper (section Validation): they describe the points, and only a
    design-based estimate describes the ground.
    """
    low, high = wilson(counts.true_positive + counts.true_negative, counts.pixels)
    return {
        "map": one.name,
        "year": one.year,
        "points": counts.pixels,
        "users_accuracy": counts.precision,
        "producers_accuracy": counts.recall,
        "accuracy_low": low,
        "accuracy_high": high,
        **{name: getattr(counts, name) for name in COLUMNS if hasattr(counts, name)},
    }
