"""What a person gives is taken whole or refused in one sentence: random shapes, slugs, settings and options."""

import json
import string
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.cli.regions import parse_periods
from dagster_project.commands.context import parse_season, parse_years
from minemap_assets.errors import BadInputError
from minemap_assets.graph.partitioning import partition_key
from minemap_assets.project.region_changes import add_pieces
from minemap_assets.project.regions import (
    MAX_AREA_KM2,
    read_regions,
    region_from_file,
    validate_slug,
    write_regions,
)
from minemap_assets.project.settings import file_model
from minemap_assets.project.settings_template import _toml
from projects import SECTIONS, project_at, settings_of

in_a_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
some = settings(max_examples=150)

numbers = st.one_of(
    st.floats(-200, 200, allow_nan=False), st.sampled_from([0.0, 90.0, -180.0, 180.0, 1e9, 5e5]), st.integers(-181, 181)
)
points = st.tuples(numbers, numbers)
rings = st.lists(points, min_size=0, max_size=7).map(lambda ring: [*ring, *ring[:1]])
shapes = st.one_of(
    st.none(),
    st.builds(lambda r: {"type": "Polygon", "coordinates": r}, st.lists(rings, max_size=3)),
    st.builds(lambda p: {"type": "MultiPolygon", "coordinates": p}, st.lists(st.lists(rings, max_size=2), max_size=3)),
    st.builds(lambda r: {"type": "LineString", "coordinates": r}, rings),
    st.builds(lambda p: {"type": "Point", "coordinates": p}, points),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 3000), st.floats(-2, 2), st.sampled_from(["", "parity", "planet-nicfi"])),
    lambda below: st.lists(below, max_size=3),
    max_leaves=5,
)
sections = {
    name: tuple(getattr(file_model(SECTIONS)(), name).model_dump(by_alias=True))
    for name in ("sites", "imagery", "chips", "training", "segmentation", "polygons", "sources")
}


Read = TypeVar("Read")


def taken(read: Callable[[], Read]) -> Read | None:
    """What was read; None where it was refused, which must be done in one sentence without jargon."""
    try:
        return read()
    except BadInputError as error:
        told = str(error)
    assert len(told) > 15, told
    assert "\n" not in told, told
    assert "Input should" not in told, told
    assert "pydantic" not in told, told
    return None


@in_a_folder
@given(st.lists(shapes, max_size=3))
def test_a_region_is_sound_or_refused(tmp_path: Path, given_shapes: list[Any]) -> None:
    features = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in given_shapes]
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    region = taken(lambda: region_from_file(path, "area"))
    if region is None:
        return
    change = taken(lambda: add_pieces({}, region))
    if change is None:
        return
    assert region.geometry.is_valid
    assert not region.geometry.is_empty
    west, south, east, north = region.geometry.bounds
    assert -180 - 1e-6 <= west < east <= 180 + 1e-6
    assert -90 - 1e-6 <= south < north <= 90 + 1e-6
    assert all(piece.area_km2 <= MAX_AREA_KM2 for piece in change.regions.values())
    assert read_regions(write_regions(change.regions.values())).keys() == change.regions.keys()
    union = shapely.union_all([piece.geometry for piece in change.regions.values()])
    assert union.symmetric_difference(region.geometry).area <= 1e-6 * max(1.0, region.geometry.area)


@some
@given(st.text(max_size=70) | st.text(string.ascii_lowercase + string.digits + "-_", max_size=70))
def test_a_slug_names_a_folder_a_partition_and_a_url_or_is_refused(slug: str) -> None:
    if taken(lambda: validate_slug(slug)) is None:
        return
    assert Path(slug).parts == (slug,)
    assert sorted((partition_key((slug, "2019")) or "").split("|")) == sorted((slug, "2019"))
    assert set(slug) <= set(string.ascii_lowercase + string.digits + "-_")
    assert 1 <= len(slug) <= 60


@some
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(["features", "properties", "slug", "geometry", "type", "season"]), below, max_size=4
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_a_regions_file_is_read_or_refused(data: bytes) -> None:
    taken(lambda: read_regions(data))


@some
@given(
    st.dictionaries(
        st.sampled_from(sorted(sections)).flatmap(
            lambda s: st.tuples(st.just(s), st.sampled_from([*sections[s], "typo", "from"]))
        ),
        values | st.dictionaries(st.sampled_from(["planet-nicfi", "landsat", "world", "series"]), values, max_size=2),
        max_size=4,
    )
)
def test_settings_are_read_or_refused_in_plain_words(entries: dict[tuple[str, str], Any]) -> None:
    raw: dict[str, dict[str, Any]] = {}
    for (section, name), value in entries.items():
        raw.setdefault(section, {})[name] = value
    text = "\n".join(f"{name} = {_toml(section)}" for name, section in raw.items())
    assert tomllib.loads(text) == raw
    parsed = taken(lambda: settings_of(text))
    if parsed is not None:
        again = {
            model: model.model_validate(value.model_dump(by_alias=True)) for model, value in parsed.sections.items()
        }
        assert again == parsed.sections


@some
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_a_settings_file_of_anything_is_read_or_refused(data: bytes) -> None:
    taken(lambda: settings_of(data))


PROJECT = project_at(Path("nowhere/lake"), Path("nowhere/state"))
words = st.text(string.digits + "-, x–" + string.ascii_letters[:3], max_size=14)


@some
@given(words | st.lists(st.integers(2010, 2030).map(str), min_size=1, max_size=3).map("-".join))
def test_options_are_read_or_refused(text: str) -> None:
    taken(lambda: parse_season(text))
    taken(lambda: parse_periods([text]))
    years = taken(lambda: parse_years(text, PROJECT))
    assert years is None or (years and years == tuple(sorted(set(years))))
