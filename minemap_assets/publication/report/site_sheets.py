"""A page for each site: before and after, dates, sources and scenes, the series, how sure it is, and where it lies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import MOST_ROWS, Block, Column, Figure, Prose, Table, missing, records
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.site_facts import SiteFacts, SitePicture
from minemap_assets.publication.report.site_list import Ranked, SiteList, safe_name, sheet_file
from minemap_assets.publication.report.site_pictures import beside
from minemap_assets.publication.report.small_charts import Locator, area_chart
from minemap_assets.publication.report.summary_section import break_years

HIDDEN = (
    "The terms of the images do not allow passing pixels on, or are not known, so that their pictures are left out. "
    "`restricted_pictures = true` in `[report]` of the settings shows them in a report that stays with you."
)

SCENES = "tables/scenes.csv"

_MOST_SCENES = 8
_MOST_MINES, _FEW_MINES = 6, 3
_LINES_OF_BOTH = 15
"""Years and mines that a printed page has room for."""

_MANY_LINES = 9
"""Rows of a site's tables together above which its page is set closer."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """The page of one site: its id, title, what is told of where it lies, and its blocks. One that is `long` is set
    closer in print, to keep to a page.
    """

    site_id: str
    title: str
    place: tuple[tuple[str, str], ...]
    blocks: Sequence[Block]
    long: bool = False

    @property
    def file(self) -> str:
        """Where the page lies in the report."""
        return sheet_file(self.site_id)


class Sheets:
    """Makes the pages of sites, biggest first."""

    def __init__(self, material: Material, facts: SiteFacts, outlines: Mapping[str, Any], sites: SiteList) -> None:
        self._material, self._facts, self._sites = material, facts, sites
        self._places = {slug: Locator(outline, material.boundaries) for slug, outline in outlines.items()}
        shown = material.panel["year"].isin(material.shown_years)
        self._panel = material.panel[shown].sort_values(["site_id", "year"], kind="stable")
        self._panel_rows = self._panel.groupby("site_id").indices
        self._of_site = _mines_by_site(material.mines)

    def pages(self) -> Iterator[Sheet]:
        """The pages, the largest site first."""
        for one in self._sites.chosen:
            yield self._sheet(one)

    def panel(self) -> list[Block]:
        """The figure of the site with the largest area in every year."""
        one = next((site for site in self._sites.ranked if self._facts.images(site.region, site.site_id)), None)
        if one is None:
            return [missing("No site has an image yet. `minemap run` makes them.")]
        years = tuple(self._facts.images(one.region, one.site_id))
        pictures = self._facts.pictures(one.region, one.site_id, years)
        areas = self._areas(one)
        told = "; ".join(f"{picture.year}: {say.shown(areas.get(picture.year), say.square_km)}" for picture in pictures)
        caption = (
            f"Site {one.site_id} through the years, with the outlines of each (the paper's figure 2). "
            f"{_stretched(pictures)}"
        )
        figure = beside("site_panel", caption, f"Images of a site by year with its mapped area. {told}.", pictures)
        return [figure] if figure is not None else [missing(HIDDEN)]

    def _areas(self, one: Ranked) -> dict[int, float | None]:
        rows = self._rows(one)
        return {int(row["year"]): say.as_number(row["area_km2"]) for row in records(rows)}

    def _rows(self, one: Ranked) -> pd.DataFrame:
        return self._panel.iloc[self._panel_rows.get(one.site_id, [])]

    def _sheet(self, one: Ranked) -> Sheet:
        place = (
            ("Region", self._sites.region(one)),
            ("Country", self._sites.country(one) or "none"),
            ("Centre", f"{say.latitude(one.latitude)}, {say.longitude(one.longitude)} (EPSG:4326)"),
        )
        blocks = [*self._pictures(one), *self._charts(one), self._mines(one), self._series(one), *self._scenes(one)]
        lines = sum(min(len(block.rows), MOST_ROWS) for block in blocks if isinstance(block, Table))
        return Sheet(one.site_id, f"Site {one.site_id}", place, blocks, lines > _MANY_LINES)

    def _pictures(self, one: Ranked) -> list[Block]:
        years = tuple(self._facts.images(one.region, one.site_id))
        if not years:
            return [missing("The site has no image: nothing of it was observed.")]
        ends = tuple(dict.fromkeys((years[0], years[-1])))
        pictures = self._facts.pictures(one.region, one.site_id, ends)
        areas = self._areas(one)
        images = self._facts.images(one.region, one.site_id)
        each = [f"{y} ({_dates(images[y])}), {say.shown(areas.get(y), say.square_km)} mapped" for y in ends]
        told = f"Before: {each[0]}. After: {each[1]}" if len(each) > 1 else f"The only year with an image: {each[0]}"
        name = f"site_{safe_name(one.site_id)}_before_and_after"
        figure = beside(name, f"{told}. {_stretched(pictures)}", f"Images with outlines. {told}.", pictures, across=2)
        blocks: list[Block] = [] if figure is None else [figure]
        if any(picture.picture is None for picture in pictures):
            blocks.append(missing(HIDDEN))
        return blocks

    def _charts(self, one: Ranked) -> list[Block]:
        areas, rows = self._areas(one), self._rows(one)
        open_ = frozenset(int(year) for year in rows.loc[rows["status"] != "final", "year"])
        told = "; ".join(f"{year}: {say.shown(value, say.square_km)}" for year, value in areas.items())
        name, breaks = safe_name(one.site_id), break_years(self._material, one.region)
        marks = " Open marks are provisional." if open_ else ""
        marks += " Dashed lines are changes of the source." if breaks else ""
        blocks: list[Block] = [
            Figure(
                f"site_{name}_series",
                f"Mapped area by year, in square kilometres.{marks}",
                f"A line by year. {told}.",
                area_chart(areas, open_, breaks),
                role="series",
            )
        ]
        place = self._places.get(one.region)
        if place is not None:
            drawn = place.svg(one.longitude, one.latitude)
            where = (
                f"A star in {self._sites.region(one)}, at {say.latitude(one.latitude)}, {say.longitude(one.longitude)}."
            )
            blocks.append(
                Figure(f"site_{name}_place", "Where the site lies in its region.", where, drawn, role="place")
            )
        return blocks

    def _mines(self, one: Ranked) -> Block:
        of_site = self._material.mines.iloc[self._of_site.get(one.site_id, [])]
        if not len(of_site):
            return missing(
                "No history was made of the site's mines, or none was found; `minemap run --select site_history` makes "
                "it."
            )
        rows = []
        for row in records(of_site.sort_values(["peak_km2", "mine_id"], ascending=[False, True])):
            visible = "still visible" if row["still_visible"] else f"no longer visible after {int(row['last_year'])}"
            rows.append({**row, "span": _span(row), "seen": visible, "first_year": str(int(row["first_year"]))})
        columns = (
            Column("mine_id", "Mine", numeric=False),
            Column("first_year", "First year", numeric=False),
            Column("first_year_posterior", "Posterior of it", say.probability, say.NONE),
            Column("span", "Begun (95 % interval)", numeric=False),
            Column("seen", "Last year", numeric=False),
            Column("last_year_posterior", "Posterior of it", say.probability, say.NONE),
            Column("peak_km2", "Largest (km²)", say.area),
        )
        most = min(_MOST_MINES, max(_FEW_MINES, _LINES_OF_BOTH - len(self._rows(one))))
        left = len(rows) - most
        more = f" {say.counted(left, 'smaller mine')} on the site's ground {'is' if left == 1 else 'are'} not shown."
        note = (
            "First and last year are those in which an image shows the mine; their posteriors are the probabilities, 0 "
            "to 1, that most of its ground was mined by the first and that it was mined in the last."
        )
        caption = "Mines on the site's ground, and when they were there"
        return Table("mines", caption, columns, rows[:most], note=note + (more if left > 0 else ""))

    def _series(self, one: Ranked) -> Table:
        images = self._facts.images(one.region, one.site_id)
        rows = []
        for row in records(self._rows(one)):
            year = int(row["year"])
            rows.append({**row, "year": str(year), **_seen(images.get(year)), "sure": self._sure(one, year)})
        columns = (
            Column("year", "Year", numeric=False),
            Column("status", "Status", numeric=False),
            Column("area_km2", "Area (km²)", say.area),
            Column("observed_share", "Observed", say.share),
            Column("sure", "Probability", say.probability, "no polygon"),
            Column("image", "Product, source", missing="no image", numeric=False),
            Column("dates", "Images from", missing="not known", numeric=False),
            Column("scenes", "Scenes", say.count, "none"),
        )
        note = (
            "Observed is the share of the site's own ground that was seen. Probability, 0 to 1, is how sure the "
            "polygons are: the mean over their pixels, by the model and all years around."
        )
        return Table("series", "Areas, images and how sure they are, by year", columns, rows, note=note)

    def _scenes(self, one: Ranked) -> Iterator[Block]:
        """The scenes of the two years that are shown; `tables/scenes.csv` holds all."""
        images = self._facts.images(one.region, one.site_id)
        if not images:
            return
        told = [
            f"{year}: {say.listed([str(scene) for scene in images[year]['acquisitions']], _MOST_SCENES)}"
            for year in dict.fromkeys((min(images), max(images)))
        ]
        yield Prose(f"Scenes that gave pixels, {'; '.join(told)}. Those of every year stand in `{SCENES}`.")

    def scenes(self) -> Iterator[tuple[str, int, str, str]]:
        """Every scene of every year of the sites that have a page: site, year, product and scene."""
        for one in self._sites.chosen:
            for year, image in self._facts.images(one.region, one.site_id).items():
                for scene in image["acquisitions"]:
                    yield one.site_id, year, str(image["product"]), str(scene)

    def _sure(self, one: Ranked, year: int) -> float | None:
        """Mean probability of the polygons, weighted by their areas."""
        frame = self._facts.polygons(one.site_id, year)
        weights = frame["area_km2"].to_numpy(dtype=float)
        return float(np.average(frame["mean_probability"], weights=weights)) if weights.sum() > 0.0 else None


def _span(row: Mapping[str, Any]) -> str:
    """The years between which most of a mine's first ground was mined."""
    low, high = row["first_year_low"], row["first_year_high"]
    if say.is_missing(low) and say.is_missing(high):
        return "not sure in any year"
    if say.is_missing(low):
        return f"by {int(high)}, perhaps before the record"
    return f"not before {int(low)}" if say.is_missing(high) else f"{int(low)} to {int(high)}"


