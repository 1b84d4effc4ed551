"""Quality rules of polygons, as plain functions over the published table."""

from typing import Any

import geopandas as gpd
import numpy as np

from minemap_assets.graph.context import CheckOutcome
from minemap_assets.polygons.countries import UNASSIGNED

_EXAMPLES = 5


def valid_geometries(frame: gpd.GeoDataFrame) -> CheckOutcome:
    """Every geometry is a valid, non-empty polygon."""
    good = frame.geometry.notna() & ~frame.geometry.is_empty & frame.geometry.is_valid
    good &= frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    return _finding(frame, np.asarray(good, dtype=bool), "are valid polygons")


def positive_areas(frame: gpd.GeoDataFrame) -> CheckOutcome:
    """Every area is a finite number above zero."""
    area = frame["area_km2"].to_numpy(dtype=np.float64)
    return _finding(frame, np.isfinite(area) & (area > 0.0), "have an area above zero")


def countries_known(frame: gpd.GeoDataFrame, boundaries: gpd.GeoDataFrame) -> CheckOutcome:
    """Every country code is one of the boundaries', or empty for unassigned ground (which is counted)."""
    known = set(boundaries["iso3"]) | {UNASSIGNED}
    finding = _finding(frame, np.asarray(frame["country_iso3"].isin(known), dtype=bool), "name a known country or none")
    unassigned = int((frame["country_iso3"] == UNASSIGNED).sum())
    return CheckOutcome(
        finding.passed, f"{finding.sentence}; {unassigned} unassigned", {**finding.facts, "unassigned": unassigned}
    )


def _finding(frame: gpd.GeoDataFrame, good: "np.ndarray[Any, np.dtype[np.bool_]]", what: str) -> CheckOutcome:
    id_column = next((c for c in ("polygon_id", "raw_id") if c in frame.columns), None)
    wrong = np.flatnonzero(~good)
    examples = [str(frame[id_column].iloc[i]) if id_column else int(i) for i in wrong[:_EXAMPLES]]
    sentence = f"{int(good.sum())} of {len(frame)} polygons {what}"
    return CheckOutcome(not len(wrong), sentence, {"polygons": len(frame), "wrong": len(wrong), "examples": examples})
