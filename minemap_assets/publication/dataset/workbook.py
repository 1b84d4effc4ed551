"""The workbook: every table without places as a sheet, after one that says how to read it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minemap_assets.publication.dataset.dataset_tables import Table
from minemap_assets.publication.dataset.flat_values import flat

if TYPE_CHECKING:
    import pandas as pd
    from xlsxwriter import Workbook

NAME = "minemap.xlsx"

MOST_ROWS = 1_048_575
"""Rows that a sheet takes below its header."""

FIRST_SHEET, COLUMNS_SHEET = "read me", "columns"

_LONGEST_NAME = 31


def write_workbook(tables: Sequence[Table], facts: Mapping[str, str], stamp: date, path: Path) -> tuple[str, ...]:
    """Write the workbook; returns the names of tables that are too long for a sheet, and are left out of it."""
    import xlsxwriter

    held = [table for table in tables if len(table.frame) <= MOST_ROWS]
    left = tuple(table.name for table in tables if len(table.frame) > MOST_ROWS)
    # text from elsewhere is never taken for a formula or an address
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        moment = datetime(stamp.year, stamp.month, stamp.day)
        comments = f"{facts['verdict_on_the_model']}. Held-out score: {facts['held_out_score']}. {facts['review']}."
        book.set_properties({"title": facts["title"], "comments": comments, "created": moment})
        for name, text in facts.items():
            book.set_custom_property(name, text[:255], "text")
        _read_me(book, facts, held, left)
        for table in held:
            _sheet(book, table)
        _columns(book, held)
    return left


def _read_me(book: "Workbook", facts: Mapping[str, str], held: Sequence[Table], left: Sequence[str]) -> None:
    sheet, bold = book.add_worksheet(FIRST_SHEET), book.add_format({"bold": True, "valign": "top"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 100)
    rows = [(name.replace("_", " "), text) for name, text in facts.items()]
    rows += [(f"sheet {sheet_name(table)}", table.description) for table in held]
    rows += [(f"left out: {name}", "It has more rows than a sheet takes; it is in the CSV file.") for name in left]
    for number, (name, text) in enumerate(rows):
        sheet.write_string(number, 0, name, bold)
        sheet.write_string(number, 1, text, wrapped)


def _columns(book: "Workbook", held: Sequence[Table]) -> None:
    sheet, bold = book.add_worksheet(COLUMNS_SHEET), book.add_format({"bold": True})
    sheet.write_row(0, 0, ("table", "column", "type", "unit", "meaning"), bold)
    rows = [(table.name, one.name, one.type, one.unit, one.meaning) for table in held for one in table.columns]
    for number, row in enumerate(rows, start=1):
        sheet.write_row(number, 0, row)
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, 3, 22)
    sheet.set_column(4, 4, 100)


def sheet_name(table: Table) -> str:
    """A sheet of the workbook takes a name of 31 letters at most."""
    return table.name[:_LONGEST_NAME]


def _sheet(book: "Workbook", table: Table) -> None:
    """A table with a header that stays in view; a null is an empty cell."""
    frame = flat(table.frame)
    sheet, bold = book.add_worksheet(sheet_name(table)), book.add_format({"bold": True})
    sheet.write_row(0, 0, [str(name) for name in frame.columns], bold)
    for place, name in enumerate(frame.columns):
        _cells(sheet, place, frame[name])
        sheet.set_column(place, place, max(10, min(30, len(str(name)) + 2)))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)


def _cells(sheet: Any, place: int, values: "pd.Series[Any]") -> None:
    nulls = values.isna().tolist()
    for row, (value, null) in enumerate(zip(values.tolist(), nulls, strict=True), start=1):
        if null or value == "":
            continue
        if isinstance(value, bool):
            sheet.write_boolean(row, place, value)
        elif isinstance(value, int | float):
            sheet.write_number(row, place, value)
        else:
            sheet.write_string(row, place, str(value))
