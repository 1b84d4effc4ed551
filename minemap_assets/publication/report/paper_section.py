"""The paper's figures on this project's data: the change map, series by region and country, the threshold sweep."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.change_map import MOST_PANELS, Panel, change_map
from minemap_assets.publication.report.curve_charts import SWEPT, sweep_chart
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
from minemap_assets.publication.report.series_chart import Line, Truth, series_chart
from minemap_assets.publication.report.style import MOST, legible
from minemap_assets.publication.report.summary_section import break_years
from minemap_assets.publication.report.truth import COUNTRY, REGION
from minemap_assets.publication.report.validation_section import MAPPED
from minemap_assets.validation.map_reading import ALL as ALL_FRAMES

_MEASURES = ["area_km2", "polygons", "mean_polygon_km2"]


def paper_section(material: Material, outlines: dict[str, Any], site_panel: Sequence[Block]) -> Section:
    """The figures; `outlines` are those of the regions, `site_panel` the figure of one site through the years."""
    blocks: list[Block] = [
        Heading("Where mining grew and shrank"),
        *_change(material, outlines),
        Heading("Series by region"),
        *_by_region(material),
        Heading("Series by country"),
        *_by_country(material),
        Heading("Where the series breaks"),
        *_breaks(material),
        Heading("The choice of the threshold"),
        *_sweep(material),
        Heading("One site through the years"),
        *site_panel,
    ]
    return Section("figures", "Change and series", blocks)


def _change(material: Material, outlines: dict[str, Any]) -> Iterator[Block]:
    cells = material.change
    compared = sorted({int(year) for year in cells.loc[cells["change_km2"].notna(), "year"]})
    if not compared:
        yield missing("There is no change to show: it takes two years that follow each other. `minemap run` maps them.")
        return
    span = f"{compared[0] - 1} to {compared[-1]}"
    grouped = cells.groupby(["cell_row", "cell_column"], sort=True)
    summed = cells.drop_duplicates(["cell_row", "cell_column"]).sort_values(["cell_row", "cell_column"])
    summed = summed.assign(change_km2=grouped["change_km2"].sum(min_count=1).to_numpy())
    panels = _panels(material, outlines, summed)
    total = summed["change_km2"].sum(min_count=1)
    grew, shrank = int((summed["change_km2"] > 0).sum()), int((summed["change_km2"] < 0).sum())
    left = f" {len(panels) - MOST_PANELS} more regions are not drawn." if len(panels) > MOST_PANELS else ""
    if panels:
        yield Figure(
            "change_map",
            f"Change of the mapped area from {span} by cell of 10 km, the sum of the changes from year to year of "
            f"sites that were observed in both (the paper's figure 1).{left}",
            f"Maps of {say.counted(len(panels), 'region')}. Mining grew in {say.counted(grew, 'cell')} and shrank in "
            f"{say.counted(shrank, 'cell')}; the sum is {say.shown(total, say.change)} square kilometres.",
            change_map(panels, material.boundaries),
        )
    left_out = sorted({int(year) for year in cells["year"]} - set(compared))
    pairs = say.listed([f"{year - 1} to {year}" for year in left_out])
    note = f"No site was observed in both years of {pairs}." if left_out else ""
    yield _change_table(cells[cells["year"].isin(compared)], note)


def _panels(material: Material, outlines: dict[str, Any], cells: pd.DataFrame) -> list[Panel]:
    """Regions with their cells, those with most change first; a cell stands in the region that has most of it."""
    if not outlines:
        return []
    slugs, shapes = list(outlines), np.asarray(list(outlines.values()), dtype=object)
    ground = np.asarray(cells.geometry, dtype=object)
    inside = np.stack([shapely.intersection(ground, shape) for shape in shapes])
    shares = shapely.area(inside)
    holder = np.where(shares.max(axis=0) > 0.0, shares.argmax(axis=0), -1)
    found = []
    for number, slug in enumerate(slugs):
        own = holder == number
        if own.any():
            seen = cells[own].assign(seen=inside[number][own])
            size = float(seen["change_km2"].abs().sum())
            found.append((size, Panel(legible(material.regions[slug], slug), shapes[number], seen)))
    return [panel for _, panel in sorted(found, key=lambda one: (-one[0], one[1].title))]


def _change_table(cells: pd.DataFrame, note: str) -> Table:
    columns = ["area_km2", "previous_km2", "change_km2", "new_mines_km2", "expansion_km2", "loss_km2"]
    yearly = cells.groupby("year")[columns].sum(min_count=1).reset_index()
    rows = [{**row, "years": f"{int(row['year']) - 1} to {int(row['year'])}"} for row in records(yearly)]
    return Table(
        "change_by_year",
        "Change of the mapped area from year to year (km²), of sites that were observed in both years",
        (
            Column("years", "Years", numeric=False),
            Column("previous_km2", "Before", say.area, "not compared"),
            Column("area_km2", "After", say.area, "not compared"),
            Column("change_km2", "Change", say.change, "not compared"),
            Column("new_mines_km2", "New mines", say.area, "not compared"),
            Column("expansion_km2", "Expansion", say.area, "not compared"),
            Column("loss_km2", "Loss", say.area, "not compared"),
        ),
        rows,
        note=" ".join(filter(None, ("Change is new mines plus expansion less loss.", note))),
        source="`tables/change_grid`",
    )


def _by_region(material: Material) -> Iterator[Block]:
    truth = {one.name: one for one in material.truth if one.of == REGION}
    lines = []
    for slug, rows in material.by_region.groupby("region", sort=True):
        known, of_truth = truth.get(str(slug)), None
        if known is not None and known.outlines:
            mean = known.area_km2 / known.outlines
            of_truth = Truth(known.year, dict(zip(_MEASURES, (known.area_km2, known.outlines, mean), strict=True)))
        title = legible(material.regions.get(str(slug), str(slug)), str(slug))
        lines.append(_line(title, _shown(material, rows), of_truth))
    yield from _series(lines, "region", material, _crosses(truth))


def _by_country(material: Material) -> Iterator[Block]:
    truth = {one.name: one for one in material.truth if one.of == COUNTRY}
    lines = []
    for iso3, rows in material.countries.groupby("iso3", sort=True):
        known = truth.get(str(iso3))
        of_truth = None if known is None else Truth(known.year, {"area_km2": known.area_km2})
        if rows["area_km2"].fillna(0.0).max() > 0.0 or iso3:
            name = legible(str(rows["name"].iloc[0]), str(iso3))
            lines.append(_line(name, _shown(material, rows), of_truth))
    yield from _series(lines, "country", material, _crosses(truth))


def _shown(material: Material, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the years that charts show."""
    return rows[rows["year"].isin(material.shown_years)]


