"""Every setting of a project: its section, type, default and meaning, from the classes of the settings themselves."""

import inspect
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dagster_project.reference_pages.markdown import page, table
from minemap_assets.project.settings import Section, file_model
from minemap_assets.project.settings_changes import setting_text

INTRODUCTION = """\
# Settings

Settings stand in `inputs/minemap.toml` of the lake. `minemap init` writes that file with every default commented out;
what you leave out is the default. A wrong name or value ends in one sentence that says what is valid there.
`make docs` writes this page from the classes of the settings, and a test compares it with the code.

A change redoes what depends on it and nothing else: [Architecture](../architecture.md#what-a-setting-redoes) says what.
"""

COLUMNS = ("setting", "type", "default", "meaning")

UNSET = "not set"

WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    NoneType: UNSET,
}

LIMITS: Mapping[str, str] = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}

LONGEST_DEFAULT = 100

_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[A-Z`])")


def settings_page(sections: Sequence[Section]) -> str:
    """The page for these sections, as Markdown."""
    whole = file_model(sections)()
    return page([INTRODUCTION, *_section("", whole)])


def _section(name: str, model: BaseModel) -> Iterator[str]:
    """A section with a row for each setting, then the forms of its entries, then the tables in it."""
    own = {key: type(model).model_fields[key] for key, value in model if not isinstance(value, BaseModel)}
    yield from (f"## `[{name}]`" if name else "## Top of the file", "", *_prose(type(model)))
    if own:
        yield from table(COLUMNS, _rows(own, type(model)))
    for entry in _entries(type(model)):
        yield from (f"### Entries of `[{name}]`: {entry.__name__}", "", *_prose(entry))
        yield from table(COLUMNS, _rows(entry.model_fields, entry))
    for key, value in model:
        if isinstance(value, BaseModel):
            yield from _section(f"{name}.{key}".strip("."), value)


def _prose(model: type[BaseModel]) -> Iterator[str]:
    """What a class says of all its settings together; what names one of them stands in that one's row."""
    shown = [field.alias or name for name, field in model.model_fields.items()]
    general = [part for part in _said(model) if not any(f"`{name}`" in part for name in shown)]
    if general:
        yield from (" ".join(general), "")


def _said(model: type[BaseModel]) -> list[str]:
    """The sentences of a class's docstring, cut at a semicolon where the next part begins with a name."""
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(model) or "").split("\n\n")]
    return [part for paragraph in paragraphs for part in _SENTENCE.split(paragraph) if part]


def _rows(fields: Mapping[str, FieldInfo], model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    for name, field in fields.items():
        shown = field.alias or name
        default = "has to be given" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"`{shown}`", _type(field), default, meaning(shown, model)


def meaning(name: str, model: type[BaseModel]) -> str:
    """What the class says of one of its settings: the parts of its docstring that name it."""
    return " ".join(f"{part.rstrip('.;')}." for part in _said(model) if f"`{name}`" in part)


def _default(value: Any) -> str:
    if value is None:
        return UNSET
    text = setting_text("x", _plain(value)).removeprefix("x = ")
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT and "\n" not in text else "as `minemap init` writes it"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _type(field: FieldInfo) -> str:
    limits = [(word, getattr(bound, key, None)) for bound in field.metadata for key, word in LIMITS.items()]
    return ", ".join(
        [_words(field.annotation), *(f"{word} {_number(limit)}" for word, limit in limits if limit is not None)]
    )


def _number(value: float) -> str:
    """A number as people write it: a year without a comma, a large one with."""
    return f"{value:g}" if abs(value) < 10_000 else f"{int(value):,}"


def _words(annotation: Any) -> str:
    """A type in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{setting_text('x', value).removeprefix('x = ')}`" for value in arguments)
    if origin in (tuple, list, dict):
        return _many(origin, arguments)
    if arguments:
        kinds = arguments[:1] if origin is typing.Annotated else arguments
        return " or ".join(_words(one) for one in kinds if one is not NoneType)
    return WORDS.get(annotation) or f"table ({annotation.__name__})"


def _many(origin: Any, arguments: tuple[Any, ...]) -> str:
    """A list or table in words."""
    if origin is dict:
        return f"table of: {_words(arguments[1])}"
    long = f" of {len(arguments)}" if origin is tuple and arguments[-1] is not Ellipsis else ""
    return f"list{long or ' of'}: {_words(arguments[0])}"


def _entries(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The classes of the tables that stand in lists and tables of a class's settings."""
    for field in model.model_fields.values():
        if not _is_model(field.annotation):
            for found in _models(field.annotation):
                yield found
                yield from (inner for f in found.model_fields.values() for inner in _models(f.annotation))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if _is_model(annotation):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models(argument)]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
