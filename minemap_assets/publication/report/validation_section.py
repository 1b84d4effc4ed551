"""The section on validation: labelled points, estimated areas, and what a swap of products does to the series."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.curve_charts import Score, scores_chart
from minemap_assets.publication.report.document import (
    Block,
    Column,
    Figure,
    Heading,
    Prose,
    Section,
    Table,
    missing,
    records,
)
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.style import legible
from minemap_assets.validation.continuity import ALL_GROUND, EVERYTHING
from minemap_assets.validation.map_reading import ALL as ALL_FRAMES

MAPPED = "mapped"
"""The name of this project's own map in the reference validation."""

MEASURES = {
    "accuracy": "Accuracy",
    "matthews": "Matthews correlation",
    "users_accuracy": "Precision (user's accuracy)",
    "producers_accuracy": "Recall (producer's accuracy)",
    "specificity": "Specificity",
    "false_positive_rate": "False positive rate",
    "f1": "F1",
    "kappa": "Kappa",
    "mine_share": "Share of mine",
}
"""What the measures of the estimates are called, in the order of the tables."""


def validation_section(material: Material) -> Section:
    """Accuracy at points, areas with intervals, source continuity."""
    blocks: list[Block] = [
        Heading("At labelled points"),
        *_points(material),
        Heading("Areas estimated from labelled points"),
        *_areas(material),
        Heading("Between products"),
        *_continuity(material),
    ]
    return Section("validation", "Validation", blocks)


def _points(material: Material) -> Iterator[Block]:
    scores, estimates = material.accuracy.points, material.accuracy.estimates
    if scores is None or estimates is None or not len(scores):
        yield missing(
            "The maps were not compared with labelled points: no validation points are registered, or the comparison "
            "was not made. `minemap reference add "
            "validation_points FILE --licence LICENCE` registers points, and `minemap run --select "
            "reference_validation` compares."
        )
        return
    describes = estimates["describes"].iloc[0]
    yield Prose(
        "Points labelled mine or not mine by people, against the maps of the same year, the ground truth and its "
        "parts. A point of which a map says nothing is missing, and neither right nor wrong. The estimates describe "
        f"{describes}."
    )
    kept = scores[(scores["frame"] == ALL_FRAMES) | scores["year"].isna() | (scores["years"].max() == 1)]
    rows = _mapped_first(kept.assign(span=_span(kept)), ["frame", "year"])
    yield Table(
        "reference_validation",
        "Accuracy at labelled points, by map, part of the ground and year",
        (
            Column("map", "Map", numeric=False),
            Column("frame", "Where", numeric=False),
            Column("span", "Year", numeric=False),
            Column("points", "Points", say.count),
            Column("missing", "Missing", say.count),
            Column("accuracy", "Accuracy", say.score, say.NONE),
            Column("interval", "95 % interval", say.score, say.NONE, ends=("accuracy_low", "accuracy_high")),
            Column("matthews", "Matthews", say.score, say.NONE),
            Column("users_accuracy", "Precision", say.score, say.NONE),
            Column("producers_accuracy", "Recall", say.score, say.NONE),
            Column("false_positive_rate", "False positive rate", say.score, say.NONE),
        ),
        records(rows),
        heads=3,
        note="`mapped` are the maps of this report, the others the ground truth and its parts. Inside and outside "
        "windows is the ground within and beyond the images of sites. All years: the mean of the years' measures, as "
        "in the paper, whose intervals stand in the next table. Parts of the ground stand here over all years only.",
        source="`validation/reference_validation`",
    )
    yield from _estimated(estimates)


def _estimated(estimates: pd.DataFrame) -> Iterator[Block]:
    """Every measure of the maps over all their years, with its interval."""
    rows = estimates[estimates["frame"] == ALL_FRAMES]
    whole = [of[of["year"].isna()] if of["year"].isna().any() else of for _, of in rows.groupby("map", sort=True)]
    if not whole:
        return
    chosen = _mapped_first(pd.concat(whole), [])
    chosen = chosen.assign(span=_span(chosen), called=chosen["measure"].map(MEASURES), points=chosen["points"])
    yield Table(
        "validation_estimates",
        "Estimates of accuracy over all labelled points, with 95 % intervals",
        (
            Column("map", "Map", numeric=False),
            Column("span", "Year", numeric=False),
            Column("called", "Measure", numeric=False),
            Column("estimate", "Estimate", say.score, say.NONE),
            Column("interval", "95 % interval", say.score, say.NONE, ends=("low", "high")),
            Column("points", "Points", say.count),
        ),
        records(chosen),
        heads=3,
        source="`validation/reference_validation`",
    )


def _mapped_first(rows: pd.DataFrame, then: list[str]) -> pd.DataFrame:
    """The maps of this project before the others; stable."""
    first = rows.assign(_others=rows["map"] != MAPPED)
    return first.sort_values(["_others", "map", *then], na_position="first", kind="stable").drop(columns="_others")


def _span(rows: pd.DataFrame) -> list[str]:
    """The year of a row, or how many years it is of."""
    pairs = zip(rows["year"], rows["years"], strict=True)
    return [
        f"all{say.SPACE}{int(years)}{say.SPACE}years" if say.is_missing(year) else str(int(year))
        for year, years in pairs
    ]


