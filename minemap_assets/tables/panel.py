"""The panel: a row for every site and year, and its area by cell of the grid."""

from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.geo.vector import polygons_only
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.schemas import conform, empty_table
from minemap_assets.tables.clipped import clipped_ground, clipped_once
from minemap_assets.tables.counted import NOTHING_KM2, Counted, count_regions, measured
from minemap_assets.tables.equal_area_grid import cells_of
from minemap_assets.tables.parts import RegionPart, by_slug
from minemap_assets.tables.schemas import MISSING, SITE_GRID, SITE_PANEL
from minemap_assets.tables.site_shares import area_by_site_and_cell, lost_by_site

NOT_MADE = "the mining polygons of its region and year have not been made"
"""Why a site of a region that was not made was not observed."""

_TOLD = ["site_id", "observed_share", "area_km2", "uncorrected_km2", "not_observed_reason", "status", "product"]
_SUMS = ("area_km2", "uncorrected_km2")


def site_panel(
    year: int,
    parts: Sequence[RegionPart],
    borders: Borders,
    verdict: str,
    counted: Sequence[Counted] | None = None,
) -> pd.DataFrame:
    """A row for every site. Of one that several regions hold, each region that was made tells its part of the area."""
    by_region = {one.part.region.slug: one for one in (count_regions(parts) if counted is None else counted)}
    rows = [
        _site_rows(part, by_region.get(part.region.slug), place)
        for place, part in enumerate(by_slug(parts))
        if len(part.sites)
    ]
    if not rows:
        return empty_table(SITE_PANEL)
    frame = _together(pd.concat(rows, ignore_index=True).sort_values(["site_id", "rank"], ignore_index=True))
    frame["clipped_km2"] = _clipped(frame, parts)
    points = shapely.points(frame["longitude"].to_numpy(float), frame["latitude"].to_numpy(float))
    frame["country_iso3"] = borders.of_points(np.asarray(points, dtype=object))
    return conform(frame.assign(year=year, model_verdict=verdict), SITE_PANEL)


def site_grid(year: int, counted: Sequence[Counted], panel: pd.DataFrame) -> pd.DataFrame:
    """The panel's areas by cell; a site without mapped ground has 0, or null, in the cell of its centre."""
    areas = area_by_site_and_cell(counted)
    areas = areas[areas["site_id"].isin(set(panel.loc[panel["area_km2"].notna(), "site_id"]))]
    row, column = cells_of(panel["longitude"].to_numpy(float), panel["latitude"].to_numpy(float))
    centres = pd.DataFrame({"site_id": panel["site_id"], "cell_row": row, "cell_column": column})
    centres["area_km2"] = np.where(panel["area_km2"].isna(), np.nan, 0.0)
    both = pd.concat([frame for frame in (areas, centres) if len(frame)] or [centres], ignore_index=True)
    key = ["site_id", "cell_row", "cell_column"]
    summed = both.groupby(key, sort=True)["area_km2"].sum(min_count=1).reset_index()
    return conform(summed.assign(year=year), SITE_GRID)


def common_status(values: "Iterable[str]") -> str:
    """The common status: final only where all are, missing only where all are; without any, provisional."""
    found = set(values)
    return found.pop() if len(found) == 1 else "provisional"


def _site_rows(part: RegionPart, counted: Counted | None, place: int) -> pd.DataFrame:
    frame = pd.DataFrame(part.sites[["site_id", "longitude", "latitude"]])
    frame["region"] = part.region.slug
    frame["rank"] = place
    if part.mining is None or counted is None:
        nothing = dict.fromkeys(_SUMS, np.nan) | {"observed_share": 0.0, "status": MISSING, "product": None}
        # a region that was made goes before one that was not
        return frame.assign(rank=place + 1_000_000, not_observed_reason=NOT_MADE, **nothing)
    told = part.mining.site_area[_TOLD]
    frame = frame.merge(told, on="site_id", how="left", validate="one_to_one")
    frame["observed_share"] = frame["observed_share"].fillna(0.0)
    frame["status"] = frame["status"].fillna(MISSING)
    return _counted_once(frame, counted)


def _counted_once(frame: pd.DataFrame, counted: Counted) -> pd.DataFrame:
    """The region's rows without the ground that regions before it observed."""
    if not counted.earlier:
        return frame
    corrected = (frame["uncorrected_km2"] - frame["area_km2"]).to_numpy(dtype=np.float64, copy=True)
    changed = np.flatnonzero(np.abs(corrected) > NOTHING_KM2)
    if not len(counted.rows) and not len(changed):
        return frame
    for row in changed:
        corrected[row] *= _not_taken(str(frame["site_id"].iloc[int(row)]), counted)
    lost = frame["site_id"].map(lost_by_site(counted)).fillna(0.0).astype(np.float64)
    left = frame["area_km2"] - lost
    left = left.mask(left.abs() <= NOTHING_KM2, 0.0).clip(lower=0.0)
    return frame.assign(area_km2=left, uncorrected_km2=(left + corrected).clip(lower=0.0))


def _not_taken(site: str, counted: Counted) -> float:
    """Share of a site's own ground in the region that no region before it observed."""
    part = counted.part
    own = polygons_only(shapely.intersection(part.cells[site], part.region.geometry)) if site in part.cells else None
    seen = [ground for other in counted.earlier if own is not None and (ground := other.observed_ground(own))]
    if own is None or not seen:
        return 1.0
    whole, taken = measured(np.array([own, shapely.intersection(own, shapely.union_all(seen))], dtype=object))
    return float(1.0 - taken / whole) if whole > 0.0 else 1.0


def _together(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each site of rows in the order of regions."""
    several = frame.duplicated("site_id", keep=False)
    if not several.any():
        return frame
    joined = [_joined(rows) for _, rows in frame[several].groupby("site_id", sort=False)]
    together = pd.concat([frame[~several], pd.DataFrame(joined)], ignore_index=True)
    return together.astype(dict.fromkeys(_SUMS, np.float64)).sort_values("site_id", ignore_index=True)


def _joined(rows: pd.DataFrame) -> "pd.Series[Any]":
    """What several regions say of one site."""
    made = rows[rows["status"] != MISSING]
    told = made if len(made) else rows.iloc[:1]
    seen = told[told["observed_share"] > 0.0]
    one = told.iloc[0].copy()
    for name in _SUMS:
        one[name] = seen[name].sum(min_count=1)
    one["observed_share"] = told["observed_share"].max()
    one["not_observed_reason"] = None if len(seen) else one["not_observed_reason"]
    one["status"] = common_status(told["status"])
    products = sorted(set(told["product"].dropna()))
    one["product"] = "+".join(products) if products else None
    return one


def _clipped(panel: pd.DataFrame, parts: Sequence[RegionPart]) -> "pd.Series[float]":
    """Clipped ground of each row of the panel: null where the site was not observed."""
    ground: gpd.GeoDataFrame = clipped_once(clipped_ground(parts))
    by_site = ground.groupby("site_id")["area_km2"].sum() if len(ground) else pd.Series(dtype=np.float64)
    found = panel["site_id"].map(by_site).fillna(0.0).astype(np.float64)
    return found.where(panel["area_km2"].notna())
