"""Making the report: sections, figures and tables as files, and a page for each of the largest sites."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import shapely

from minemap_assets.graph.context import BuildContext
from minemap_assets.lake.manifests import Outcome
from minemap_assets.publication.report.config import ReportConfig
from minemap_assets.publication.report.document import Section
from minemap_assets.publication.report.gaps_section import gaps_section
from minemap_assets.publication.report.held_out_section import held_out_section
from minemap_assets.publication.report.material import Material, material_of
from minemap_assets.publication.report.pages import list_page, report_page, sheet_page
from minemap_assets.publication.report.paper_section import paper_section
from minemap_assets.publication.report.paper_tables import tables_section
from minemap_assets.publication.report.site_facts import SiteFacts
from minemap_assets.publication.report.site_list import SiteList
from minemap_assets.publication.report.site_sheets import SCENES, Sheets
from minemap_assets.publication.report.summary_section import summary_section
from minemap_assets.publication.report.validation_section import validation_section
from minemap_assets.publication.report.versions_section import versions_of, versions_section
from minemap_assets.publication.report.words_section import words_section

REPORT = "report.html"
SITES = "tables/sites.csv"

LEAD = (
    "Mapped from satellite images, year by year, at places where mines are known. What is outlined is ground that "
    "looks like a mine: it says nothing of whether anybody may mine there, and a mine that is no longer visible has "
    "not necessarily closed. Missing is not zero: ground that nobody saw has no area."
)

_STAGES = 3


def build_report(context: BuildContext) -> Outcome:
    """Write `report.html`, `sites/SITE.html`, `figures/`, `tables/`, and `regions/REGION.html` where sites are many.

    The same inputs give the same bytes: nothing of it is a date or a name of a machine.
    """
    config = context.project.section(ReportConfig)
    context.progress(0, _STAGES, "tables")
    material = material_of(context, config)
    outlines = outlines_of(context)
    sites = SiteList(material, config.sheets)
    sheets = Sheets(material, SiteFacts(context, config.restricted_pictures), outlines, sites)
    context.progress(1, _STAGES, "figures")
    sections = [
        held_out_section(material),
        summary_section(material),
        paper_section(material, outlines, sheets.panel()),
        tables_section(material),
        validation_section(material),
        gaps_section(material),
        versions_section(material, versions_of(context)),
        words_section(),
        sites.section(),
    ]
    _write(context, REPORT, report_page(config.title, LEAD, sections).encode("utf-8"))
    _write_parts(context, sections)
    _write(context, SITES, sites.table().csv.encode("utf-8"))
    context.writer.write(SCENES, partial(_write_scenes, sheets))
    for page in sites.region_pages():
        _write(context, page.file, list_page(config.title, page.title, page.blocks).encode("utf-8"))
    verdict = material.standing.verdict
    for place, sheet in enumerate(sheets.pages()):
        context.progress(place, len(sites.chosen), "sites", sheet.site_id)
        _write(context, sheet.file, sheet_page(config.title, verdict, sheet).encode("utf-8"))
    return Outcome(_summary(material, sections, sites))


def _write_scenes(sheets: Sheets, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("site_id", "year", "product", "scene"))
        writer.writerows(sheets.scenes())


def _write_parts(context: BuildContext, sections: list[Section]) -> None:
    for section in sections:
        for figure in section.figures():
            _write(context, figure.file, figure.data)
        for table in section.tables():
            _write(context, table.file, table.csv.encode("utf-8"))


def _write(context: BuildContext, name: str, data: bytes) -> None:
    context.writer.write(name, lambda path: path.write_bytes(data))


def outlines_of(context: BuildContext) -> dict[str, Any]:
    """Outlines of the active regions in EPSG:4326, by their slugs."""
    return {slug: shapely.make_valid(region.geometry) for slug, region in context.project.active_regions().items()}


def _summary(material: Material, sections: list[Section], sites: SiteList) -> dict[str, Any]:
    return {
        "years": list(material.seen_years),
        "verdict": material.standing.grade,
        "release": str(material.standing.release),
        "figures": sum(len(section.figures()) for section in sections),
        "tables": sum(len(section.tables()) for section in sections),
        "sites": len(sites.ranked),
        "site_pages": len(sites.chosen),
        "parts_missing": sum(max(1, len(gap.years)) for gap in material.gaps.lacking),
    }
