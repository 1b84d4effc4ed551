"""Regions and settings that were cut, nested, blown up or edited by machines: taken whole, or refused in a sentence."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.project.regions import Region, read_regions, write_regions
from minemap_assets.project.settings import file_model
from minemap_assets.project.settings_template import _toml
from projects import SECTIONS, settings_of

often = settings(max_examples=150)
LONGEST = 700
DEEP_NAME = ".".join(["a"] * 5_000) + " = 1"

VALID = json.loads(
    write_regions(
        [
            Region("a", "A", shapely.box(-60, -10, -59, -9), season=(6, 11), reference_year=2019),
            Region("b", "B", shapely.box(5, 5, 6, 6), products=({"product": "planet-nicfi", "until": 2024},)),
        ]
    )
)
absurd: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.sampled_from(["", "--help", "-x", "false", "\ud800", "a\nb", "x" * 5000, "/etc", "..", [], {}, [[]], 10**4400]),
    st.recursive(st.integers(), lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(), below)),
)


def refused_or_taken(read: Callable[[], object]) -> str | None:
    """The sentence of a refusal, which is one line that a person can read; None for what was taken."""
    try:
        read()
    except BadInputError as error:
        told = str(error)
    else:
        return None
    assert "\n" not in told
    assert 15 < len(told) < LONGEST
    return told


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in nested lists and mappings."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, below in items for place in places(below, (*above, key)))]


def changed(whole: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with something else in one place."""
    if not place:
        return value
    result = copy.deepcopy(whole)
    here = result
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return result


def text_of(value: Any) -> str | None:
    """JSON of a value; None for a number with more digits than Python writes."""
    try:
        return json.dumps(value)
    except ValueError:
        return None


@often
@given(st.sampled_from(places(VALID)), absurd)
def test_a_regions_file_with_something_else_in_any_place(place: tuple[Any, ...], value: Any) -> None:
    text = text_of(changed(VALID, place, value))
    if text is not None:
        refused_or_taken(lambda: read_regions(text.encode()))


@often
@given(st.data())
def test_a_regions_file_with_bytes_lost_or_doubled(data: st.DataObject) -> None:
    text = json.dumps(VALID)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    middle = data.draw(st.sampled_from(["", text[first:last] * 2, "9" * 5000, "[" * 2000, "\x00", "1e999", "NaN"]))
    refused_or_taken(lambda: read_regions((text[:first] + middle + text[last:]).encode()))


SETTINGS = file_model(SECTIONS)().model_dump(by_alias=True, exclude_none=True, mode="json")


def toml_of(value: Any) -> str | None:
    """TOML of settings; None for what cannot be written."""
    try:
        text = "\n".join(f"{name} = {_quoted_toml(below)}" for name, below in value.items())
        return text.encode().decode()
    except (ValueError, TypeError):
        return None


def _quoted_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_quoted_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_quoted_toml(v) for v in value) + "]"
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(str(value), repr(value))
    if value is None:
        raise TypeError("TOML has no null")
    return _toml(value)


@settings(max_examples=300)
@given(st.sampled_from([p for p in places(SETTINGS) if p]), absurd)
def test_settings_with_something_else_in_any_place(place: tuple[Any, ...], value: Any) -> None:
    text = toml_of(changed(SETTINGS, place, value))
    if text is not None:
        refused_or_taken(lambda: settings_of(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = " + "[" * 100_000 + "]" * 100_000, "is nested deeper than any setting"),
        ("x = " + "{a=" * 5_000 + "1" + "}" * 5_000, "is nested deeper than any setting"),
        (".".join(["a"] * 5_000) + " = 1", "the file has no setting 'a'"),
        (
            "[imagery.sources]\n" + ".".join(["a"] * 5_000) + " = 1",
            "imagery.sources.a is a value that is nested too deep",
        ),
        ("first_year = " + "9" * 10_000, "has a number with too many digits"),
        ("first_year = 0x" + "f" * 10_000, "first_year is a number with too many digits; it has to be"),
        ("first_year = " + "9" * 30, "first_year is 9"),
        ("first_year = 2016.5", "first_year is 2016.5; it has to be"),
        ("[sites]\nwindow_factor = inf", "sites.window_factor is inf; it has to be a finite number"),
        ("[sites]\nwindow_factor = 1e999", "sites.window_factor is inf; it has to be a finite number"),
        ("[sites]\nmin_area_m2 = nan", "sites.min_area_m2 is nan; it has to be a finite number"),
        ("[sites]\nmin_pixels = 1000000000", "sites.min_pixels is 1000000000; it has to be at most 16384"),
        ("[imagery]\nworkers = 1000000", "imagery.workers is 1000000; it has to be at most 64"),
        ('[imagery]\nproducts = [{product = "planet-nicfi", until = 10000000000}]', "it has to be at most 9999"),
        ('"a\\nb" = 1', "has no setting 'a\\nb'"),
        ('[imagery.sources]\n"a\\nb" = 1', "imagery.sources.'a\\nb' is 1; it has to be a list"),
        ("[chips]\nsize = 1000000", "chips.size is 1000000; it has to be at most 4096"),
        (
            "[segmentation]\nhidden_sizes = [1000000000, 32, 64, 128]",
            "hidden_sizes entry 1 is 1000000000; it has to be",
        ),
        (
            "[segmentation]\narchitecture = 'segformer'\nhidden_sizes = [4096, 4096, 4096, 4096]\n"
            "heads = [1, 2, 4, 8]\ndepths = [9, 9, 9, 9]",
            "500,000,000 are the most",
        ),
        ("[segmentation]\nheads = [0, 2, 4, 8]", "segmentation.heads entry 1 is 0; it has to be at least 1"),
        ("[segmentation]\nheads = [3, 2, 4, 8]", "must be a multiple of its heads"),
        ("[segmentation]\nstrides = [0, 2, 2, 2]", "segmentation.strides entry 1 is 0; it has to be at least 1"),
        ("[segmentation]\ncrop = 1000000", "segmentation.crop is 1000000; it has to be at most 4096"),
        ("[segmentation]\nbatch_size = 1000000000", "segmentation.batch_size is 1000000000; it has to be at most 4096"),
        ("[segmentation]\nbatch_size = 4000\ncrop = 512", "pixels at a time; 134,217,728 are the most"),
        ("[segmentation]\nseed = 99999999999999999999", "it has to be at most 4,294,967,295"),
        ("[segmentation]\nthreads = 1000000", "segmentation.threads is 1000000; it has to be at most 1024"),
        ("[polygons]\nwindow = 1000000", "polygons.window is 1000000; it has to be at most 2"),
        ("[sources.stac]\nconcurrency = 1000000", "sources.stac.concurrency is 1000000; it has to be at most 256"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_absurd_settings_are_refused_by_their_names(text: str, told: str) -> None:
    said = refused_or_taken(lambda: settings_of(text))
    assert said is not None
    assert said.startswith("inputs/minemap.toml")
    assert told in said, said
