"""Schemas of the yearly tables: every column with its type, one sentence, and the columns it is made from."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from minemap_assets.polygons import history_schemas, series_tables
from minemap_assets.polygons import schemas as upstream
from minemap_assets.polygons.schemas import YEAR, Column, TableSpec, came_from, real, shape, text, whole

_MINING = "mining_polygons"
_SITES = "sites"
_COUNTRIES = "country_boundaries"
_IMAGERY = "imagery"
_PANEL = "site_panel"

MISSING = "missing"
"""Status of a region and year that was expected and has not been made."""


MODEL_VERDICT = text(
    "model_verdict",
    "What the model in use was worth when it was put in use: usable, weak, not better than a threshold, or cannot be "
    "judged; not recorded where that was decided by an earlier minemap, null where one made the table.",
    nullable=True,
)


def _marked(spec: TableSpec) -> TableSpec:
    """The table with the verdict on the model behind its figures, before the geometry where it has one."""
    others = tuple(c for c in spec.columns if c.type == "geometry")
    plain = tuple(c for c in spec.columns if c.type != "geometry")
    return replace(spec, columns=(*plain, MODEL_VERDICT, *others))


def _passed_on(spec: TableSpec, name: str, asset: str, description: str) -> TableSpec:
    return TableSpec(name, asset, description, tuple(_same(spec, c.name) for c in spec.columns), spec.key)


def _same(spec: TableSpec, name: str) -> Column:
    """A column of a table that it is taken from unchanged."""
    return replace(spec.columns[spec.names.index(name)], lineage=came_from(spec.asset, name))


_STATUS = text(
    "status",
    "final, provisional while years of the temporal window are missing, or missing where nothing was made.",
    _MINING,
    "status",
)

_EXPECTED = whole("sites_expected", "Sites that should have been observed.", _SITES, "site_id")

_OBSERVED = whole("sites_observed", "Sites of which some ground was observed.", _MINING, "observed_share")

_COVERED = real(
    "covered_share",
    "Mean over the expected sites of the share of their ground that was observed, 0 to 1; null without sites.",
    _MINING,
    "observed_share",
    nullable=True,
)


def _count(what: str, *columns: str) -> Column:
    return whole("polygons", what, _MINING, *columns, nullable=True)


def _area(what: str, *columns: str) -> Column:
    return real("area_km2", what, _MINING, *columns, nullable=True)


def _uncorrected(what: str) -> Column:
    return real("uncorrected_km2", what, _MINING, "uncorrected_km2", nullable=True)


def _clipped(where: str) -> Column:
    what = (
        f"Square kilometres mapped, before the temporal rule, on the own ground of {where} beyond the region's border, "
        "where no other region that was made observes it: they are in no area; null where nothing was observed."
    )
    return real("clipped_km2", what, _MINING, "geometry", nullable=True)


_MEAN_SIZE = real(
    "mean_polygon_km2",
    "Mean area of the polygons counted here, in square kilometres; null where there are none.",
    _MINING,
    "area_km2",
    nullable=True,
)

POLYGONS = _marked(_passed_on(upstream.MINING_POLYGONS, "polygons", "polygons", "All mining polygons of a year."))

POLYGON_COUNTRY_AREA = _passed_on(
    upstream.POLYGON_COUNTRY_AREA, "polygon_country_area", "polygons", upstream.POLYGON_COUNTRY_AREA.description
)

SITE_PANEL = TableSpec(
    "site_panel",
    "site_panel",
    "A row for every site and year: mapped area, zero where nothing was found, null where nothing was observed.",
    (
        text("site_id", "Id of the site.", _SITES, "site_id"),
        text(
            "region", "Slug of the region that speaks for the site: the first by name that was made.", _SITES, "region"
        ),
        YEAR,
        text(
            "country_iso3",
            "Code of the country in which the window's centre lies; empty for none.",
            _COUNTRIES,
            "iso3",
            "geometry",
        ),
        real("longitude", "Longitude of the window's centre.", _SITES, "longitude"),
        real("latitude", "Latitude of the window's centre.", _SITES, "latitude"),
        real(
            "observed_share",
            "Share of the ground the site owns that was observed, 0 to 1; the largest where several regions hold it.",
            _MINING,
            "observed_share",
        ),
        _area(
            "Mapped area in square kilometres on the site's own ground, over all regions that hold it; ground of "
            "several regions counts for the first by name that observed it; null where nothing was observed.",
            "area_km2",
        ),
        _uncorrected(
            "The same area before a person rejected or redrew polygons; null where nothing was observed.",
        ),
        _clipped("the site"),
        _same(upstream.SITE_AREA, "not_observed_reason"),
        _STATUS,
        _same(upstream.SITE_AREA, "product"),
        MODEL_VERDICT,
    ),
    ("site_id", "year"),
)

COUNTRY_SUMMARY = TableSpec(
    "country_summary",
    "country_summary",
    "Mapped area and polygons by country and year; the countries and the row `unassigned` add up to the total, and "
    "ground that lies in several regions counts once.",
    (
        text("iso3", "ISO 3166-1 alpha-3 code; empty for ground of no country.", _COUNTRIES, "iso3"),
        text("name", "Name of the country or territory.", _COUNTRIES, "name"),
        text("continent", "Continent of the country.", _COUNTRIES, "continent"),
        text(
            "sovereign_iso3",
            "Code of the state that a territory belongs to; a state's own code, and empty for ground of no country.",
            _COUNTRIES,
            "sovereign_iso3",
        ),
        text("sovereign_name", "Name of that state.", _COUNTRIES, "sovereign_name"),
        YEAR,
        _count("Polygons of which this country has the largest share.", "polygon_id", "country_iso3"),
        _area(
            "Mapped area inside the country, in square kilometres; null where none of its sites was observed.", "iso3"
        ),
        _uncorrected(
            "The same area before a person rejected or redrew polygons, by the country of their sites; null where none "
            "of its sites was observed.",
        ),
        _clipped("sites, inside the country"),
        _MEAN_SIZE,
        _EXPECTED,
        _OBSERVED,
        _COVERED,
        _STATUS,
        MODEL_VERDICT,
    ),
    ("iso3", "year"),
)

REGION_SUMMARY = TableSpec(
    "region_summary",
    "region_summary",
    "Mapped area and polygons by region and year; regions may overlap, so they do not add up to a total.",
    (
        text("region", "Slug of the region."),
        YEAR,
        _EXPECTED,
        _OBSERVED,
        _COVERED,
        _count("Mining polygons; null where nothing was observed.", "polygon_id"),
        _area("Mapped area in square kilometres; null where nothing was observed.", "area_km2"),
        _uncorrected("The same area before a person rejected or redrew polygons; null where nothing was observed."),
        _clipped("the region's sites"),
        _MEAN_SIZE,
        _STATUS,
        text("product", "What the images look like; null where there are none.", _MINING, "product", nullable=True),
        MODEL_VERDICT,
    ),
    ("region", "year"),
)

_CELL = (
    whole("cell_row", "Number of the cell's row: floor(y / 10,000) of EPSG:6933; it grows northward.", _PANEL),
    whole("cell_column", "Number of the cell's column: floor(x / 10,000) of EPSG:6933; it grows eastward.", _PANEL),
)

SITE_GRID = TableSpec(
    "site_grid",
    _PANEL,
    "Mapped area of each site by cell of an equal-area grid (EPSG:6933, 10 km); each site has a row at least in the "
    "cell of its window's centre, and its rows add up to its area in site_panel.",
    (
        text("site_id", "Id of the site.", _SITES, "site_id"),
        YEAR,
        replace(_CELL[0], lineage=came_from(_MINING, "geometry")),
        replace(_CELL[1], lineage=came_from(_MINING, "geometry")),
        _area(
            "Mapped area of the site inside the cell, in square kilometres; null where it was not observed.",
            "area_km2",
            "geometry",
        ),
    ),
    ("site_id", "year", "cell_row", "cell_column"),
)


def _of_panel(name: str, what: str) -> Column:
    return real(name, what, _PANEL, "area_km2", nullable=True)


CHANGE_GRID = TableSpec(
    "change_grid",
    "change_grid",
    "Change of the mapped area from one year to the next by cell of an equal-area grid (EPSG:6933, 10 km), only of "
    "sites that were observed in both years; null, and not zero, where there is none of them.",
    (
        replace(_CELL[0], lineage=came_from(_PANEL, "site_id")),
        replace(_CELL[1], lineage=came_from(_PANEL, "site_id")),
        replace(YEAR, description="The later of the two years."),
        _of_panel("area_km2", "Mapped area of the compared sites inside the cell, in square kilometres."),
        _of_panel("previous_km2", "The same of the year before."),
        _of_panel("change_km2", "The difference: new_mines_km2 + expansion_km2 - loss_km2."),
        _of_panel("new_mines_km2", "Area of mines of which no earlier year shows any."),
        _of_panel("expansion_km2", "What mines that were there before have gained."),
        _of_panel("loss_km2", "What mines have lost; not below zero."),
        whole("sites_expected", "Sites with ground or their centre in the cell.", _PANEL, "site_id"),
        whole("sites_compared", "Those of them that were observed in both years.", _PANEL, "observed_share"),
        Column(
            "provisional",
            "bool",
            "True while either year may still change; null without a compared site.",
            came_from(_PANEL, "status"),
            nullable=True,
        ),
        shape("geometry", "Outline of the cell in EPSG:4326.", _PANEL, "longitude", "latitude"),
    ),
    ("cell_row", "cell_column", "year"),
)

_PUBLISHED = "published_country_area"

PUBLISHED_COUNTRY_AREA = TableSpec(
    _PUBLISHED,
    _PUBLISHED,
    "Mining area by country and year as the paper published it (Table S1).",
    (
        text("iso3", "ISO 3166-1 alpha-3 code; the table itself has names only."),
        YEAR,
        real("area_km2", "Published area of mining polygons, in whole square kilometres."),
        text("source", "Where the figure was published."),
    ),
    ("iso3", "year"),
)

PUBLISHED_COVERAGE = TableSpec(
    "published_coverage",
    _PUBLISHED,
    "What ground the published areas describe: every code that they hold, leave out or count under another.",
    (
        text("iso3", "ISO 3166-1 alpha-3 code."),
        text("coverage", "published, excluded, or counted elsewhere where another code's figure holds it."),
        text("counted_as", "The code under which the figure stands; its own unless it is counted elsewhere."),
        real("latitude", "Degrees either side of the equator that were mapped; the same in every row."),
        real("floor_km2", "Area that a listed country has in at least one year; the same in every row."),
        text("source", "Where the coverage was published."),
    ),
    ("iso3",),
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
        YEAR,
        text(
            "region",
            f"Slug of the region; {ALL_REGIONS} for all regions together, where a site in several of them counts once.",
        ),
        text("product", "What the images look like.", _IMAGERY, "product"),
        whole("observations", "Number of site images.", _IMAGERY, "site_id"),
        real("mean", "Mean clear fraction, 0 to 1.", _IMAGERY, "clear_fraction"),
        real(
            "sd",
            "Standard deviation of the clear fraction between sites; null for a single one.",
            _IMAGERY,
            "clear_fraction",
            nullable=True,
        ),
        *(real(f"p{n}", f"Percentile {n} of the clear fraction.", _IMAGERY, "clear_fraction") for n in PERCENTILES),
        real(
            "clear_count_mean", "Clear observations per pixel, mean over the site images.", _IMAGERY, "clear_count_mean"
        ),
        real(
            "largest_gap_ha",
            "Hectares of the largest patch of unobserved pixels in any of the site images.",
            _IMAGERY,
            "largest_gap_ha",
        ),
        whole(
            "largest_gap_days",
            "Most days in a row without a picture that gave pixels, of any site image; null where no source knows.",
            _IMAGERY,
            "largest_gap_days",
            nullable=True,
        ),
    ),
    ("year", "region", "product"),
)

SERIES_SUMMARY = replace(
    series_tables.SERIES_SUMMARY,
    description="Area by country and year of series that were made elsewhere and registered; ground of no country has "
    "a row in every year of a series: zero is not missing.",
)

TABLES: Mapping[str, TableSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            POLYGONS,
            POLYGON_COUNTRY_AREA,
            SITE_PANEL,
            SITE_GRID,
            COUNTRY_SUMMARY,
            REGION_SUMMARY,
            IMAGERY_CLARITY,
            CHANGE_GRID,
            PUBLISHED_COUNTRY_AREA,
            PUBLISHED_COVERAGE,
            SERIES_SUMMARY,
            history_schemas.SITE_HISTORY,
            history_schemas.MINE_YEARS,
        )
    }
)
"""Every table of the database by name."""
