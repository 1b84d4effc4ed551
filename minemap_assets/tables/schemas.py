"""Schemas of the yearly tables: every column with its type, one sentence, and the columns it is made from."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from minemap_assets.polygons import schemas as upstream
from minemap_assets.polygons.schemas import Column, TableSpec, came_from

_MINING = "mining_polygons"
_SITES = "sites"
_COUNTRIES = "country_boundaries"
_IMAGERY = "imagery"

MISSING = "missing"
"""Status of a region and year that was expected and has not been made."""


def _passed_on(spec: TableSpec, name: str, asset: str, description: str) -> TableSpec:
    return TableSpec(name, asset, description, tuple(_same(spec, c.name) for c in spec.columns), spec.key)


def _same(spec: TableSpec, name: str) -> Column:
    """A column of a table that it is taken from unchanged."""
    return replace(spec.columns[spec.names.index(name)], lineage=came_from(spec.asset, name))


def _status() -> Column:
    return Column(
        "status",
        "string",
        "final, provisional while years of the temporal window are missing, or missing where nothing was made.",
        lineage=came_from(_MINING, "status"),
    )


def _year() -> Column:
    return Column("year", "int32", "Year of the imagery.")


def _expected() -> Column:
    return Column(
        "sites_expected", "int32", "Sites that should have been observed.", lineage=came_from(_SITES, "site_id")
    )


def _observed() -> Column:
    return Column(
        "sites_observed",
        "int32",
        "Sites of which some ground was observed.",
        lineage=came_from(_MINING, "observed_share"),
    )


def _covered() -> Column:
    return Column(
        "covered_share",
        "float64",
        "Mean over the expected sites of the share of their ground that was observed, 0 to 1; null without sites.",
        nullable=True,
        lineage=came_from(_MINING, "observed_share"),
    )


def _count(what: str, *columns: str) -> Column:
    return Column("polygons", "int32", what, nullable=True, lineage=came_from(_MINING, *columns))


def _area(what: str, *columns: str) -> Column:
    return Column("area_km2", "float64", what, nullable=True, lineage=came_from(_MINING, *columns))


def _mean_size() -> Column:
    return Column(
        "mean_polygon_km2",
        "float64",
        "Mean area of the polygons counted here, in square kilometres; null where there are none.",
        nullable=True,
        lineage=came_from(_MINING, "area_km2"),
    )


POLYGONS = _passed_on(upstream.MINING_POLYGONS, "polygons", "polygons", "All mining polygons of a year.")

POLYGON_COUNTRY_AREA = _passed_on(
    upstream.POLYGON_COUNTRY_AREA, "polygon_country_area", "polygons", upstream.POLYGON_COUNTRY_AREA.description
)

SITE_PANEL = TableSpec(
    "site_panel",
    "site_panel",
    "A row for every site and year: mapped area, zero where nothing was found, null where nothing was observed.",
    (
        Column("site_id", "string", "Id of the site.", lineage=came_from(_SITES, "site_id")),
        Column(
            "region",
            "string",
            "Slug of the region that speaks for the site: the first by name that was made.",
            lineage=came_from(_SITES, "region"),
        ),
        _year(),
        Column(
            "country_iso3",
            "string",
            "Code of the country in which the window's centre lies; empty for none.",
            lineage=came_from(_COUNTRIES, "iso3", "geometry"),
        ),
        Column("longitude", "float64", "Longitude of the window's centre.", lineage=came_from(_SITES, "longitude")),
        Column("latitude", "float64", "Latitude of the window's centre.", lineage=came_from(_SITES, "latitude")),
        _same(upstream.SITE_AREA, "observed_share"),
        _area(
            "Mapped area in square kilometres on the site's own ground; null where nothing was observed.", "area_km2"
        ),
        _status(),
        _same(upstream.SITE_AREA, "product"),
    ),
    ("site_id", "year"),
)

COUNTRY_SUMMARY = TableSpec(
    "country_summary",
    "country_summary",
    "Mapped area and polygons by country and year; the countries and the row `unassigned` add up to the total, and "
    "ground that lies in several regions counts once.",
    (
        Column(
            "iso3",
            "string",
            "ISO 3166-1 alpha-3 code; empty for ground of no country.",
            lineage=came_from(_COUNTRIES, "iso3"),
        ),
        Column("name", "string", "Name of the country.", lineage=came_from(_COUNTRIES, "name")),
        Column("continent", "string", "Continent of the country.", lineage=came_from(_COUNTRIES, "continent")),
        _year(),
        _count("Polygons of which this country has the largest share.", "polygon_id", "country_iso3"),
        _area(
            "Mapped area inside the country, in square kilometres; null where none of its sites was observed.", "iso3"
        ),
        _mean_size(),
        _expected(),
        _observed(),
        _covered(),
        _status(),
    ),
    ("iso3", "year"),
)

REGION_SUMMARY = TableSpec(
    "region_summary",
    "region_summary",
    "Mapped area and polygons by region and year; regions may overlap, so they do not add up to a total.",
    (
        Column("region", "string", "Slug of the region."),
        _year(),
        _expected(),
        _observed(),
        _covered(),
        _count("Mining polygons; null where nothing was observed.", "polygon_id"),
        _area("Mapped area in square kilometres; null where nothing was observed.", "area_km2"),
        _mean_size(),
        _status(),
        Column(
            "product",
            "string",
            "What the images look like; null where there are none.",
            nullable=True,
            lineage=came_from(_MINING, "product"),
        ),
    ),
    ("region", "year"),
)

PERCENTILES = (1, 5, 10, 50, 90, 95)
"""Those of the paper's table S2, and the 95th."""

