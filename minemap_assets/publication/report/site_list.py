"""The sites of a project in the order of their size, and the lists in which a reader finds them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import (
    Block,
    Column,
    Heading,
    Link,
    Links,
    Prose,
    Section,
    Table,
    missing,
    records,
)
from minemap_assets.publication.report.material import Material

MOST_LISTED = 200
"""Sites that the report's first page lists; where there are more, each region has a page with all of its own."""

_UNSAFE = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True)
class Ranked:
    """A site among the others: its region, country, and largest area of any year (None where it was never observed)."""

    site_id: str
    region: str
    country: str
    longitude: float
    latitude: float
    largest_km2: float | None


@dataclass(frozen=True, eq=False)
class RegionPage:
    """The page that lists all sites of a region: its slug, title and blocks."""

    slug: str
    title: str
    blocks: Sequence[Block]

    @property
    def file(self) -> str:
        """Where the page lies in the report."""
        return region_file(self.slug)


def safe_name(site_id: str) -> str:
    """An id as any system takes it in the name of a file."""
    return _UNSAFE.sub("_", site_id.lower())


def sheet_file(site_id: str) -> str:
    """Where the page of a site lies in the report."""
    return f"sites/{safe_name(site_id)}.html"


def region_file(slug: str) -> str:
    """Where the list of a region's sites lies in the report."""
    return f"regions/{safe_name(slug)}.html"


def ranked_sites(panel: pd.DataFrame) -> tuple[Ranked, ...]:
    """Every site, the largest first, those that were never observed last."""
    rows = panel.sort_values(["site_id", "year"], kind="stable")
    largest = rows.groupby("site_id")["area_km2"].max()
    found = [
        Ranked(
            str(row["site_id"]),
            str(row["region"]),
            str(row["country_iso3"]),
            float(row["longitude"]),
            float(row["latitude"]),
            say.as_number(largest[row["site_id"]]),
        )
        for row in records(rows.drop_duplicates("site_id", keep="last"))
    ]
    return tuple(sorted(found, key=lambda one: (one.largest_km2 is None, -(one.largest_km2 or 0.0), one.site_id)))


class SiteList:
    """Says what the sites are called and where they lie; the first `pages` of them have a page of their own."""

    def __init__(self, material: Material, pages: int) -> None:
        self.ranked = ranked_sites(material.panel)
        self.chosen = self.ranked[:pages]
        self._regions = material.regions
        codes, names = (material.countries[column].astype(str) for column in ("iso3", "name"))
        self._countries = dict(zip(codes, names, strict=True))

    def region(self, one: Ranked) -> str:
        """The title of a site's region."""
        return self._regions.get(one.region, one.region)

    def country(self, one: Ranked) -> str | None:
        """The name of a site's country; None where it lies in none."""
        return self._countries.get(one.country) if one.country else None

    def section(self) -> Section:
        """The sites in a list, or the largest of them and where the others are listed."""
        if not self.ranked:
            words = "There are no sites yet. `minemap reference add` registers outlines that locate them."
            return Section("sites", "Sites", [missing(words)])
        many = len(self.chosen)
        has = "has a page of its" if many == 1 else "have a page of their"
        told = (
            f"{say.counted(many, 'site')} of {len(self.ranked):,} {has} own, those with the largest mapped area of any "
            "year first. `sheets` in `[report]` of the settings says how many."
        )
        blocks: list[Block] = [Prose(told)]
        if len(self.ranked) > MOST_LISTED:
            blocks += self._by_region()
        else:
            blocks.append(Links(tuple(self._link(one, "") for one in self.chosen)))
            left = self.ranked[many:]
            blocks += [self._table("other_sites", "Sites without a page of their own", left)] if left else []
        return Section("sites", "Sites", blocks)

    def region_pages(self) -> Iterator[RegionPage]:
        """A list of sites for each region, where there are too many for one page."""
        if len(self.ranked) <= MOST_LISTED:
            return
        with_page = {one.site_id for one in self.chosen}
        for slug, sites in self._of_regions().items():
            links = tuple(self._link(one, "../", page=one.site_id in with_page) for one in sites)
            told = (
                f"{say.counted(len(sites), 'site')}, that with the largest mapped area of any year first. Those "
                "without a link have no page of their own."
            )
            yield RegionPage(slug, f"Sites in {self.region(sites[0])}", [Prose(told), Links(links)])

    def table(self) -> Table:
        """All sites, for a file."""
        return self._table("sites", "Sites", self.ranked)

    def _by_region(self) -> Iterator[Block]:
        regions = self._of_regions()
        yield Prose(
            f"The {min(MOST_LISTED, len(self.chosen)):,} largest are listed here, and all of them by region, and with "
            "their places in `tables/sites.csv`."
        )
        if self.chosen:
            yield Heading("The largest")
            yield Links(tuple(self._link(one, "") for one in self.chosen[:MOST_LISTED]))
        yield Heading("All sites by region")
        yield Links(
            tuple(
                Link(region_file(slug), self.region(sites[0]), say.counted(len(sites), "site"))
                for slug, sites in regions.items()
            )
        )

    def _of_regions(self) -> dict[str, list[Ranked]]:
        found: dict[str, list[Ranked]] = {}
        for one in self.ranked:
            found.setdefault(one.region, []).append(one)
        return dict(sorted(found.items()))

    def _link(self, one: Ranked, up: str, *, page: bool = True) -> Link:
        place = ", ".join(word for word in (self.region(one), self.country(one)) if word)
        told = f"{place}: {say.shown(one.largest_km2, say.square_km)}"
        if one.largest_km2 is not None:
            told += " at most"
        return Link(f"{up}{sheet_file(one.site_id)}" if page else "", one.site_id, told)

    def _table(self, name: str, caption: str, sites: Sequence[Ranked]) -> Table:
        columns = (
            Column("site_id", "Site", numeric=False),
            Column("region", "Region", numeric=False),
            Column("country", "Country", missing="none", numeric=False),
            Column("largest_km2", "Largest area (km²)", say.area),
            Column("longitude", "Longitude", say.longitude),
            Column("latitude", "Latitude", say.latitude),
        )
        rows = [one.__dict__ | {"country": self.country(one)} for one in sites]
        return Table(name, caption, columns, rows, source="`tables/site_panel`")
