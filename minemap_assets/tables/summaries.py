"""Sums: the rows of the yearly tables, as plain functions from frames to frames.

An area is zero where the ground was observed and nothing was found, and null where it was not observed. `verdict` is
what the model behind the areas is worth.
"""

from collections.abc import Callable, Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from minemap_assets.polygons.countries import UNASSIGNED, UNASSIGNED_NAME, Borders
from minemap_assets.polygons.schemas import conform, empty_table, stack
from minemap_assets.tables.clipped import clipped_ground, clipped_once
from minemap_assets.tables.counted import count_once, count_regions
from minemap_assets.tables.panel import common_status
from minemap_assets.tables.parts import RegionPart, by_slug
from minemap_assets.tables.schemas import (
    ALL_REGIONS,
    COUNTRY_SUMMARY,
    IMAGERY_CLARITY,
    MISSING,
    PERCENTILES,
    REGION_SUMMARY,
)

_NAMED = ["name", "continent", "sovereign_iso3", "sovereign_name"]


def country_summary(
    year: int,
    parts: Sequence[RegionPart],
    panel: pd.DataFrame,
    countries: pd.DataFrame,
    verdict: str,
    borders: Callable[[], Borders],
) -> pd.DataFrame:
    """A row for every country with sites or mapped ground, and one for ground of no country.

    `panel` is the year's site_panel; `countries` are the boundaries, with or without their geometry; `borders` is asked
    only where a polygon has to be measured anew.
    """
    counted = count_once(count_regions(parts), borders)
    mapped = {str(code): float(km2) for code, km2 in counted.areas.groupby("iso3")["area_km2"].sum().items()}
    clipped = _clipped_by_country(parts, borders)
    sites, polygons = _by_country(panel), _by_country(counted.polygons)
    overall = {*panel["status"], *(_of_region(part) for part in parts if part.mining is None or not len(part.sites))}
    anything = bool((panel["observed_share"] > 0.0).any())
    named = _named(countries)
    rows = []
    for code in sorted({*sites, *mapped, UNASSIGNED}):
        mine = polygons.get(code, counted.polygons.iloc[:0])
        here = sites.get(code, panel.iloc[:0])
        seen = int((here["observed_share"] > 0.0).sum())
        known = seen > 0 or code in mapped or (code == UNASSIGNED and not len(here) and anything)
        area = mapped.get(code, 0.0)
        corrected = float((here["uncorrected_km2"] - here["area_km2"]).sum())
        rows.append(
            {
                "iso3": code,
                **named[code],
                "year": year,
                "polygons": len(mine) if known else None,
                "area_km2": area if known else np.nan,
                "uncorrected_km2": max(area + corrected, 0.0) if known else np.nan,
                "clipped_km2": clipped.get(code, 0.0) if known else np.nan,
                "mean_polygon_km2": mine["area_km2"].mean() if len(mine) else np.nan,
                "sites_expected": len(here),
                "sites_observed": seen,
                "covered_share": here["observed_share"].mean() if len(here) else np.nan,
                "status": common_status([*here["status"], *mine["status"]] or overall),
                "model_verdict": verdict,
            }
        )
    return conform(pd.DataFrame(rows), COUNTRY_SUMMARY)


def _by_country(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(code): some for code, some in rows.groupby("country_iso3")}


def _of_region(part: RegionPart) -> str:
    return MISSING if part.mining is None else "provisional"


def _named(countries: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What each country is called, where it lies and whose it is, by code; unassigned ground has an entry."""
    nowhere = {"name": UNASSIGNED_NAME, "continent": "", "sovereign_iso3": "", "sovereign_name": UNASSIGNED_NAME}
    first = countries.sort_values(["iso3", "name"]).drop_duplicates("iso3").set_index("iso3")
    texts = {name: first[name].astype(str).to_dict() for name in _NAMED}
    named = {str(code): {name: str(texts[name][code]) for name in _NAMED} for code in first.index}
    return {**named, UNASSIGNED: nowhere}


def _clipped_by_country(parts: Sequence[RegionPart], borders: Callable[[], Borders]) -> dict[str, float]:
    """Clipped ground by the country in which it lies."""
    ground: gpd.GeoDataFrame = clipped_once(clipped_ground(parts))
    if not len(ground):
        return {}
    split = borders().split(np.asarray(ground.geometry, dtype=object))
    area = split["share"].to_numpy() * ground["area_km2"].to_numpy()[split["polygon"].to_numpy(dtype=np.int64)]
    return {str(code): float(km2) for code, km2 in split.assign(km2=area).groupby("iso3")["km2"].sum().items()}


def region_summary(year: int, parts: Sequence[RegionPart], verdict: str) -> pd.DataFrame:
    """A row for every expected region; area and polygons are null where nothing was observed."""
    if not parts:
        return empty_table(REGION_SUMMARY)
    ground = clipped_ground(parts)
    clipped = ground.groupby("region")["area_km2"].sum().to_dict() if len(ground) else {}
    rows = [_region_row(year, part, float(clipped.get(part.region.slug, 0.0))) for part in by_slug(parts)]
    return conform(pd.DataFrame(rows).assign(model_verdict=verdict), REGION_SUMMARY)


def _region_row(year: int, part: RegionPart, clipped_km2: float) -> dict[str, object]:
    row: dict[str, object] = {"region": part.region.slug, "year": year, "sites_expected": len(part.sites)}
    if part.mining is None:
        unknown = ("area_km2", "uncorrected_km2", "clipped_km2", "mean_polygon_km2")
        nothing = {"polygons": None, "product": None, **dict.fromkeys(unknown, np.nan)}
        share = 0.0 if len(part.sites) else np.nan
        return {**row, **nothing, "sites_observed": 0, "covered_share": share, "status": MISSING}
    panel, polygons = part.mining.site_area, part.mining.polygons
    observed = panel["observed_share"].to_numpy(dtype=np.float64)
    seen = int(np.count_nonzero(observed > 0.0))
    products = sorted(set(panel["product"].dropna()))
    area = float(polygons["area_km2"].sum())
    corrected = float((panel["uncorrected_km2"] - panel["area_km2"]).sum())
    return {
        **row,
        "sites_observed": seen,
        "covered_share": float(observed.sum()) / len(part.sites) if len(part.sites) else np.nan,
        "polygons": len(polygons) if seen else None,
        "area_km2": area if seen else np.nan,
        "uncorrected_km2": max(area + corrected, 0.0) if seen else np.nan,
        "clipped_km2": clipped_km2 if seen else np.nan,
        "mean_polygon_km2": float(polygons["area_km2"].mean()) if len(polygons) else np.nan,
        "status": common_status(panel["status"]),
        "product": "+".join(products) if products else None,
    }


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
