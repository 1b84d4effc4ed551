"""JSON as the page reads it: the same bytes for the same values, nulls for what is not known."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd


def write_json(value: Any, path: Path) -> None:
    """Write a value. Raises `ValueError` for a number that JSON does not have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_text(text, encoding="utf-8")


def number(value: Any, digits: int = 4) -> float | None:
    """A number, rounded; None where it is null."""
    if value is None or pd.isna(value):
        return None
    rounded = round(float(value), digits)
    return rounded if math.isfinite(rounded) else None


def whole(value: Any) -> int | None:
    """A whole number; None where it is null."""
    return None if value is None or pd.isna(value) else int(value)


def words(value: Any) -> str | None:
    """A text; None where it is null."""
    return None if value is None or (not isinstance(value, str) and pd.isna(value)) else str(value)
