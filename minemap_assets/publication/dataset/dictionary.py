"""The data dictionary of the folder: every file, every column with type, unit and meaning.

The words are those of the tables' own schemas and of `graph/column_words.py`, here as in the documentation.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.publication.dataset.csv_files import NULLS
from minemap_assets.publication.dataset.dataset_tables import Table
from minemap_assets.publication.dataset.flat_values import SEPARATOR

NAME = "data_dictionary"

HEADER = ("table", "files", "column", "type", "unit", "meaning")


@dataclass(frozen=True)
class Described:
    """A table with the files and layers that hold it, in words."""

    table: Table
    places: tuple[str, ...]


def write_dictionary(tables: Sequence[Described], facts: Mapping[str, str], folder: Path) -> None:
    """Write `data_dictionary.csv` for programs and `data_dictionary.md` for people."""
    with (folder / f"{NAME}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_rows(tables))
    (folder / f"{NAME}.md").write_text("\n".join(_page(tables, facts)), encoding="utf-8")


def _rows(tables: Iterable[Described]) -> Iterator[tuple[str, ...]]:
    for one in tables:
        for column in one.table.columns:
            places = SEPARATOR.join(one.places)
            yield one.table.name, places, column.name, column.type, column.unit, column.meaning


def _page(tables: Iterable[Described], facts: Mapping[str, str]) -> Iterator[str]:
    yield from ("# Data dictionary", "", f"Verdict on the model: {facts['verdict_on_the_model']}.", "")
    yield f"{facts['missing_values']} Areas are equal-area (EPSG:6933), outlines in EPSG:4326. Files that know no "
    yield from (
        f"lists (GeoPackage, CSV, XLSX) hold a list as one text with `{SEPARATOR.strip()}` between its values.",
        "",
        NULLS,
        "",
    )
    for one in tables:
        yield from (f"## {one.table.name}", "", one.table.description, "", f"In {', '.join(one.places)}.", "")
        if one.table.own_terms:
            yield from (f"Terms of these rows: {one.table.own_terms}.", "")
        yield from ("| column | type | unit | meaning |", "|---|---|---|---|")
        yield from (
            f"| `{c.name}` | {c.type} | {c.unit} | {' '.join(c.meaning.replace('|', chr(92) + '|').split())} |"
            for c in one.table.columns
        )
        yield ""