def _areas(material: Material) -> Iterator[Block]:
    areas, judged = material.accuracy.areas, material.accuracy.area_accuracy
    if areas is None or not len(areas):
        yield missing(
            "No area was estimated from labelled points. `minemap sample draw` draws them from the maps, `minemap "
            "sample add` takes their labels, and `minemap run --select area_estimates` estimates."
        )
        return
    rows = areas.assign(when=_when(areas))
    yield Table(
        "area_estimates",
        "Areas on the ground of known sites (km²), estimated from labelled points, with 95 % intervals",
        (
            Column("sample", "Sample", numeric=False),
            Column("country_name", "Country", numeric=False),
            Column("ground", "Ground", numeric=False),
            Column("quantity", "Quantity", numeric=False),
            Column("when", "When", numeric=False),
            Column("estimate_km2", "Estimate", say.area, "insufficient"),
            Column("interval", "95 % interval", say.area, say.NONE, ends=("low_km2", "high_km2")),
            Column("mapped_km2", "Mapped then", say.area, say.NONE),
            Column("mapped_now_km2", "Mapped now", say.area, "not told"),
            Column("labelled", "Labelled", say.count),
            Column("reason", "Why not", numeric=False),
        ),
        records(rows),
        heads=5,
        note="Mines where no site is known are unmeasured.",
        source="`validation/area_estimates`",
    )
    if judged is not None and len(judged):
        told = judged.assign(year=judged["year"].astype(str), called=judged["measure"].map(MEASURES))
        yield Table(
            "area_accuracy",
            "Accuracy of the maps of now on the ground of known sites, with 95 % intervals",
            (
                Column("sample", "Sample", numeric=False),
                Column("country_name", "Country", numeric=False),
                Column("ground", "Ground", numeric=False),
                Column("class", "Class", numeric=False),
                Column("year", "Year", numeric=False),
                Column("called", "Measure", numeric=False),
                Column("estimate", "Estimate", say.score, "insufficient"),
                Column("interval", "95 % interval", say.score, say.NONE, ends=("low", "high")),
                Column("judged", "Points", say.count),
            ),
            records(told),
            heads=6,
            source="`validation/area_estimates`",
        )


def _when(areas: pd.DataFrame) -> list[str]:
    pairs = zip(areas["from_year"], areas["year"], strict=True)
    return [str(int(year)) if say.is_missing(first) else f"{int(first)} to {int(year)}" for first, year in pairs]


def _continuity(material: Material) -> Iterator[Block]:
    summary = material.accuracy.continuity
    if summary is None or not len(summary):
        yield missing(
            "What a swap of products does to the series was not measured: the reference year was not mapped from two "
            "products. `imagery.reference_products` in the settings names the products of the reference year."
        )
        return
    yield from (Prose(str(words)) for words in summary["sentence"].dropna().unique() if words)
    known = summary[summary["area_ratio"].notna()]
    names = dict(zip(material.countries["iso3"].astype(str), material.countries["name"].astype(str), strict=True))
    scores = [
        Score(
            "all sites" if row["stratum"] == EVERYTHING else _group(row, names),
            f"{row['other_product']} over {row['product']}",
            float(row["area_ratio"]),
            say.as_number(row["area_ratio_low"]),
            say.as_number(row["area_ratio_high"]),
        )
        for row in records(known[known["ground"] == ALL_GROUND])
        if row["stratum"] in (EVERYTHING, "country", "size")
    ]
    if scores:
        yield Figure(
            "continuity",
            "Mapped area of the reference year in the second product over that in the first, on the same ground, with "
            "95 % intervals where there are at least three places. At the dashed line both are equal.",
            "Dots of area ratios. " + "; ".join(f"{s.name}: {say.score(s.value)}" for s in scores[:12]) + ".",
            scores_chart(scores[:20], "Area ratio", equal=1.0),
        )
    yield Table(
        "source_continuity",
        "The reference year as two products show it, on the same ground",
        (
            Column("product", "First", numeric=False),
            Column("other_product", "Second", numeric=False),
            Column("ground", "Ground", numeric=False),
            Column("stratum", "Sites by", numeric=False),
            Column("group", "Group", missing="", numeric=False),
            Column("sites", "Sites", say.count),
            Column("area_km2", "Area in the first (km²)", say.area),
            Column("other_km2", "Area in the second (km²)", say.area),
            Column("area_ratio", "Ratio", say.score, say.NONE),
            Column("interval", "95 % interval", say.score, say.NONE, ends=("area_ratio_low", "area_ratio_high")),
            Column("iou", "IoU", say.score, say.NONE),
        ),
        records(summary),
        heads=5,
        note="Sites of one region, country, size of mine or processing baseline, or all. Ground `trained on` trained a "
        "model, `held out` did not. The ratio is the area in the second product over that in the first; IoU says how "
        "far the two maps agree, 0 to 1.",
        source="`validation/source_continuity`",
    )


def _group(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What a group of sites is called in a figure."""
    group = str(row["group"])
    return legible(names.get(group, group), group) if row["stratum"] == "country" else group
