"""Changing settings: the values that were meant and nothing else, in the file as people wrote it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.project.settings_changes import change_settings, changed
from minemap_assets.project.settings_template import settings_template
from projects import SECTIONS, home_at, settings_of

PERIODS = [{"product": "sentinel-2-l1c", "from": 2016, "until": 2018}, {"product": "planet-nicfi", "until": 2024}]
PRODUCTS = """\
products = [
    { product = "sentinel-2-l1c", from = 2016, until = 2018 },
    { product = "planet-nicfi", until = 2024 },
]"""


def change(text: str | None, **values: object) -> str:
    return changed(text, {name.replace("__", "."): value for name, value in values.items()}, SECTIONS, "the file")


def test_a_commented_default_gives_way_where_it_stands() -> None:
    template = settings_template(SECTIONS)
    text = changed(None, {"imagery.products": PERIODS, "imagery.sources.planet-nicfi": ["stac"]}, SECTIONS, "the file")
    old, new = template.split("\n"), text.split("\n")
    start = next(i for i, line in enumerate(old) if line.startswith("# products = [{"))
    source = old.index('# planet-nicfi = ["archive"]')
    assert new == [
        *old[:start],
        *PRODUCTS.split("\n"),
        *old[start + 1 : source],
        'planet-nicfi = ["stac"]',
        *old[source + 1 :],
    ]
    assert settings_of(text).section(ImageryConfig).product_for(2017) == "sentinel-2-l1c"


def test_a_name_that_many_sections_have_is_set_in_its_own() -> None:
    text = change(None, sites__preset="parity", segmentation__seed=7)
    assert tomllib.loads(text)["sites"] == {"preset": "parity"}
    assert tomllib.loads(text)["segmentation"] == {"seed": 7}
    assert text.count("# seed = 0") == settings_template(SECTIONS).count("# seed = 0") - 1


WRITTEN = """\
# Ours.
first_year = 2017 # since the licence

[imagery]
workers = 2       # a small machine
# products = [{ product = "sentinel-2-l2a" }] # tried in May
products = [
    { product = "planet-nicfi", until = 2023 }, # the contract ended
    # and from then on
    { product = "sentinel-2-l2a", from = 2024 },
]

