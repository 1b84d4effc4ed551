"""A page for each site: before and after, dates, sources and scenes, the series, how sure it is, and where it lies."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.change_map import locator
from minemap_assets.publication.report.document import (
    Block,
    Column,
    Figure,
    Link,
    Links,
    Prose,
    Section,
    Table,
    missing,
    records,
)
from minemap_assets.publication.report.material import Material
from minemap_assets.publication.report.series_chart import Line, series_chart
from minemap_assets.publication.report.site_facts import SiteFacts, SitePicture
from minemap_assets.publication.report.site_pictures import beside
from minemap_assets.publication.report.summary_section import break_years

HIDDEN = (
    "The terms of the images forbid passing pixels on, so that their pictures are left out. `restricted_pictures = "
    "true` in `[report]` of the settings shows them in a report that stays with you."
)

SCENES = "tables/scenes.csv"

_MOST_SCENES = 8
_MOST_MINES = 6
_SAFE = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True, eq=False)
class Sheet:
    """The page of one site: its id, title, what is told of where it lies, and its blocks."""

    site_id: str
    title: str
    place: tuple[tuple[str, str], ...]
    blocks: Sequence[Block]

    @property
    def file(self) -> str:
        """Where the page lies in the report."""
        return sheet_file(self.site_id)


@dataclass(frozen=True)
class Ranked:
    """A site among the others: its region, country, and largest area of any year (None where it was never observed)."""

    site_id: str
    region: str
    country: str
    longitude: float
    latitude: float
    largest_km2: float | None


def sheet_file(site_id: str) -> str:
    """A file name that any system takes, for any id."""
    return f"sites/{_SAFE.sub('_', site_id.lower())}.html"


class Sheets:
    """Makes the pages of sites, biggest first."""

    def __init__(self, material: Material, facts: SiteFacts, outlines: Mapping[str, Any], most: int) -> None:
        self._material, self._facts, self._outlines = material, facts, outlines
        self._names = dict(
            zip(material.countries["iso3"].astype(str), material.countries["name"].astype(str), strict=True)
        )
        self._most = most

    @cached_property
    def ranked(self) -> tuple[Ranked, ...]:
        """Every site, the largest first, those that were never observed last."""
        found = []
        for site_id, rows in self._material.panel.groupby("site_id", sort=True):
            last = rows.sort_values("year").iloc[-1]
            largest = say.as_number(rows["area_km2"].max())
            country = str(last["country_iso3"])
            place = float(last["longitude"]), float(last["latitude"])
            found.append(Ranked(str(site_id), str(last["region"]), country, *place, largest))
        return tuple(
            sorted(found, key=lambda one: (-1.0 if one.largest_km2 is None else -one.largest_km2, one.site_id))
        )

    @property
    def chosen(self) -> tuple[Ranked, ...]:
        """Those that get a page."""
        return self.ranked[: self._most]

    def pages(self) -> Iterator[Sheet]:
        """The pages, the largest site first."""
        for one in self.chosen:
            yield self._sheet(one)

    def section(self) -> Section:
        """The list of all sites, with links to those that have a page."""
        if not self.ranked:
            words = "There are no sites yet. `minemap reference add` registers outlines that locate them."
            return Section("sites", "Sites", [missing(words)])
        blocks: list[Block] = [
            Prose(
                f"{say.counted(len(self.chosen), 'site')} of {len(self.ranked):,} have a page of their own, those with "
                "the largest mapped area of any year first. `sheets` in `[report]` of the settings says how many."
            ),
            Links(tuple(Link(sheet_file(one.site_id), one.site_id, self._told(one)) for one in self.chosen)),
        ]
        left = self.ranked[len(self.chosen) :]
        if left:
            columns = (
                Column("site_id", "Site", numeric=False),
                Column("region", "Region", numeric=False),
                Column("country", "Country", missing="none", numeric=False),
                Column("largest_km2", "Largest area (km²)", say.area),
                Column("longitude", "Longitude", say.degrees),
                Column("latitude", "Latitude", say.degrees),
            )
            rows = [one.__dict__ | {"country": self._country(one)} for one in left]
            blocks.append(Table("other_sites", "Sites without a page of their own", columns, rows))
        return Section("sites", "Sites", blocks)

    def panel(self) -> list[Block]:
        """The figure of the site with the largest area in every year."""
        one = next((site for site in self.ranked if self._facts.images(site.region, site.site_id)), None)
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
        panel = self._material.panel
        return panel[panel["site_id"] == one.site_id].sort_values("year")

    def _country(self, one: Ranked) -> str | None:
        return self._names.get(one.country) if one.country else None

    def _told(self, one: Ranked) -> str:
        place = ", ".join(word for word in (self._region(one), self._country(one)) if word)
        return f"{place}: {say.shown(one.largest_km2, say.square_km)} at most"

    def _region(self, one: Ranked) -> str:
        return self._material.regions.get(one.region, one.region)

    def _sheet(self, one: Ranked) -> Sheet:
        place = (
            ("Region", self._region(one)),
            ("Country", self._country(one) or "none"),
            ("Coordinates", f"{say.degrees(one.latitude)}° N, {say.degrees(one.longitude)}° E (EPSG:4326)"),
        )
        blocks = [*self._pictures(one), *self._charts(one), self._mines(one), self._series(one), *self._scenes(one)]
        return Sheet(one.site_id, f"Site {one.site_id}", place, blocks)

    def _pictures(self, one: Ranked) -> list[Block]:
        years = tuple(self._facts.images(one.region, one.site_id))
        if not years:
            return [missing("The site has no image: nothing of it was observed.")]
        ends = tuple(dict.fromkeys((years[0], years[-1])))
        pictures = self._facts.pictures(one.region, one.site_id, ends)
        areas = self._areas(one)
        told = " and ".join(f"{year} with {say.shown(areas.get(year), say.square_km)} mapped" for year in ends)
        caption = f"The ground in {told}. {_stretched(pictures)}"
        name = f"site_{_SAFE.sub('_', one.site_id.lower())}_before_and_after"
        figure = beside(name, caption, f"Images of {told}, outlined.", pictures, across=2)
        blocks: list[Block] = [] if figure is None else [figure]
        if any(picture.picture is None for picture in pictures):
            blocks.append(missing(HIDDEN))
        return blocks

    def _charts(self, one: Ranked) -> list[Block]:
        rows = self._rows(one).set_index("year")
        values = pd.DataFrame({"area_km2": rows["area_km2"].astype(float)})
        open_ = frozenset(int(year) for year in rows.index[rows["status"] != "final"])
        told = "; ".join(f"{year}: {say.shown(value, say.square_km)}" for year, value in values["area_km2"].items())
        name, breaks = _SAFE.sub("_", one.site_id.lower()), break_years(self._material, one.region)
        blocks: list[Block] = [
            Figure(
                f"site_{name}_series",
                "Mapped area by year. Open marks are provisional, and dashed lines changes of the source.",
                f"A line by year. {told}.",
                series_chart([Line("this site", values, open_)], breaks, panels=1, size=(4.4, 2.0)),
                role="series",
            )
        ]
        outline = self._outlines.get(one.region)
        if outline is not None:
            drawn = locator(one.longitude, one.latitude, outline, self._material.boundaries)
            where = f"A star in {self._region(one)}, at {say.degrees(one.latitude)}, {say.degrees(one.longitude)}."
            blocks.append(
                Figure(f"site_{name}_place", "Where the site lies in its region.", where, drawn, role="place")
            )
        return blocks

    def _mines(self, one: Ranked) -> Block:
        mines = self._material.mines
        of_site = mines[[one.site_id in list(ids) for ids in mines["site_ids"]]] if len(mines) else mines
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
            Column("span", "95 % interval", numeric=False),
            Column("first_year_posterior", "Posterior", say.probability, say.NONE),
            Column("seen", "Last year", numeric=False),
            Column("last_year_posterior", "Posterior", say.probability, say.NONE),
            Column("peak_km2", "Largest (km²)", say.area),
        )
        left = len(rows) - _MOST_MINES
        note = f"{say.counted(left, 'smaller mine')} on the site's ground {'is' if left == 1 else 'are'} not shown."
        caption = "Mines on the site's ground, and when they were there"
        return Table("mines", caption, columns, rows[:_MOST_MINES], note=note if left > 0 else "")

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
        note = "Probability is the mean over the pixels of the polygons, by the model and all years of the window."
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

    def scenes(self) -> Table:
        """Every scene of every year of the sites that have a page."""
        rows = [
            {"site_id": one.site_id, "year": year, "product": image["product"], "scene": str(scene)}
            for one in self.chosen
            for year, image in self._facts.images(one.region, one.site_id).items()
            for scene in image["acquisitions"]
        ]
        columns = tuple(Column(name, name, numeric=False) for name in ("site_id", "year", "product", "scene"))
        return Table("scenes", "Scenes", columns, rows)

    def _sure(self, one: Ranked, year: int) -> float | None:
        """Mean probability of the polygons, weighted by their areas."""
        frame = self._facts.polygons(one.site_id, year)
        weights = frame["area_km2"].to_numpy(dtype=float)
        return float(np.average(frame["mean_probability"], weights=weights)) if weights.sum() > 0.0 else None


def _span(row: Mapping[str, Any]) -> str:
    """The years between which most of a mine's first ground was mined."""
    low, high = row["first_year_low"], row["first_year_high"]
    if say.is_missing(low) and say.is_missing(high):
        return "may be older, and is not sure"
    if say.is_missing(low):
        return f"by {int(high)}; may be older than the record"
    return f"not before {int(low)}" if say.is_missing(high) else f"{int(low)} to {int(high)}"


def _seen(image: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a year's image is made from."""
    if image is None:
        return {"image": None, "dates": None, "scenes": None}
    first, last = image["first_date"], image["last_date"]
    dates = None if say.is_missing(first) or not first else str(first) if first == last else f"{first} to {last}"
    return {"image": f"{image['product']}, {image['source']}", "dates": dates, "scenes": len(image["acquisitions"])}


def _stretched(pictures: Sequence[SitePicture]) -> str:
    several = len({one.product for one in pictures}) > 1
    each = (
        "Each product has its own stretch of colours, the same in all its years."
        if several
        else ("All years have the same stretch of colours.")
    )
    return f"{each} Yellow lines in black ones are what is mapped; grey ground was not observed."
