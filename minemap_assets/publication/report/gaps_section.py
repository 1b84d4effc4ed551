"""The section on what failed and what is missing: nothing is left out without a word."""

from collections.abc import Iterator

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import (
    Block,
    Column,
    Heading,
    Items,
    Prose,
    Section,
    Table,
    missing,
    records,
    warning,
)
from minemap_assets.publication.report.gaps import Gap, Gaps
from minemap_assets.publication.report.material import Material

_MOST_STALE = 40
_NAMES = {"imagery": "images", "raw_masks": "masks", "mining_polygons": "polygons"}


def gaps_section(material: Material) -> Section:
    """Partitions, sites and regions that are missing or in doubt."""
    gaps = material.gaps
    blocks: list[Block] = [
        Heading("Parts of the maps"),
        *_parts(gaps),
        Heading("Sites that were not observed"),
        *_sites(material),
        Heading("Regions"),
        *_regions(material),
    ]
    return Section("missing", "What failed and what is missing", blocks)


def _parts(gaps: Gaps) -> Iterator[Block]:
    if gaps.lacking:
        yield _gap_table("parts_missing", "Parts that were not made, or that failed their checks", gaps.lacking)
        yield missing("`minemap run` makes what is missing, and `minemap explain` says of a part why it is so.")
    if gaps.partial:
        yield _gap_table("parts_partial", "Parts that lack sites; the next run tries them again", gaps.partial)
    if gaps.stale:
        names = say.listed(list(gaps.stale), _MOST_STALE)
        yield warning(
            f"{say.counted(len(gaps.stale), 'part')} of what this report reads "
            f"{'was' if len(gaps.stale) == 1 else 'were'} made from an earlier version of something else: "
            f"{names}. `minemap run` makes them anew."
        )
    if not (gaps.lacking or gaps.partial or gaps.stale):
        yield Prose(
            "Every region and closed year has its images, masks, polygons and tables, made from what there is now."
        )


def _gap_table(name: str, caption: str, gaps: tuple[Gap, ...]) -> Table:
    rows = [
        {
            "what": _NAMES.get(gap.asset, gap.asset) if gap.region else f"table {gap.asset}",
            "region": gap.region or "all regions",
            "years": years_in_words(gap.years),
            "reason": gap.reason,
        }
        for gap in gaps
    ]
    columns = (
        Column("what", "What", numeric=False),
        Column("region", "Region", numeric=False),
        Column("years", "Years", numeric=False),
        Column("reason", "Why", numeric=False),
    )
    return Table(name, caption, columns, rows, heads=2)


def years_in_words(years: tuple[int, ...]) -> str:
    """`2016 to 2018, 2020`."""
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def unseen(material: Material) -> str:
    """A sentence on years that were mapped and show nothing; empty where there are none."""
    years = tuple(year for year in material.mapped_years if year not in material.seen_years)
    return f"Nothing was observed in {years_in_words(years)}." if years else ""


def _sites(material: Material) -> Iterator[Block]:
    rows = material.views["sites_not_observed"]
    if not len(material.panel):
        yield missing("There are no sites yet. `minemap reference add` registers outlines that locate them.")
        return
    if not len(rows):
        yield Prose("Every site was observed in every year that was mapped.")
        return
    told = rows.assign(reason=rows["reason"].fillna("nobody said why"))
    counted = told.groupby(["year", "reason"], sort=True).size().reset_index(name="sites")
    yield Table(
        "not_observed_by_reason",
        "Sites of which nothing was observed, by year and reason; they are in no area, and not zero",
        (
            Column("year", "Year", numeric=False),
            Column("reason", "Why", numeric=False),
            Column("sites", "Sites", say.count),
        ),
        [{**row, "year": str(row["year"])} for row in records(counted)],
        heads=2,
    )
    grouped = told.groupby(["region", "site_id", "reason"], sort=True)["year"].agg(tuple).reset_index()
    yield Table(
        "not_observed",
        "The same by site",
        (
            Column("site_id", "Site", numeric=False),
            Column("region", "Region", numeric=False),
            Column("years", "Years", numeric=False),
            Column("reason", "Why", numeric=False),
        ),
        [{**row, "years": years_in_words(tuple(int(year) for year in row["year"]))} for row in records(grouped)],
    )


def _regions(material: Material) -> Iterator[Block]:
    gaps = material.gaps
    if not material.regions:
        yield missing("The project has no region. `minemap regions add SLUG FILE` adds one.")
        return
    said = [f"{material.regions.get(slug, slug)} has no sites: nothing is mapped in it." for slug in gaps.without_sites]
    said += [
        f"{material.regions.get(slug, slug)} has no mining polygon in {years_in_words(years)}."
        for slug, years in gaps.without_polygons
        if slug not in gaps.without_sites
    ]
    if said:
        yield Items(tuple(said))
    else:
        yield Prose("Every region has sites, and mining polygons in every year that was mapped.")
    corrected = material.views["corrected_areas"]
    if len(corrected):
        yield Table(
            "corrected_areas",
            "Mapped areas that people corrected (km²)",
            (
                Column("name", "Country", numeric=False),
                Column("year", "Year", numeric=False),
                Column("uncorrected_km2", "Before", say.area),
                Column("area_km2", "After", say.area),
                Column("corrected_km2", "Difference", say.change),
            ),
            [{**row, "year": str(row["year"])} for row in records(corrected)],
            heads=2,
        )
