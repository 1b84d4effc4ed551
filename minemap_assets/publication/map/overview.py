"""What the page tells before anybody clicks: the verdict, the years, regions and countries with their figures."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minemap_assets.graph.context import InputContext
from minemap_assets.publication.attribution import attributions
from minemap_assets.publication.map.config import MapConfig
from minemap_assets.publication.map.json_files import number, whole
from minemap_assets.publication.map.map_tables import MapTables
from minemap_assets.publication.published import one_of, table
from minemap_assets.publication.standing import Release, standing_of
from minemap_assets.tables.assets import COUNTRY_SUMMARY, REGION_SUMMARY
from minemap_assets.tables.schemas import COUNTRY_SUMMARY as COUNTRY_TABLE
from minemap_assets.tables.schemas import REGION_SUMMARY as REGION_TABLE
from minemap_assets.validation.assets import AREA_ESTIMATES

if TYPE_CHECKING:
    import pandas as pd

NO_ESTIMATES = (
    "There is no interval: nobody has labelled a sample of points of this map yet (minemap sample), and the number of "
    "polygons says nothing of how uncertain an area is."
)
NOT_OF_THIS = "There is no interval: the labelled sample does not reach this country."

Record = dict[str, Any]


def overview(context: InputContext, tables: MapTables, config: MapConfig) -> Record:
    """All that the page is given at once, as JSON values."""
    standing = standing_of(context)
    regions, countries = _regions(context), _countries(context)
    observed = {one["year"] for region in regions for one in region["rows"] if one["observed"]}
    return {
        "standing": {
            "grade": standing.grade,
            "sentence": standing.sentence,
            "version": standing.version,
            "release": str(standing.release),
            "free": standing.release is Release.FREE,
        },
        "years": list(tables.years),
        "unseen": sorted(set(tables.years) - observed),
        "provisional": sorted({one["year"] for region in regions for one in region["rows"] if one["provisional"]}),
        "regions": regions,
        "countries": countries,
        "rule": _rules(tables.polygons),
        "attributions": [{**asdict(one), "role": str(one.role)} for one in attributions(context)],
        "basemap": {"url": config.basemap_url, "attribution": config.basemap_attribution},
        "max_zoom": config.max_zoom,
    }


def _rules(polygons: "pd.DataFrame") -> Record:
    """How polygons were confirmed and from which threshold on: several where years differ."""
    return {
        "temporal": sorted(set(polygons["temporal_rule"])),
        "operating_points": sorted(set(polygons["operating_point"])),
        "products": sorted(set(polygons["product"])),
    }


def _regions(context: InputContext) -> list[Record]:
    rows = _by_key(table(context, REGION_SUMMARY, REGION_TABLE), "region")
    known = context.project.active_regions()
    return [
        {
            "slug": slug,
            "title": known[slug].title if slug in known else slug,
            "box": [round(one, 5) for one in known[slug].geometry.bounds] if slug in known else None,
            "rows": found,
        }
        for slug, found in rows.items()
    ]


def _countries(context: InputContext) -> list[Record]:
    frame = table(context, COUNTRY_SUMMARY, COUNTRY_TABLE)
    names = {str(code): str(name) for code, name in zip(frame["iso3"], frame["name"], strict=True)}
    intervals, why = _intervals(context)
    return [
        {
            "iso3": code,
            "name": names[code],
            "rows": rows,
            "estimates": intervals.get(code, []),
            "no_interval": "" if intervals.get(code) else why or NOT_OF_THIS,
        }
        for code, rows in _by_key(frame, "iso3").items()
        if code or any(one["km2"] or one["expected"] for one in rows)
    ]


def _by_key(frame: "pd.DataFrame", key: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for row in frame.sort_values([key, "year"], kind="stable").to_dict("records"):
        found.setdefault(str(row[key]), []).append(_row(row))
    return found


def _row(row: Mapping[Any, Any]) -> Record:
    return {
        "year": int(row["year"]),
        "km2": number(row["area_km2"], 3),
        "polygons": whole(row["polygons"]),
        "expected": int(row["sites_expected"]),
        "observed": int(row["sites_observed"]),
        "covered": number(row["covered_share"], 3),
        "provisional": row["status"] == "provisional",
        "status": str(row["status"]),
    }


def _intervals(context: InputContext) -> tuple[dict[str, list[Record]], str]:
    """Estimates of areas by country, and why there are none at all; empty where there are some."""
    import pandas as pd

    found = one_of(context, AREA_ESTIMATES)
    if found is None:
        return {}, NO_ESTIMATES
    frame = pd.read_parquet(found.file("area_estimates.parquet"))
    areas = frame[(frame["quantity"] == "area") & (frame["ground"] == "all") & frame["iso3"].notna()]
    by_country: dict[str, list[Record]] = {}
    for row in areas.sort_values(["iso3", "year", "sample"], kind="stable").to_dict("records"):
        by_country.setdefault(str(row["iso3"]), []).append(_estimate(row))
    return by_country, ""


def _estimate(row: Mapping[Any, Any]) -> Record:
    return {
        "sample": str(row["sample"]),
        "year": int(row["year"]),
        "labelled": int(row["labelled"]),
        "km2": number(row["estimate_km2"], 3),
        "low": number(row["low_km2"], 3),
        "high": number(row["high_km2"], 3),
        "reason": str(row["reason"]),
    }
