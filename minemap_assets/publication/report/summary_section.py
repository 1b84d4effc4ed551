"""The second section: mapped area by year, with what of it was observed and how sure it is."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import Block, Column, Figure, Prose, Section, Table, missing, records
from minemap_assets.publication.report.gaps_section import unseen, years_in_words
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.series_chart import Line, Truth, series_chart
from minemap_assets.publication.report.truth import ALL
from minemap_assets.validation.area_estimation import ALL_GROUND, ESTIMATED

NO_ESTIMATES = (
    "The mapped areas have no intervals: they are counts of pixels. Points that are drawn from the maps and labelled "
    "by people give areas with intervals, and correct what the maps get wrong: `minemap sample draw` draws them, and "
    "`minemap sample add` takes the labels."
)

NOTHING_SEEN = "No site was observed in any of the years that were mapped, so that there is no area."

NO_TABLES = "No year was mapped yet. `minemap run` makes the maps and their tables."


def yearly_rows(material: Material) -> list[dict[str, Any]]:
    """A row for each mapped year: mapped and estimated area, coverage, status."""
    estimates = yearly_estimates(material)
    share = material.panel.groupby("year")["observed_share"].mean()
    rows = []
    for total in records(material.totals):
        year = int(total["year"])
        found = estimates.get(year, {})
        rows.append(
            {
                **total,
                "year": str(year),
                "status": _status(total),
                "covered_share": float(share[year]) if year in share.index else None,
                "estimate_km2": found.get("estimate_km2"),
                "low_km2": found.get("low_km2"),
                "high_km2": found.get("high_km2"),
                "labelled": found.get("labelled"),
            }
        )
    return rows


def yearly_estimates(material: Material) -> dict[int, dict[str, Any]]:
    """The estimate of all countries' area by year; of several samples that with the shortest interval."""
    areas = material.accuracy.areas
    if areas is None or not len(areas):
        return {}
    whole = areas[
        (areas["quantity"] == "area")
        & areas["iso3"].isna()
        & (areas["ground"] == ALL_GROUND)
        & (areas["verdict"] == ESTIMATED)
    ]
    whole = whole.assign(length=whole["high_km2"] - whole["low_km2"]).sort_values(["length", "sample"], kind="stable")
    best = whole.drop_duplicates("year")
    return {int(row["year"]): row for row in records(best)}


def summary_section(material: Material) -> Section:
    """Area by year, coverage, and what became of both."""
    rows = yearly_rows(material)
    if not rows:
        return Section("summary", "Summary", [missing(NO_TABLES)])
    seen = set(material.seen_years)
    observed = [row for row in rows if int(row["year"]) in seen]
    blocks: list[Block] = [Prose(_lead(observed[-1]) if observed else NOTHING_SEEN), *_images(material)]
    if unseen(material) and observed:
        blocks.append(Prose(f"{unseen(material)} These years have no area, which is not zero.", "warning"))
    blocks.append(_table(rows))
    if not any(row["estimate_km2"] is not None for row in rows):
        insufficient = material.accuracy.areas is not None and len(material.accuracy.areas) > 0
        why = "Points were drawn and are not enough for an estimate of all ground yet. " if insufficient else ""
        blocks.append(missing(f"{why}{NO_ESTIMATES}"))
    if material.provisional:
        years = years_in_words(tuple(material.provisional))
        blocks.append(
            Prose(
                f"Provisional: {years}. A year is confirmed by its neighbours, and changes until these are mapped as "
                "well.",
                "warning",
            )
        )
    blocks.append(_figure(material, [row for row in rows if int(row["year"]) in material.shown_years]))
    return Section("summary", "Summary", blocks)


def _status(total: dict[str, Any]) -> str:
    if not total["sites_observed"]:
        return say.NOT_OBSERVED
    return "final" if total["final"] else "provisional"


