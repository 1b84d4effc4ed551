"""Columns in words: what a column is called, of which type it is, what it counts in and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from minemap_assets.graph.column_descriptions import describe

if TYPE_CHECKING:
    import pyarrow as pa

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "cell_row": "10 km",
        "cell_column": "10 km",
        "_km2": "km²",
        "_ha": "ha",
        "_days": "days",
        "_share": "0 to 1",
        "_fraction": "0 to 1",
        "probability": "0 to 1",
        "threshold": "0 to 1",
        "longitude": "degrees",
        "latitude": "degrees",
        "geometry": "degrees",
        "bytes": "bytes",
        "bytes_read": "bytes",
        "ground_resolution": "m",
        "width": "pixels",
        "height": "pixels",
        "row": "pixels",
        "column": "pixels",
        "pixels": "pixels",
        "year": "year",
    }
)
"""What a column counts in, by the end of its name."""

WHOLE, NUMBER, GEOMETRY = "whole number", "number", "geometry"

MEASURED = (WHOLE, NUMBER, GEOMETRY)
"""Types that have a unit."""


@dataclass(frozen=True)
class ColumnWords:
    """A column as a data dictionary tells of it; the unit is empty for text and counts."""

    name: str
    type: str
    unit: str
    meaning: str


def words_of(field: "pa.Field", told: Mapping[str, str]) -> ColumnWords:
    """A column of a Parquet file; `told` is what its table says of its columns, beside what is said for all tables."""
    kind = type_of(field)
    meaning = told.get(field.name) or describe(field.name) or ""
    return ColumnWords(field.name, kind, unit_of(field.name) if kind in MEASURED else "", meaning.rstrip("."))


def unit_of(column: str) -> str:
    """The unit of a column by the end of its name; empty for text and counts."""
    return next((unit for end, unit in UNITS.items() if column == end or column.endswith(f"_{end.lstrip('_')}")), "")


def type_of(field: "pa.Field") -> str:
    """A type in words."""
    import pyarrow as pa

    kind = field.type
    if field.name == "geometry":
        return GEOMETRY
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {type_of(kind.value_field)}"
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_integer(kind):
        return WHOLE
    return NUMBER if pa.types.is_floating(kind) else "text"
