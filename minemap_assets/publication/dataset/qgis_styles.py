"""QGIS styles (QML) of the layers: hue tells the year, faintness what may still change or is no longer visible.

The colours of years are a part of the map `viridis` (Smith and van der Walt 2015), which stays in order for
colour-blind readers and in grey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from minemap_assets.publication.dataset.dataset_tables import HISTORY, POLYGONS

if TYPE_CHECKING:
    import pandas as pd

_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

_ONE_YEAR = (217, 95, 2)
"""Fill of a layer that holds one year (ColorBrewer Dark2, orange)."""

_FAINT = 40
"""Opacity in per cent of what may still change, or is no longer visible."""


@dataclass(frozen=True)
class _Category:
    """Rows with one value of a column: their label, and their fill as red, green and blue."""

    value: str
    label: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class _Style:
    """A style: the column whose values tell colours apart, its categories, and what opacity follows from in per cent,
    as an expression of QGIS. Where the `earliest_on_top` is, later outlines lie below it, so that hue tells the first
    year of each place.
    """

    column: str
    categories: tuple[_Category, ...]
    opacity: str
    earliest_on_top: bool = False


def style_of(layer: str, frame: "pd.DataFrame", facts: Mapping[str, str]) -> str | None:
    """The QML of a layer; None for one that QGIS may show as it likes."""
    if layer == HISTORY:
        years = sorted({int(year) for year in frame["first_year"]})
        faint = f'if("still_visible", 100, {_FAINT})'
        return _qml(_Style("first_year", _of_years(years, "first seen in "), faint), facts)
    faint = f"if(\"status\" = 'final', 100, {_FAINT})"
    if layer == POLYGONS:
        years = sorted({int(year) for year in frame["year"]})
        return _qml(_Style("year", _of_years(years, ""), faint, earliest_on_top=True), facts)
    if layer.startswith(f"{POLYGONS}_"):
        both = (_Category("final", "final", _ONE_YEAR), _Category("provisional", "provisional: may change", _ONE_YEAR))
        return _qml(_Style("status", both, faint), facts)
    return None


def _of_years(years: Sequence[int], before: str) -> tuple[_Category, ...]:
    return tuple(_Category(str(year), f"{before}{year}", _colour(n, len(years))) for n, year in enumerate(years))


def _colour(place: int, count: int) -> tuple[int, int, int]:
    """The colour of one of `count` years, evenly along the map."""
    along = (len(_VIRIDIS) - 1) * (place / (count - 1) if count > 1 else 0.0)
    lower = min(int(along), len(_VIRIDIS) - 2)
    share = along - lower
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(_VIRIDIS[lower], _VIRIDIS[lower + 1], strict=True))
    return red, green, blue


def _qml(style: _Style, facts: Mapping[str, str]) -> str:
    root = ElementTree.Element("qgis", {"version": "3.34", "styleCategories": "Symbology|Notes", "readOnly": "0"})
    notes = "\n".join(f"{name}: {text}" for name, text in facts.items())
    ElementTree.SubElement(root, "userNotes", {"value": notes})
    renderer = ElementTree.SubElement(
        root,
        "renderer-v2",
        {
            "type": "categorizedSymbol",
            "attr": style.column,
            "symbollevels": "0",
            "enableorderby": str(int(style.earliest_on_top)),
        },
    )
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for number, one in enumerate(style.categories):
        known = {"value": one.value, "label": one.label, "symbol": str(number), "render": "true", "type": "string"}
        ElementTree.SubElement(categories, "category", known)
        _add_symbol(symbols, str(number), one.colour, style)
    if style.earliest_on_top:
        order = ElementTree.SubElement(renderer, "orderby")
        clause = ElementTree.SubElement(order, "orderByClause", {"asc": "0", "nullsFirst": "0"})
        clause.text = f'"{style.column}"'
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}\n"


def _add_symbol(symbols: ElementTree.Element, name: str, colour: tuple[int, int, int], style: _Style) -> None:
    """A fill with a dark outline, or without one where years lie on each other; opacity follows each row."""
    symbol = ElementTree.SubElement(
        symbols, "symbol", {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1"}
    )
    layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    options = ElementTree.SubElement(layer, "Option", {"type": "Map"})
    red, green, blue = colour
    for key, value in (
        ("color", f"{red},{green},{blue},{255 if style.earliest_on_top else 190}"),
        ("style", "solid"),
        ("outline_color", "35,35,35,255"),
        ("outline_style", "no" if style.earliest_on_top else "solid"),
        ("outline_width", "0.2"),
        ("outline_width_unit", "MM"),
    ):
        ElementTree.SubElement(options, "Option", {"type": "QString", "name": key, "value": value})
    _add_opacity(symbol, style.opacity)


def _add_opacity(symbol: ElementTree.Element, expression: str) -> None:
    properties = ElementTree.SubElement(symbol, "data_defined_properties")
    outer = ElementTree.SubElement(properties, "Option", {"type": "Map"})
    ElementTree.SubElement(outer, "Option", {"type": "QString", "name": "name", "value": ""})
    inner = ElementTree.SubElement(outer, "Option", {"type": "Map", "name": "properties"})
    alpha = ElementTree.SubElement(inner, "Option", {"type": "Map", "name": "alpha"})
    ElementTree.SubElement(alpha, "Option", {"type": "bool", "name": "active", "value": "true"})
    ElementTree.SubElement(alpha, "Option", {"type": "QString", "name": "expression", "value": expression})
    ElementTree.SubElement(alpha, "Option", {"type": "int", "name": "type", "value": "3"})
    ElementTree.SubElement(outer, "Option", {"type": "QString", "name": "type", "value": "collection"})
