"""From sections to HTML: pages that need no script and ask no host for anything, on screen and on paper."""

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from minemap_assets.publication.report.document import Block, Section

if TYPE_CHECKING:
    from jinja2 import Environment

    from minemap_assets.publication.report.site_sheets import Sheet

GENERATOR = "minemap report"
"""What a page names as its maker."""

_CODE = re.compile(r"`([^`]+)`")


def report_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The report: one HTML page."""
    return _templates().get_template("report.html").render(title=title, lead=lead, sections=sections)


def sheet_page(title: str, verdict: str, sheet: "Sheet") -> str:
    """The page of one site."""
    return _templates().get_template("sheet.html").render(title=title, verdict=verdict, sheet=sheet)


def list_page(title: str, heading: str, blocks: Sequence[Block]) -> str:
    """A page that lists sites, one folder below the report."""
    return _templates().get_template("list.html").render(title=title, heading=heading, blocks_of=blocks)


def prose(words: str) -> Markup:
    """Words with what stands between backticks set as code; everything is escaped."""
    parts = _CODE.split(words)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("minemap_assets.publication.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = prose
    environment.globals["generator"] = GENERATOR
    return environment
