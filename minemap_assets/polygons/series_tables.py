"""Tables of a series: yearly polygons that were made elsewhere, after the rules of this room."""

from minemap_assets.polygons.schemas import COUNTRY_OF_POLYGON, YEAR, TableSpec, real, shape, text, texts, whole

_COUNTRIES = "country_boundaries"
_SERIES = text("series", "Name of the series.")
_STATUS = text("status", "final, or provisional where the series has no polygons of a year of the temporal window.")

SERIES_POLYGONS = TableSpec(
    "polygons",
    "series",
    "Yearly mining polygons that were made elsewhere, confirmed by neighbouring years, merged, with their country.",
    (
        text("polygon_id", "Id of the polygon, unique in the project."),
        _SERIES,
        YEAR,
        *COUNTRY_OF_POLYGON,
        real("area_km2", "Equal-area (EPSG:6933) area in square kilometres."),
        text("temporal_rule", "Rule, years on each side and buffer that confirm a polygon; none where none was used."),
        _STATUS,
        texts("source_ids", "Ids that the polygons it is made of have in the registered files."),
        shape("geometry", "Outline in EPSG:4326."),
    ),
    ("polygon_id",),
)

SERIES_COUNTRY_AREA = TableSpec(
    "polygon_country_area",
    "series",
    "Exact split of each polygon at country borders; the areas of one polygon add up to its own.",
    (
        text("polygon_id", "Id of the polygon."),
        YEAR,
        text("iso3", "ISO 3166-1 alpha-3 code; empty for ground of no country.", _COUNTRIES, "iso3", "geometry"),
        real("area_km2", "Area of the polygon inside the country, in square kilometres."),
    ),
    ("polygon_id", "iso3"),
)

SERIES_SUMMARY = TableSpec(
    "series_summary",
    "series",
    "Area by country and year; ground of no country has a row in every year of the series: zero is not missing.",
    (
        _SERIES,
        text("iso3", "ISO 3166-1 alpha-3 code; empty for ground of no country.", _COUNTRIES, "iso3"),
        text("country_name", "Name of the country.", _COUNTRIES, "name"),
        text("continent", "Continent of the country.", _COUNTRIES, "continent"),
        YEAR,
        whole("polygons", "Polygons of which the country has the largest share."),
        real("area_km2", "Area inside the country in square kilometres; the countries of a year add up to its total."),
        text("temporal_rule", "Rule, years on each side and buffer that confirmed the polygons."),
        _STATUS,
    ),
    ("series", "iso3", "year"),
)

SERIES_TABLES = (SERIES_POLYGONS, SERIES_COUNTRY_AREA, SERIES_SUMMARY)
