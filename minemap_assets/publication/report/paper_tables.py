"""The paper's tables on this project's data: area by country (Tables 1 and S1) and clarity of the images (Table S2)."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import Block, Column, Heading, Prose, Section, Table, missing, records
from minemap_assets.publication.report.gaps_section import unseen
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.summary_section import NO_TABLES

LARGEST = 5
"""Countries of Table 1."""

EVERY_REGION = "(all)"
"""Stands in the table of clarity for all regions together."""

COMPARED = "compared"


def tables_section(material: Material) -> Section:
    """Tables 1, S1 and S2, and the same by region."""
    if not len(material.countries):
        return Section("tables", "Tables", [missing(NO_TABLES), *_clarity(material)])
    blocks: list[Block] = [
        Heading("Mapped area by country"),
        *_countries(material),
        Heading("Mapped area by region"),
        _regions(material),
        Heading("Clarity of the images"),
        *_clarity(material),
    ]
    return Section("tables", "Tables", blocks)


def _countries(material: Material) -> Iterator[Block]:
    years = material.shown_years
    table = _wide(material.countries, "iso3", years)
    names = material.countries.drop_duplicates("iso3").set_index("iso3")["name"]
    latest = material.countries.groupby("iso3")["area_km2"].max().fillna(-1.0)
    ranked = sorted(table, key=lambda iso3: (iso3 == "", -latest[iso3], iso3))
    mapped = {iso3: {"iso3": iso3 or "none", "country": str(names[iso3]), **table[iso3]} for iso3 in ranked}
    largest = [iso3 for iso3 in ranked if iso3 and latest[iso3] > 0.0][:LARGEST]
    heads = (Column("country", "Country", numeric=False),)
    areas = year_columns(years, material.provisional)
    if largest:
        yield Table(
            "table_1",
            f"Table 1: mapped area (km²) of the {_of_countries(len(largest))} with the largest mapped area",
            (*heads, *areas),
            [mapped[iso3] for iso3 in largest],
            note=_year_note(material),
            source="`tables/country_summary`",
        )
    beside = _published(material)
    rows: list[dict[str, Any]] = []
    for iso3 in ranked:
        rows.append({**mapped[iso3], "which": "mapped"})
        if iso3 in beside:
            rows.append({**mapped[iso3], **dict.fromkeys((str(y) for y in years), None), **beside[iso3]})
    yield Table(
        "table_s1",
        "Table S1: mapped area (km²) of every country and of ground of no country, with the published area where the "
        "paper lists the country",
        (*heads, Column("iso3", "Code", numeric=False), Column("which", "Area", numeric=False), *areas),
        rows,
        heads=3,
        note=_year_note(material),
        source="`tables/country_summary`, and published areas from `tables/published_country_area`",
    )
    yield Prose(_not_compared(material, beside))


def _wide(rows: pd.DataFrame, key: str, years: tuple[int, ...]) -> dict[str, dict[str, float | None]]:
    """Areas by key and year; None where nothing was observed or mapped."""
    found: dict[str, dict[str, float | None]] = {}
    for row in records(rows):
        values = found.setdefault(str(row[key]), dict.fromkeys((str(year) for year in years), None))
        values[str(int(row["year"]))] = say.as_number(row["area_km2"])
    return found


def year_columns(years: tuple[int, ...], provisional: frozenset[int]) -> tuple[Column, ...]:
    """A column of areas for each year; provisional years say so."""
    return tuple(Column(str(year), f"{year} p" if year in provisional else str(year), say.area) for year in years)


def _year_note(material: Material) -> str:
    provisional = "p: provisional, a year that may still change." if material.provisional else ""
    return " ".join(filter(None, (provisional, unseen(material))))


def _of_countries(number: int) -> str:
    return "country" if number == 1 else say.counted(number, "country", "countries")


def _published(material: Material) -> dict[str, dict[str, Any]]:
    """Rows of published areas by the code of the country, of those that are compared in any year."""
    view = material.views["published_comparison"]
    rows = view[view["coverage"] == COMPARED]
    found: dict[str, dict[str, Any]] = {}
    for row in records(rows):
        found.setdefault(str(row["iso3"]), {"which": "published"})[str(int(row["year"]))] = row["published_km2"]
    return found


def _not_compared(material: Material, beside: dict[str, dict[str, Any]]) -> str:
    view = material.views["published_comparison"]
    source = "Sepin, Vashold and Kuschnig (2025), Table S1"
    if beside:
        return (
            f"Published areas are those of {source}. They cover whole countries within its latitudes, and this project "
            "its own regions and sites: a difference is one of ground as well as of method."
        )
    reasons = view[view["iso3"] != ""].groupby("coverage")["iso3"].unique()
    told = [f"{say.listed(sorted(map(str, codes)))} ({why})" for why, codes in sorted(reasons.items())]
    return f"No country is compared with {source}: {'; '.join(told) or 'no country was mapped'}."


def _regions(material: Material) -> Table:
    shown = material.by_region[material.by_region["year"].isin(material.shown_years)]
    rows = shown.assign(
        title=shown["region"].map(lambda slug: material.regions.get(str(slug), str(slug))),
        year=shown["year"].astype(str),
    ).sort_values(["region", "year"])
    return Table(
        "regions",
        "Mapped area (km²) and coverage by region and year; regions may overlap, so they do not add up to a total",
        (
            Column("title", "Region", numeric=False),
            Column("year", "Year", numeric=False),
            Column("status", "Status", numeric=False),
            Column("product", "Product", missing="none", numeric=False),
            Column("area_km2", "Mapped area", say.area),
            Column("polygons", "Polygons", say.count),
            Column("mean_polygon_km2", "Mean size (km²)", say.area, "none"),
            Column("sites_expected", "Sites expected", say.count),
            Column("sites_observed", "Sites observed", say.count),
            Column("covered_share", "Covered share", say.share, "no sites"),
        ),
        records(rows),
        heads=2,
        note=unseen(material),
        source="`tables/region_summary`",
    )


def _clarity(material: Material) -> Iterator[Block]:
    if not len(material.clarity):
        yield missing("No images were made yet, so that nothing is known of their clarity. `minemap run` makes them.")
        return
    rows = material.clarity.assign(year=material.clarity["year"].astype(str))
    columns = (
        Column("observations", "Images", say.count),
        Column("mean", "Mean", say.clarity, "none"),
        Column("sd", "SD", say.clarity, "none"),
        *(Column(f"p{p}", f"P{p}", say.clarity, "none") for p in (1, 5, 10, 50, 90, 95)),
        Column("clear_count_mean", "Clear views a pixel", say.ratio, "not known"),
        Column("largest_gap_ha", "Largest gap (ha)", say.area, "none"),
        Column("largest_gap_days", "Longest gap (days)", say.count, "not known"),
    )
    year, product = Column("year", "Year", numeric=False), Column("product", "Product", numeric=False)
    yield Table(
        "table_s2",
        "Table S2: clear share (%) of the images of a year, over all regions",
        (year, product, *columns),
        records(rows[rows["region"] == EVERY_REGION].sort_values(["year", "product"])),
        heads=2,
        note="The clear share of an image is that of its pixels in which the ground was seen; an image is that of one "
        "site. P1 to P95 are percentiles over the images, SD is their standard deviation. Clear views a pixel are the "
        "mean number of clear observations, the largest gap is the largest patch that was not seen, the longest gap "
        "the most days of the season without a picture that gave pixels.",
        source="`tables/imagery_clarity`",
    )
    of_regions = rows[rows["region"] != EVERY_REGION].sort_values(["region", "year", "product"])
    yield Table(
        "clarity_by_region",
        "Clear share (%) of the images of a year, by region",
        (Column("region", "Region", numeric=False), year, product, *columns),
        records(of_regions),
        heads=3,
        source="`tables/imagery_clarity`",
    )
