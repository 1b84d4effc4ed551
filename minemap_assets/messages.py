"""What is wrong with a setting, in words for the person who wrote it."""

import typing
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

KINDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotes",
    "tuple": "a list in brackets",
    "list": "a list in brackets",
    "dict": "a table",
    "model": "a table",
    "path": "a path",
    "finite": "a finite number",
}
"""What a value has to be, by the first word of pydantic's error type."""

LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}

_SHOWN = 60
_LONGEST = 400
_LARGE = 1_000_000
_LISTED = 12
_SIMILAR = 0.6


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the most similar known word; empty where none is similar."""
    found = get_close_matches(word[:_SHOWN].lower(), {k.lower(): k for k in known}, n=1, cutoff=_SIMILAR)
    return f" (did you mean {found[0]!r}?)" if found else ""


def explain(error: "ValidationError", model: "type[BaseModel]") -> str:
    """One sentence on the first fault, and how many more there are.

    `model` is the class that was validated; it says which names are valid where one is not known.
    """
    faults = error.errors()
    more = len({_place(_whole(f)) for f in faults}) - 1
    others = f" ({more} more {'entry' if more == 1 else 'entries'} to correct after it)" if more else ""
    return _sentence(faults[0], faults, model) + others


def _sentence(fault: Any, faults: Sequence[Any], model: "type[BaseModel]") -> str:
    loc, kind = tuple(fault["loc"]), str(fault["type"])
    place = _place(loc)
    if kind == "extra_forbidden":
        known = sorted(_names(model, loc[:-1]))
        meant = suggestion(str(loc[-1]), known)
        listed = "" if meant and len(known) > _LISTED else f"; it has {', '.join(known)}"
        return f"{_table(loc[:-1])} has no setting {shown(str(loc[-1]))}{meant}{listed}"
    if kind == "missing":
        if isinstance(loc[-1], int):
            return f"{_place(loc[:-1])} has only {loc[-1]} of the values it needs; add the others"
        return f"{_table(loc[:-1])} lacks {str(loc[-1])!r}; add it"
    if kind in ("value_error", "assertion_error"):
        return f"{place}: {_in_one_line(str(fault['msg']).removeprefix('Value error, '))}"
    allowed = " or ".join(dict.fromkeys(_allowed(f) for f in faults if _same_value(f, fault)))
    return f"{place} is {shown(fault['input'])}; it has to be {allowed}"


def _whole(fault: Any) -> tuple[Any, ...]:
    """Where a fault is; a list that is too short is one fault, however many values it lacks."""
    loc = tuple(fault["loc"])
    return loc[:-1] if fault["type"] == "missing" and isinstance(loc[-1], int) else loc


def _same_value(one: Any, other: Any) -> bool:
    """True for the faults of one value that may be of several types: pydantic names the type last."""
    first, second = tuple(one["loc"]), tuple(other["loc"])
    return first == second or (one["input"] is other["input"] and first[:-1] == second[:-1] and len(first) > 1)


def _allowed(fault: Any) -> str:
    kind, context = str(fault["type"]), fault.get("ctx") or {}
    if kind in LIMITS:
        name, words = LIMITS[kind]
        limit = context[name]
        return f"{words} {limit:,}" if isinstance(limit, int) and abs(limit) >= _LARGE else f"{words} {limit:g}"
    if kind in ("literal_error", "enum"):
        return str(context["expected"])
    if kind == "too_long":
        return f"a list of {context['max_length']}"
    if kind == "too_short":
        return f"a list of {context['min_length']} or more"
    return KINDS.get(kind.split("_", maxsplit=1)[0], str(fault["msg"]).removeprefix("Input should be "))


def shown(value: Any) -> str:
    """A value in one line that is short, whatever it is."""
    try:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    except (ValueError, RecursionError):
        text = "a number with too many digits" if isinstance(value, int) else "a value that is nested too deep"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _in_one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _table(loc: tuple[Any, ...]) -> str:
    return f"[{_place(loc)}]" if loc else "the file"


def _place(loc: tuple[Any, ...]) -> str:
    """`imagery.products entry 1`; the name of a type that pydantic adds at the end is left out."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f" entry {part + 1}"
        elif not part.startswith(("literal[", "function-")) and part not in ("float", "int", "str"):
            name = part if part.isprintable() and len(part) <= _SHOWN else shown(part)
            text += f".{name}" if text else name
    return text


def _names(model: "type[BaseModel]", loc: tuple[Any, ...]) -> set[str]:
    """Names that are valid at a place: of the model, or of the models that stand below its fields."""
    here: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        fields = [field for m in here for name, field in m.model_fields.items() if part in (name, field.alias)]
        here = [m for field in fields for m in _models(field.annotation)]
    return {field.alias or name for m in here for name, field in m.model_fields.items()}


def _models(annotation: Any) -> "list[type[BaseModel]]":
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in typing.get_args(annotation) for m in _models(argument)]
