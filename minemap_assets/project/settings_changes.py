"""Changing settings in the file that people wrote: only the values that are meant, everything else stays as it was.

Where a value stands already, it gives way to the new one; else the commented default of that name, as the template
writes it, does; else the value goes below the heading of its section. Every attempt counts only where the file then
says what it said before and the new value, so nothing hangs on the forms that TOML allows for one thing.
"""

import codecs
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.settings import SETTINGS_PATH, Section, parse_settings
from minemap_assets.project.settings_template import settings_template

WIDTH = 100
"""Characters of a line; a longer list has one value a line."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TEXT_OR_COMMENT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|(?P<comment>#[^\r\n]*)")


def change_settings(home: ProjectHome, values: Mapping[str, object]) -> None:
    """Set values in the project's settings file, whose older version stays in its history.

    `values` are those of `changed`. Raises `BadInputError`, and writes nothing, where the file with them would be no
    settings of this project.
    """
    store, sections = home.lake.store, home.parts.sections
    where = f"{store.root}/{SETTINGS_PATH}"

    def edit(data: bytes | None) -> bytes:
        mark = codecs.BOM_UTF8 if data is not None and data.startswith(codecs.BOM_UTF8) else b""
        text = None if data is None else _decoded(data.removeprefix(mark), where)
        after = changed(text, values, sections, where)
        project = Project(home.lake, home.parts, parse_settings(after, sections, where), {})
        for rule in home.parts.rules:
            rule(project)
        return mark + after.encode()

    Inputs(store).change(SETTINGS_PATH, edit)


def changed(text: str | None, values: Mapping[str, object], sections: Sequence[Section], where: str) -> str:
    """The text of a settings file with these values set; everything else in it, comments too, stays as it is.

    `values` go by dotted names (`imagery.products`, `imagery.sources.planet-nicfi`) and are what JSON can say except
    null; of a table every name is set by itself, and what else it holds stays. Without `text` it is the template with
    every default. Raises `BadInputError`, naming `where`, for a text that is no settings file, and for a value that may
    not stand there.
    """
    template = settings_template(sections)
    after = template if text is None else text
    parse_settings(after, sections, where)
    for path, value in _leaves(values):
        after = _with(after, path, value, template, where)
    parse_settings(after, sections, where)
    return after


def setting_text(name: str, value: object) -> str:
    """One setting as it stands in the file, `name = value`; a long list has one value a line."""
    key = _key(name)
    return f"{key} = {_value(value, len(key) + 3)}"


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where} is not text in UTF-8; save it in that encoding") from error


def _leaves(values: Mapping[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in values.items():
        path = (*above, name) if above else tuple(name.split("."))
        if isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path, value


def _with(text: str, path: tuple[str, ...], value: object, template: str, where: str) -> str:
    """The text with one value set. Raises `BadInputError` where the file's own form leaves no place for it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInputError(f"{where}: {'.'.join(path)} is {value}; it has to be a finite number")
    ends = "\r\n" if "\r\n" in text else "\n"
    line = setting_text(path[-1], value).replace("\n", ends)
    wished = tomllib.loads(line)[path[-1]]
    meant = tomllib.loads(text)
    table, name = meant, ".".join(path)
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise BadInputError(f"{where} has no setting {name!r}, because {part} is no table")
    known = path[-1] in table
    if known and table[path[-1]] == wished:
        return text
    table[path[-1]] = wished
    for attempt in () if known else _added(text, path, line, template, ends):
        if _says(attempt, meant):
            return attempt
    attempt = _replaced(text, path, line, ends)
    if _says(attempt, meant):
        return attempt
    raise BadInputError(f"{where} is written in a form in which {name} cannot be set; write it there by hand: {line}")


def _says(text: str, meant: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == meant
    except tomllib.TOMLDecodeError:
        return False


def _added(text: str, path: tuple[str, ...], line: str, template: str, ends: str) -> Iterator[str]:
    """The text with a line for a value that is not set yet, at every place where it could stand, the best first."""
    lines = text.split("\n")
    line = line + ends.removesuffix("\n")
    defaults = {one for one in template.split("\n") if one.startswith(f"# {path[-1]} = ")}
    for number, one in enumerate(lines):
        if one.rstrip("\r") in defaults:
            yield "\n".join([*lines[:number], line, *lines[number + 1 :]])
    for number in _below_headings(lines, path[:-1]):
        yield "\n".join([*lines[:number], line, *lines[number:]])
    if path[:-1]:
        apart = "" if not text else ends if text.endswith("\n") else ends * 2
        heading = ".".join(_key(part) for part in path[:-1])
        yield f"{text}{apart}[{heading}]{ends}{line}\n"


def _below_headings(lines: Sequence[str], table: tuple[str, ...]) -> Iterator[int]:
    """Numbers of the lines before which a value of a table may stand: after its first paragraph, or at its top."""
    tops = [0] if not table else [n + 1 for n, line in enumerate(lines) if _heading(line) == table]
    for top in tops:
        rest = (n for n in range(top, len(lines)) if not lines[n].strip() or _heading(lines[n]) is not None)
        yield from (next(rest, len(lines)), top)


def _heading(line: str) -> tuple[str, ...] | None:
    """The table that a line begins; None for any other line."""
    if not line.lstrip().startswith("["):
        return None
    path: list[str] = []
    try:
        inner: Any = tomllib.loads(line.rstrip("\r"))
    except tomllib.TOMLDecodeError:
        return None
    while inner:
        if not isinstance(inner, dict):
            return None  # the heading of a list of tables
        (name, inner), *_ = inner.items()
        path.append(name)
    return tuple(path)


def _replaced(text: str, path: tuple[str, ...], line: str, ends: str) -> str:
    """The text with another value where one stands, or in the table of that form; empty where that cannot be done.

    Comments inside an old list stand at the head of the new one.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        table: Any = document
        for part in path[:-1]:
            table = table[part]
        old = table.get(path[-1])
        inner = old.as_string() if isinstance(old, tomlkit.items.Array) else ""
        comments = [m["comment"] for m in _TEXT_OR_COMMENT.finditer(inner) if m["comment"]]
        value = line.partition(" = ")[2]
        if comments and value.startswith("["):
            value = "[" + ends + "".join(f"    {c}{ends}" for c in comments) + value[1:].lstrip("\r\n")
        table[path[-1]] = tomlkit.value(value)
        return document.as_string()
    except (TOMLKitError, KeyError, TypeError, AttributeError):
        return ""


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """Text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object, before: int) -> str:
    """A value as TOML, `before` characters into its line."""
    line = _in_line(value)
    if not isinstance(value, list | tuple) or not value or before + len(line) <= WIDTH:
        return line
    return "[\n" + "".join(f"    {_in_line(one)},\n" for one in value) + "]"


def _in_line(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(k))} = {_in_line(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_in_line(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    raise TypeError(f"{value!r} cannot be written in TOML")