ALL_REGIONS = "(all)"
"""Stands in for a region's slug, of which it can be none, where all regions of a year are taken together."""

IMAGERY_CLARITY = TableSpec(
    "imagery_clarity",
    "imagery_clarity",
    "How clear the images of a year were, by region and product, and in all regions together (paper, table S2).",
    (
        _year(),
        Column(
            "region",
            "string",
            f"Slug of the region; {ALL_REGIONS} for all regions together, where a site in several of them counts once.",
        ),
        Column("product", "string", "What the images look like.", lineage=came_from(_IMAGERY, "product")),
        Column("observations", "int32", "Number of site images.", lineage=came_from(_IMAGERY, "site_id")),
        Column("mean", "float64", "Mean clear fraction, 0 to 1.", lineage=came_from(_IMAGERY, "clear_fraction")),
        Column(
            "sd",
            "float64",
            "Standard deviation of the clear fraction between sites; null for a single one.",
            nullable=True,
            lineage=came_from(_IMAGERY, "clear_fraction"),
        ),
        *(
            Column(
                f"p{n}",
                "float64",
                f"Percentile {n} of the clear fraction.",
                lineage=came_from(_IMAGERY, "clear_fraction"),
            )
            for n in PERCENTILES
        ),
        Column(
            "clear_count_mean",
            "float64",
            "Clear observations per pixel, mean over the site images.",
            lineage=came_from(_IMAGERY, "clear_count_mean"),
        ),
        Column(
            "largest_gap_ha",
            "float64",
            "Hectares of the largest patch of unobserved pixels in any of the site images.",
            lineage=came_from(_IMAGERY, "largest_gap_ha"),
        ),
        Column(
            "largest_gap_days",
            "int32",
            "Most days in a row without a picture that gave pixels, of any site image; null where no source knows.",
            nullable=True,
            lineage=came_from(_IMAGERY, "largest_gap_days"),
        ),
    ),
    ("year", "region", "product"),
)

TABLES: Mapping[str, TableSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (POLYGONS, POLYGON_COUNTRY_AREA, SITE_PANEL, COUNTRY_SUMMARY, REGION_SUMMARY, IMAGERY_CLARITY)
    }
)
"""Every table of the database by name."""
