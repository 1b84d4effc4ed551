"""One JSON document on the output stream: what `--json` of a command prints, and nothing else."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as one indented JSON document in UTF-8.

    Dataclasses and models become objects, sets sorted lists, paths and dates texts, and numbers that are not finite
    null.
    """
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{text}\n".encode(errors="backslashreplace"))
    sys.stdout.buffer.flush()


def plain(value: Any) -> Any:
    """A value as objects, lists, texts, numbers, truth values and null."""
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    return _collection(value)


def _collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(inner) for inner in value), key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    return _foreign(value)


def _foreign(value: Any) -> Any:
    """Models, numbers of other libraries, dates, and what only has a text."""
    if callable(model_dump := getattr(value, "model_dump", None)):
        return plain(model_dump(mode="json"))
    if callable(item := getattr(value, "item", None)):
        return plain(item())
    if callable(isoformat := getattr(value, "isoformat", None)):
        return isoformat()
    return str(value)
