"""What the report is put together from: sections of sentences, tables and figures, before any of it is HTML."""

import base64
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from minemap_assets.publication.report.numerals import NOT_OBSERVED, Form, as_number, is_missing, shown, text

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What sections, tables and figures are called: in anchors and in names of files."""


_MOST_COLUMNS = 15
_FEW_ROWS = 24

MOST_ROWS = 400
"""Rows of a table on a page; its CSV file has all."""


@dataclass(frozen=True)
class Column:
    """A column: its name in the CSV file, its heading, how its values read, and what stands where there is none.

    With `ends`, two other columns of the row are read as its interval, and `form` gives both.
    """

    name: str
    title: str
    form: Form = text
    missing: str = NOT_OBSERVED
    numeric: bool = True
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Cell:
    """One cell: its text, the number behind it where it is one, whether it heads its row, whether it is absent."""

    text: str
    value: float | None
    head: bool
    numeric: bool
    absent: bool


@dataclass(frozen=True, eq=False)
class Table:
    """A table: `rows` by column names, of which the first `heads` columns name the row. It is a CSV file as well.

    `note` stands below it, with the `source`: what in the project the numbers are from.
    """

    kind: ClassVar = "table"
    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Any]]
    heads: int = 1
    note: str = ""
    source: str = ""

    @property
    def file(self) -> str:
        """Where the CSV file lies in the report."""
        return f"tables/{self.name}.csv"

    @property
    def looks(self) -> str:
        """Classes of its HTML: `wide` is set across the page, `short` is kept on one."""
        wide = "wide" if len(self.columns) > _MOST_COLUMNS else ""
        return f"{wide} {'short' if len(self.rows) <= _FEW_ROWS else ''}".strip()

    @property
    def cells(self) -> list[list[Cell]]:
        """Rows of cells as they are shown, the first `MOST_ROWS` of them."""
        shown_rows = self.rows[:MOST_ROWS]
        return [[self._cell(row, n, column) for n, column in enumerate(self.columns)] for row in shown_rows]

    @property
    def notes(self) -> list[str]:
        """What stands below it: how many rows are in the CSV file only, and its own note."""
        left = len(self.rows) - MOST_ROWS
        only = f"{left:,} more rows stand in `{self.file}`, with these." if left > 0 else ""
        origin = f"From {self.source}; with all digits in `{self.file}`." if self.source else ""
        return [words for words in (only, self.note, origin) if words]

    def _cell(self, row: Mapping[str, Any], place: int, column: Column) -> Cell:
        from minemap_assets.publication.report.numerals import interval

        head = place < self.heads
        if column.ends is not None:
            low, high = (row.get(end) for end in column.ends)
            absent = is_missing(low) or is_missing(high)
            return Cell(interval(low, high, column.form, column.missing), None, head, True, absent)
        value = row.get(column.name)
        number = as_number(value) if column.numeric and not head else None
        return Cell(shown(value, column.form, column.missing), number, head, column.numeric, is_missing(value))

    @property
    def csv(self) -> str:
        """The same rows with all their digits; what is missing is empty."""
        names = [name for column in self.columns for name in (column.ends or (column.name,))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows:
            writer.writerow(["" if is_missing(row.get(name)) else _plain(row.get(name)) for name in names])
        return out.getvalue()


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture with its caption, and a text that tells what it shows to whoever cannot see it. `role` places it on the
    page of a site.
    """

    kind: ClassVar = "figure"
    name: str
    caption: str
    alt: str
    data: bytes
    format: Literal["svg", "webp"] = "svg"
    role: str = ""

    @property
    def file(self) -> str:
        """Where the picture lies in the report."""
        return f"figures/{self.name}.{self.format}"

    @property
    def address(self) -> str:
        """The picture itself as an address, so that a page asks nobody for it."""
        media = "image/svg+xml" if self.format == "svg" else "image/webp"
        return f"data:{media};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class Prose:
    """A paragraph; words between backticks are commands or names. `tone` is `missing` for what is not there and how to
    supply it, and `warning` for what has to be known before figures are read.
    """

    kind: ClassVar = "prose"
    words: str
    tone: Literal["plain", "missing", "warning"] = "plain"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar = "heading"
    words: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    kind: ClassVar = "items"
    words: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A page of the report, and what it is called; `note` stands beside it. One without a page has no address."""

    address: str
    words: str
    note: str = ""


@dataclass(frozen=True)
class Links:
    """A list of pages of the report."""

    kind: ClassVar = "links"
    links: tuple[Link, ...]


Block = Table | Figure | Prose | Heading | Items | Links


@dataclass(frozen=True, eq=False)
class Section:
    """A section with its anchor, in the order in which it is read."""

    name: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

    def tables(self) -> list[Table]:
        """Its tables."""
        return [block for block in self.blocks if isinstance(block, Table)]

    def figures(self) -> list[Figure]:
        """Its figures."""
        return [block for block in self.blocks if isinstance(block, Figure)]


def records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def missing(words: str) -> Prose:
    """What is not there, and how to supply it."""
    return Prose(words, "missing")


def warning(words: str) -> Prose:
    """What has to be known first."""
    return Prose(words, "warning")


def _plain(value: Any) -> Any:
    """A value as CSV holds it: lists as words, numbers with all digits."""
    if isinstance(value, list | tuple) or type(value).__name__ == "ndarray":
        return "; ".join(str(one) for one in value)
    return repr(float(value)) if isinstance(value, float) else value