def _crosses(truth: dict[str, Any]) -> str:
    years = sorted({one.year for one in truth.values()})
    return f" Crosses are the ground truth of {say.listed([str(year) for year in years])}." if years else ""


def _line(name: str, rows: pd.DataFrame, truth: Truth | None) -> Line:
    values = rows.set_index("year").sort_index()
    seen = values["area_km2"].notna()
    measures = values[_MEASURES].astype("Float64").astype(float).where(seen)
    open_ = frozenset(int(year) for year in values.index[values["status"] != "final"])
    return Line(name, measures, open_, truth)


def _series(lines: list[Line], of: str, material: Material, crosses: str) -> Iterator[Block]:
    ranked = sorted(lines, key=lambda line: (-line.values["area_km2"].fillna(0.0).max(), line.name))
    if not ranked:
        yield missing("No year was mapped yet. `minemap run` makes the maps and their tables.")
        return
    shown, left = ranked[:MOST], ranked[MOST:]
    rest = f" {len(left)} more stand in the tables only." if left else ""
    ends = [
        f"{line.name} {say.shown(line.values['area_km2'].iloc[0], say.area)} in {line.values.index[0]} and "
        f"{say.shown(line.values['area_km2'].iloc[-1], say.area)} in {line.values.index[-1]}"
        for line in shown
    ]
    plural = {"region": "regions", "country": "countries"}[of]
    yield Figure(
        f"series_by_{of}",
        f"Mapped area, number of polygons and their mean size by {of} and year (the paper's figures 3 and S1)."
        f"{crosses}{rest} A line stops where nothing was observed.",
        f"Lines by year of {len(shown)} {plural}. Mapped area in square kilometres: {'; '.join(ends)}.",
        series_chart(shown, break_years(material)),
    )
    if len(material.seen_years) == 1:
        yield missing("Only one year was observed, so that there is no series yet. `minemap run --years` maps others.")


