"""Sums: the rows of the yearly tables, as plain functions from frames to frames.

An area is zero where the ground was observed and nothing was found, and null where it was not observed. `verdict` is
what the model behind the areas is worth.
"""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.polygons.countries import UNASSIGNED, Borders, country_names
from minemap_assets.polygons.schemas import conform, empty_table, stack
from minemap_assets.tables.parts import RegionPart, by_slug, count_once
from minemap_assets.tables.schemas import (
    ALL_REGIONS,
    COUNTRY_SUMMARY,
    IMAGERY_CLARITY,
    MISSING,
    PERCENTILES,
    REGION_SUMMARY,
    SITE_PANEL,
)


def site_panel(year: int, parts: Sequence[RegionPart], borders: Borders, verdict: str) -> pd.DataFrame:
    """A row for every site; one that lies in several regions is told by the first of them that was made."""
    rows = [_site_rows(year, part, place) for place, part in enumerate(by_slug(parts)) if len(part.sites)]
    if not rows:
        return empty_table(SITE_PANEL)
    frame = pd.concat(rows, ignore_index=True).sort_values(["site_id", "rank"]).drop_duplicates("site_id")
    points = shapely.points(frame["longitude"].to_numpy(float), frame["latitude"].to_numpy(float))
    frame["country_iso3"] = borders.of_points(np.asarray(points, dtype=object))
    return conform(frame.assign(model_verdict=verdict), SITE_PANEL)


def _site_rows(year: int, part: RegionPart, place: int) -> pd.DataFrame:
    frame = pd.DataFrame(part.sites[["site_id", "longitude", "latitude"]])
    frame["region"] = part.region.slug
    frame["year"] = year
    frame["rank"] = place
    if part.mining is None:
        # a region that was made goes before one that was not
        return frame.assign(rank=place + 1_000_000, observed_share=0.0, area_km2=np.nan, status=MISSING, product=None)
    told = part.mining.site_area[["site_id", "observed_share", "area_km2", "status", "product"]]
    frame = frame.merge(told, on="site_id", how="left", validate="one_to_one")
    frame["observed_share"] = frame["observed_share"].fillna(0.0)
    frame["status"] = frame["status"].fillna(MISSING)
    return frame


def country_summary(
    year: int,
    parts: Sequence[RegionPart],
    boundaries: gpd.GeoDataFrame,
    verdict: str,
    border_tolerance_km: float = 5.0,
) -> pd.DataFrame:
    """A row for every country with sites or mapped ground, and one for ground of no country."""
    borders = Borders(boundaries, border_tolerance_km)
    panel = site_panel(year, parts, borders, verdict)
    counted = count_once(parts, borders)
    polygons, areas = counted.polygons, counted.areas
    names = country_names(boundaries)
    area_of = {str(code): float(area) for code, area in areas.groupby("iso3")["area_km2"].sum().items()}
    anything = bool((panel["observed_share"] > 0.0).any())
    overall = {MISSING if p.mining is None else _status(p.mining.site_area["status"]) for p in parts}
    rows = []
    for code in sorted(set(panel["country_iso3"]) | set(area_of) | {UNASSIGNED}):
        sites = panel[panel["country_iso3"] == code]
        mine = polygons[polygons["country_iso3"] == code]
        seen = int((sites["observed_share"] > 0.0).sum())
        known = seen > 0 or code in area_of or (code == UNASSIGNED and not len(sites) and anything)
        statuses = [*sites["status"], *mine["status"]] or sorted(overall)
        rows.append(
            {
                "iso3": code,
                "name": names[code].name,
                "continent": names[code].continent,
                "year": year,
                "polygons": len(mine) if known else None,
                "area_km2": area_of.get(code, 0.0) if known else np.nan,
                "mean_polygon_km2": mine["area_km2"].mean() if len(mine) else np.nan,
                "sites_expected": len(sites),
                "sites_observed": seen,
                "covered_share": sites["observed_share"].mean() if len(sites) else np.nan,
                "status": _status(statuses),
                "model_verdict": verdict,
            }
        )
    return conform(pd.DataFrame(rows), COUNTRY_SUMMARY)


def region_summary(year: int, parts: Sequence[RegionPart], verdict: str) -> pd.DataFrame:
    """A row for every expected region; area and polygons are null where nothing was observed."""
    rows = [_region_row(year, part) for part in by_slug(parts)]
    return (
        conform(pd.DataFrame(rows).assign(model_verdict=verdict), REGION_SUMMARY)
        if rows
        else empty_table(REGION_SUMMARY)
    )


def _region_row(year: int, part: RegionPart) -> dict[str, object]:
    row: dict[str, object] = {"region": part.region.slug, "year": year, "sites_expected": len(part.sites)}
    if part.mining is None:
        nothing = {"polygons": None, "area_km2": np.nan, "mean_polygon_km2": np.nan, "product": None}
        share = 0.0 if len(part.sites) else np.nan
        return {**row, **nothing, "sites_observed": 0, "covered_share": share, "status": MISSING}
    panel, polygons = part.mining.site_area, part.mining.polygons
    observed = panel["observed_share"].to_numpy(dtype=np.float64)
    seen = int(np.count_nonzero(observed > 0.0))
    products = sorted(set(panel["product"].dropna()))
    return {
        **row,
        "sites_observed": seen,
        "covered_share": float(observed.sum()) / len(part.sites) if len(part.sites) else np.nan,
        "polygons": len(polygons) if seen else None,
        "area_km2": float(polygons["area_km2"].sum()) if seen else np.nan,
        "mean_polygon_km2": float(polygons["area_km2"].mean()) if len(polygons) else np.nan,
        "status": _status(panel["status"]),
        "product": "+".join(products) if products else None,
    }


def _status(values: "Sequence[str] | pd.Series[str]") -> str:
    """The common status: final only where all are, missing only where all are; without any, provisional."""
    found = set(values)
    return found.pop() if len(found) == 1 else "provisional"


def imagery_clarity(year: int, indexes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How clear the images were, for every region (by slug) and product and for all regions together."""
    columns = ["site_id", "product", "clear_fraction", "clear_count_mean", "largest_gap_ha", "largest_gap_days"]
    several = {slug: index.reindex(columns=columns) for slug, index in sorted(indexes.items()) if len(index)}
    if several:
        several[ALL_REGIONS] = pd.concat(several.values()).drop_duplicates(["site_id", "product"])
    frames = [
        conform(pd.DataFrame([{"year": year, "region": slug, "product": product} | _clarity(rows)]), IMAGERY_CLARITY)
        for slug, index in several.items()
        for product, rows in index.groupby("product", sort=True)
    ]
    return stack(frames, IMAGERY_CLARITY)


def _clarity(rows: pd.DataFrame) -> dict[str, object]:
    """The measures of some images, one a row."""
    clear = rows["clear_fraction"].to_numpy(dtype=np.float64)
    return {
        "observations": len(clear),
        "mean": clear.mean(),
        "sd": clear.std(ddof=1) if len(clear) > 1 else np.nan,
        **{f"p{n}": np.percentile(clear, n) for n in PERCENTILES},
        "clear_count_mean": rows["clear_count_mean"].mean(),
        "largest_gap_ha": rows["largest_gap_ha"].max(),
        "largest_gap_days": rows["largest_gap_days"].max(),
    }
