"""CSV tables, each with a file beside it that says what every column is (W3C: CSV on the Web).

A null is an empty field, an empty text two quotation marks. The module `csv` of Python writes both alike.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minemap_assets.graph.column_words import NUMBER, WHOLE, ColumnWords
from minemap_assets.publication.dataset.dataset_tables import Table
from minemap_assets.publication.dataset.flat_values import SEPARATOR, flat

if TYPE_CHECKING:
    import pandas as pd

METADATA = "-metadata.json"
"""What the name of the file beside a table ends in, as the recommendation has it."""

QUOTE = '"'

_MARKS = (",", QUOTE, "\n", "\r")

NULLS = (
    "In CSV an empty field is a null (not observed, not known, or nothing to say), and an empty text is two quotation "
    "marks. DuckDB reads them apart with read_csv(FILE, allow_quoted_nulls = false); most other readers take both for "
    "the same. In XLSX both are an empty cell; GeoPackage and Parquet keep them apart."
)
"""How files without types tell a null from an empty text."""

_DATATYPES = {WHOLE: "integer", NUMBER: "double", "true or false": "boolean"}


def write_csv_table(table: Table, facts: Mapping[str, str], path: Path) -> None:
    """Write a table as UTF-8 with a header, a null as an empty field, and its metadata beside it."""
    frame = flat(table.frame)
    columns = [_fields(frame[name]) for name in frame.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(_quoted(str(name)) for name in frame.columns) + "\n")
        file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))
    told = _metadata(table, facts, path.name)
    path.with_name(f"{path.name}{METADATA}").write_text(f"{json.dumps(told, indent=1)}\n", encoding="utf-8")


def _fields(values: "pd.Series[Any]") -> list[str]:
    nulls = values.isna().tolist()
    return ["" if null else _quoted(_text(value)) for value, null in zip(values.tolist(), nulls, strict=True)]


def _quoted(text: str) -> str:
    """A text as a field: in quotation marks where it is empty, or has a mark that would end it (RFC 4180)."""
    return f'"{text.replace(QUOTE, QUOTE * 2)}"' if not text or any(mark in text for mark in _MARKS) else text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def _metadata(table: Table, facts: Mapping[str, str], name: str) -> dict[str, Any]:
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": name,
        "dc:title": table.name,
        "dc:description": table.description,
        "rdfs:comment": [f"nulls: {NULLS}", *(f"{key}: {text}" for key, text in facts.items())],
        "dialect": {"header": True, "encoding": "utf-8", "delimiter": ","},
        "tableSchema": {"columns": [_column(one) for one in table.columns]},
    }


def _column(one: ColumnWords) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "titles": one.name, "dc:description": one.meaning, "null": ""}
    is_list = one.type.startswith("list of ")
    told["datatype"] = _DATATYPES.get(one.type.removeprefix("list of "), "string")
    if is_list:
        told["separator"] = SEPARATOR
    if one.unit:
        told["schema:unitText"] = one.unit
    return told