[imagery.sources]
sentinel-2-l2a = ["stac"]
"""


def test_what_people_wrote_stays() -> None:
    text = changed(
        WRITTEN,
        {"first_year": 2018, "imagery.products": PERIODS, "imagery.sources.planet-nicfi": ["archive"]},
        SECTIONS,
        "the file",
    )
    assert (
        text
        == WRITTEN.replace("2017", "2018").replace(
            WRITTEN[WRITTEN.index("products = [\n") : WRITTEN.index("\n[imagery.sources]")],
            PRODUCTS.replace("[\n", "[\n    # the contract ended\n    # and from then on\n", 1) + "\n",
        )
        + 'planet-nicfi = ["archive"]\n'
    )


QUOTED = '[polygons]\noperating_point = """\n[imagery]\n# workers = 4\n"""'
"""Text that looks like settings and is none."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[imagery]\nworkers = 3\n"),
        ("[sites]\nmin_pixels = 256", "[sites]\nmin_pixels = 256\n\n[imagery]\nworkers = 3\n"),
        ("[imagery]", "[imagery]\nworkers = 3"),
        ("[imagery] # here\r\n\r\n[sites]\r\n", "[imagery] # here\r\nworkers = 3\r\n\r\n[sites]\r\n"),
        ("[ 'imagery' ]\nreference_year = 2020\n", "[ 'imagery' ]\nreference_year = 2020\nworkers = 3\n"),
        ("imagery.reference_year = 2020\n", "imagery.reference_year = 2020\nimagery.workers = 3\n"),
        ("imagery = { reference_year = 2020 } # short\n", "imagery = { reference_year = 2020, workers = 3} # short\n"),
        ("imagery = { workers = 2 }\n", "imagery = { workers = 3 }\n"),
        ("[imagery]\nworkers=2 # two\n", "[imagery]\nworkers=3 # two\n"),
        (f"{QUOTED}\n", f"{QUOTED}\n\n[imagery]\nworkers = 3\n"),
        ("[imagery.budget]\nrequests = 5\n", "[imagery.budget]\nrequests = 5\n\n[imagery]\nworkers = 3\n"),
    ],
)
def test_every_form_that_toml_allows_is_kept(before: str, after: str) -> None:
    assert change(before, imagery__workers=3) == after


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"imagery.products": [{"product": "landsat"}]}, "the file: imagery: unknown product 'landsat'"),
        ({"imagery.workers": "many"}, "the file: imagery.workers is 'many'; it has to be a whole number"),
        ({"imagery.prodcts": []}, "the file: [imagery] has no setting 'prodcts' (did you mean 'products'?)"),
        ({"imagery.workers.x": 1}, "the file has no setting 'imagery.workers.x', because workers is no table"),
        ({"first_year": float("nan")}, "the file: first_year is nan"),
    ],
)
def test_a_value_that_may_not_stand_there_is_named(values: dict[str, object], told: str) -> None:
    with pytest.raises(BadInputError) as error:
        changed("[imagery]\nworkers = 2\n", values, SECTIONS, "the file")
    assert told in str(error.value)


def test_a_file_that_is_damaged_already_is_left_alone() -> None:
    with pytest.raises(BadInputError, match="the file is not valid TOML"):
        change("[imagery\n", imagery__workers=3)


NAMES: dict[str, st.SearchStrategy[Any]] = {
    "first_year": st.integers(2015, 2026),
    "imagery.workers": st.integers(1, 64),
    "imagery.min_clear_fraction": st.floats(0.0, 1.0),
    "imagery.reference_products": st.lists(
        st.sampled_from(["planet-nicfi", "sentinel-2-l2a", "sentinel-2-l1c"]), max_size=3
    ),
    "imagery.sources.planet-nicfi": st.lists(st.sampled_from(["archive", "stac"]), max_size=2),
    "imagery.products": st.just(PERIODS),
    "sites.known_bad": st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), max_size=9),
    "sources.stac.attempts": st.integers(1, 100),
    "sources.planet_basemaps.terms": st.text(st.characters(codec="utf-8"), max_size=40),
}
TEXTS = st.sampled_from([None, "", WRITTEN, WRITTEN.replace("\n", "\r\n"), settings_template(SECTIONS)])


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.fixed_dictionaries({}, optional=NAMES), st.fixed_dictionaries({}, optional=NAMES))
def test_nothing_but_the_values_changes(text: str | None, first: dict[str, Any], then: dict[str, Any]) -> None:
    before = changed(text, first, SECTIONS, "the file")
    after = changed(before, then, SECTIONS, "the file")
    assert changed(after, then, SECTIONS, "the file") == after
    meant = tomllib.loads(before)
    for name, value in then.items():
        table, path = meant, name.split(".")
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = (
            [list(one) if isinstance(one, tuple) else one for one in value] if isinstance(value, list) else value
        )
    assert tomllib.loads(after) == meant
    for comment in ("since the licence", "a small machine", "tried in May", "the contract ended", "and from then on"):
        assert (comment in after) == (text is not None and comment in text)


def test_the_projects_file_is_changed_and_its_history_keeps_the_older_one(tmp_path: Path) -> None:
    home = home_at(tmp_path / "lake", tmp_path / "state")
    change_settings(home, {"imagery.workers": 3})
    assert home.open().section(ImageryConfig).workers == 3
    store = home.lake.store
    store.write_bytes(SETTINGS_PATH, b"\xef\xbb\xbf[imagery]\r\nworkers = 2\r\n")
    change_settings(home, {"imagery.workers": 5})
    assert store.read_bytes(SETTINGS_PATH) == b"\xef\xbb\xbf[imagery]\r\nworkers = 5\r\n"
    inputs = Inputs(store)
    kept = [inputs.bytes_of(SETTINGS_PATH, version) for version in inputs.versions(SETTINGS_PATH)]
    assert kept[-2:] == [b"\xef\xbb\xbf[imagery]\r\nworkers = 2\r\n", b"\xef\xbb\xbf[imagery]\r\nworkers = 5\r\n"]


def test_a_source_that_is_none_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    home = home_at(tmp_path / "lake", tmp_path / "state")
    change_settings(home, {"imagery.workers": 3})
    before = home.lake.store.read_bytes(SETTINGS_PATH)
    with pytest.raises(BadInputError, match="unknown source 'archiv'"):
        change_settings(home, {"imagery.sources.planet-nicfi": ["archiv"]})
    assert home.lake.store.read_bytes(SETTINGS_PATH) == before