def _images(material: Material) -> Iterator[Block]:
    """What the maps are made from."""
    held = material.by_region[material.by_region["product"].notna()]
    told = [
        f"{product} in {years_in_words(tuple({int(year) for year in rows['year']}))}"
        for product, rows in held.groupby("product", sort=True)
    ]
    if told:
        yield Prose(f"Images: {'; '.join(told)}. Their sources, dates and terms stand in the section on versions.")


def _lead(row: dict[str, Any]) -> str:
    area = say.shown(row["area_km2"], say.square_km)
    seen, expected = int(row["sites_observed"]), int(row["sites_expected"])
    share = say.shown(row["covered_share"], say.share)
    sites = (
        f"The one known site was observed, on {share} of its ground."
        if expected == seen == 1
        else f"Of {say.counted(expected, 'site')} {seen:,} {'was' if seen == 1 else 'were'} observed, and {share} of "
        "the ground of all."
    )
    lead = f"In {row['year']} mines cover {area} on the ground of the known sites, as mapped ({row['status']}). {sites}"
    if row["estimate_km2"] is not None:
        ends = say.interval(row["low_km2"], row["high_km2"], say.square_km)
        lead += f" Labelled points put the area at {say.square_km(row['estimate_km2'])} (95 % interval {ends})."
    return lead + " Mines where no site is known are not in any of these figures."


def _table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "area_by_year",
        "Mapped area by year (km²), all countries and unassigned ground, each ground once",
        (
            Column("year", "Year", numeric=False),
            Column("status", "Status", numeric=False),
            Column("area_km2", "Mapped area", say.area),
            Column("estimate_km2", "Estimated area", say.area, "no estimate"),
            Column("interval", "95 % interval", say.area, "none", ends=("low_km2", "high_km2")),
            Column("polygons", "Polygons", say.count),
            Column("sites_expected", "Sites expected", say.count),
            Column("sites_observed", "Sites observed", say.count),
            Column("covered_share", "Covered share", say.share),
            Column("model_verdict", "The model is", missing="not recorded", numeric=False),
        ),
        rows,
        note="Areas are equal-area (EPSG:6933). The covered share is the mean over the expected sites of the share of "
        "their ground that was observed.",
        source="the view `yearly_totals` of the database, and `area_estimates`",
    )


def _figure(material: Material, rows: list[dict[str, Any]]) -> Figure:
    values = pd.DataFrame(rows).assign(year=[int(row["year"]) for row in rows]).set_index("year")
    values["mean_polygon_km2"] = (values["area_km2"] / values["polygons"]).where(values["polygons"] > 0)
    truth = next((one for one in material.truth if one.of == ALL), None)
    known = None
    if truth is not None and truth.outlines:
        mean = truth.area_km2 / truth.outlines
        known = Truth(
            truth.year, {"area_km2": truth.area_km2, "polygons": float(truth.outlines), "mean_polygon_km2": mean}
        )
    estimated = yearly_estimates(material)
    line = Line(
        "all ground",
        values[["area_km2", "polygons", "mean_polygon_km2"]],
        material.provisional,
        known,
        {year: float(row["low_km2"]) for year, row in estimated.items()},
        {year: float(row["high_km2"]) for year, row in estimated.items()},
        {year: float(row["estimate_km2"]) for year, row in estimated.items()},
    )
    told = "; ".join(f"{row['year']}: {say.shown(row['area_km2'], say.square_km)}" for row in rows)
    ground = f" The cross is the ground truth of {known.year}." if known is not None else ""
    return Figure(
        "series_total",
        f"Mapped area, number of polygons and their mean size by year, all ground together.{ground}",
        f"Lines by year. Mapped area, {told}.",
        series_chart([line], break_years(material)),
    )


def break_years(material: Material, region: str | None = None) -> list[int]:
    """First years after a change of source, product, season or series; of one region where it is named."""
    breaks = material.accuracy.breaks
    if breaks is None or not len(breaks):
        return []
    rows = breaks if region is None else breaks[breaks["region"] == region]
    return sorted({int(year) for year in rows["year"]})