def _mines_by_site(mines: pd.DataFrame) -> dict[str, list[int]]:
    """Places of the rows of the mines on each site's ground."""
    found: dict[str, list[int]] = {}
    for place, ids in enumerate(mines["site_ids"]):
        for site_id in dict.fromkeys(ids):
            found.setdefault(str(site_id), []).append(place)
    return found


def _seen(image: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a year's image is made from."""
    if image is None:
        return {"image": None, "dates": None, "scenes": None}
    scenes = len(image["acquisitions"])
    return {"image": f"{image['product']}, {image['source']}", "dates": _span_of(image), "scenes": scenes}


def _dates(image: Mapping[str, Any]) -> str:
    return f"images of {dates}" if (dates := _span_of(image)) is not None else "dates not known"


def _span_of(image: Mapping[str, Any]) -> str | None:
    """The dates of the images that gave pixels; None where they are not known."""
    first, last = image["first_date"], image["last_date"]
    return None if say.is_missing(first) or not first else str(first) if first == last else f"{first} to {last}"


def _stretched(pictures: Sequence[SitePicture]) -> str:
    several = len({one.product for one in pictures}) > 1
    each = (
        "Each product has its own stretch of colours, the same in all its years."
        if several
        else ("All years have the same stretch of colours.")
    )
    return f"{each} Yellow lines in black ones are what is mapped; grey ground was not observed."
