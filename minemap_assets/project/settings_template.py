"""The settings file a project begins with: every default, commented out, under what it means.

All of it comes from the sections' own classes and their docstrings, so it cannot fall behind them. Values are commented
out, so that a project follows better defaults of a later version unless it says otherwise.
"""

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from minemap_assets.project.settings import Section, file_model

MARK = "#: "
"""Before prose; a setting that is commented out has only `# ` before it."""

WIDTH = 100

HEADER = (
    "Settings of this project. Take the `# ` away from a line and change its value; what you leave is the default. "
    "What a change makes out of date is made again by the next `minemap run`, and nothing else."
)


def settings_template(sections: Sequence[Section]) -> str:
    """The text of the file."""
    settings = file_model(sections)()
    plain = {name: value for name, value in settings if not isinstance(value, BaseModel)}
    blocks = ["\n".join([*_prose(HEADER), "", *_described(settings), *_entries(plain)])]
    for name, value in settings:
        if isinstance(value, BaseModel):
            blocks += _section(name, value)
    return "\n\n".join(blocks) + "\n"


def _section(name: str, model: BaseModel) -> Iterator[str]:
    """The block of one section, then those of the tables in it."""
    own = {k: v for k, v in model if not isinstance(v, BaseModel | Mapping)}
    yield "\n".join([*_described(model), f"[{name}]", *_entries(own)])
    for key, value in model:
        if isinstance(value, BaseModel):
            yield from _section(f"{name}.{key}", value)
        elif isinstance(value, Mapping):
            yield "\n".join([f"[{name}.{key}]", *_entries(value)])


def _described(model: BaseModel) -> list[str]:
    """What a class says of its settings."""
    return [line for part in (inspect.getdoc(type(model)) or "").split("\n\n") for line in _prose(part)]


def _entries(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{MARK}{key} is not set" if value is None else f"# {key} = {_toml(value)}" for key, value in values.items()
    ]


def _toml(value: Any) -> str:
    """A value as TOML in one line."""
    if isinstance(value, BaseModel):
        return _toml(value.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _prose(text: str) -> list[str]:
    lines = [" ".join(line.split()) for line in text.replace("\n    ", " ").splitlines()]
    return [MARK + part for part in textwrap.wrap(" ".join(lines), WIDTH)]