def _breaks(material: Material) -> Iterator[Block]:
    breaks = material.accuracy.breaks
    if breaks is None:
        yield missing(
            "Where the source or product changes in the series was not looked for; `minemap run --select series_break` "
            "does that."
        )
    elif not len(breaks):
        yield Prose("Every year of the series is of the same source, product and season: nothing breaks it.")
    else:
        rows = breaks.assign(year=breaks["year"].astype(int).astype(str))
        rows["place"] = rows["region"].where(rows["region"] != "", rows["country_iso3"])
        yield Table(
            "series_breaks",
            "Changes of source, product, season or series, with the step that each makes where nothing changes on the "
            "ground",
            (
                Column("place", "Region or country", numeric=False),
                Column("year", "From", numeric=False),
                Column("change", "What changes", numeric=False),
                Column("before", "Before", numeric=False),
                Column("after", "After", numeric=False),
                Column("step", "Step in area", say.score, "unmeasured"),
                Column("interval", "95 % interval", say.score, "none", ends=("step_low", "step_high")),
                Column("sentence", "In words", numeric=False),
            ),
            records(rows),
            heads=2,
            note="A step is the area after divided by the area before, both of the same ground and time.",
            source="`validation/series_break`",
        )


def _sweep(material: Material) -> Iterator[Block]:
    swept, scores = material.accuracy.sweep, material.accuracy.points
    if swept is None or not len(swept):
        yield missing(
            "There is no sweep over thresholds at labelled points: no validation points are registered, or no masks "
            "were made in their years. `minemap reference add "
            "validation_points FILE --licence LICENCE` registers points. The model's own "
            "curves over thresholds stand in the first section."
        )
        return
    rows = swept[swept["frame"] == ALL_FRAMES]
    several = rows["year"].isna()
    rows = rows[several] if several.any() else rows[rows["year"] == rows["year"].max()]
    rows = rows.sort_values("threshold")
    others = _others(scores)
    points = operating_points(material)
    told = "; ".join(f"{name} {', '.join(map(say.probability, at))}" for name, at in points.items()) or "none"
    best = max(records(rows), key=lambda row: -2.0 if say.is_missing(row["matthews"]) else float(row["matthews"]))
    yield Figure(
        "threshold_sweep",
        "The masks against the labelled points at every threshold, over all years (the paper's figure 5). Level lines "
        f"are the ground truth and its parts, vertical lines the operating points that maps may be made at: {told}.",
        f"Four panels: {', '.join(title for _, title in SWEPT)}. The Matthews correlation is highest, "
        f"{say.score(best['matthews'])}, at a threshold of {say.probability(best['threshold'])}.",
        sweep_chart(rows, others, points),
    )


def _others(scores: pd.DataFrame | None) -> dict[str, dict[str, float]]:
    """Scores of the maps that have no thresholds, over all years where they have several."""
    if scores is None:
        return {}
    rows = scores[(scores["frame"] == ALL_FRAMES) & (scores["map"] != MAPPED)]
    found: dict[str, dict[str, float]] = {}
    for name, of in rows.groupby("map", sort=True):
        chosen = of[of["year"].isna()] if of["year"].isna().any() else of
        found[str(name)] = {column: float(chosen[column].iloc[0]) for column, _ in SWEPT}
    first = {name: found[name] for name in found if name == "ground truth"}
    return first | found


def operating_points(material: Material) -> dict[str, list[float]]:
    """Thresholds of each operating point of the model in use, one for each product."""
    points: dict[str, list[float]] = {}
    for _, about in sorted((material.card.products if material.card is not None else {}).items()):
        for point, threshold in sorted(about.operating_points.items()):
            points.setdefault(point, []).append(float(threshold))
    return points
