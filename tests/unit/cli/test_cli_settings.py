"""The settings file: `minemap init` writes it, and every mistake in it is one sentence in plain words."""

import tomllib
from typing import Any

import pytest

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.messages import suggestion
from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.project.settings import file_model
from minemap_assets.project.settings_template import settings_template
from minemap_assets.sites.config import SitesConfig
from projects import SECTIONS, settings_of
from terminal import Terminal

FILE = "minemap-data/lake/inputs/minemap.toml"


def uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("# ") for line in text.splitlines())


def test_init_writes_the_defaults_and_says_what_comes_next(minemap: Terminal) -> None:
    answer = minemap("init")
    assert answer.code == 0
    text = (minemap.folder / FILE).read_text()
    assert settings_of(text) == settings_of()
    for step in ("1. Say what to map", "2. Register known mines and country borders", "3. `minemap doctor"):
        assert step in answer.out
    for name in ("maus_2022", "tang_werner_2023", "country_boundaries"):
        assert f"`minemap reference fetch {name}`" in answer.out


def test_init_never_writes_over_settings(minemap: Terminal) -> None:
    path = minemap.write(FILE, "[sites]\nmin_pixels = 256\n")
    answer = minemap("init")
    assert (answer.code, "exists already; edit it, or remove it" in answer.sentence) == (2, True)
    assert path.read_text() == "[sites]\nmin_pixels = 256\n"


def test_init_in_a_project_says_only_what_is_left(project: Terminal) -> None:
    answer = project("init")
    assert "has 1 region. Next:" in answer.out
    assert "1. Register known mines" in answer.out


def test_every_default_in_the_template_is_the_default() -> None:
    template = settings_template(SECTIONS)
    text = uncommented(template)
    assert settings_of(text) == settings_of(template) == settings_of()
    given, every = tomllib.loads(text), file_model(SECTIONS)().model_dump(by_alias=True)
    lacking = [path for path, value in leaves(every) if not holds(given, path, value)]
    assert not lacking


def leaves(values: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for name, value in values.items():
        found += leaves(value, (*above, name)) if isinstance(value, dict) else [((*above, name), value)]
    return found


def holds(given: Any, path: tuple[str, ...], value: Any) -> bool:
    """True where the file names the setting; one that is not set cannot be written in TOML."""
    for name in path:
        if name not in given:
            return value is None
        given = given[name]
    return True


def test_a_product_that_is_not_named_keeps_its_default() -> None:
    settings = settings_of('[imagery.sources]\nplanet-nicfi = ["simulated"]\n[imagery.bands]\n')
    imagery, default = settings.section(ImageryConfig), settings_of().section(ImageryConfig)
    assert imagery.sources == default.sources | {"planet-nicfi": ("simulated",)}
    assert imagery.bands == default.bands


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[imagry]", "the file has no setting 'imagry' (did you mean 'imagery'?)"),
        (
            "[imagery]\nreferense_year = 2019",
            "[imagery] has no setting 'referense_year' (did you mean 'reference_year'?)",
        ),
        ("[segmentation]\nstep = 3", "[segmentation] has no setting 'step' (did you mean 'steps'?)"),
        (
            "[imagery]\nproducts = [{product = 'planet-nicfi', form = 2016}]",
            "has no setting 'form' (did you mean 'from'?)",
        ),
        ("[imagery]\nproducts = [{until = 2016}]", "[imagery.products entry 1] lacks 'product'; add it"),
        ("[imagery]\nproducts = 3", "imagery.products is 3; it has to be a list in brackets"),
        ("[imagery]\nreference_year = 'x'", "imagery.reference_year is 'x'; it has to be a whole number"),
        ("[imagery]\nreference_year = 1999", "imagery.reference_year is 1999; it has to be at least 2015"),
        (
            "[imagery.sources]\nplanet-nicfi = 'archive'",
            "imagery.sources.planet-nicfi is 'archive'; it has to be a list",
        ),
        ("[imagery.sources]\nlandsat = ['archive']", "unknown product 'landsat'; the products are planet-nicfi"),
        ("[imagery.bands]\nplanet-nicfi = ['violet']", "planet-nicfi has no band violet; it has blue"),
        ("[imagery.bands]\nplanet-nicfi = []", "names none for planet-nicfi"),
        (
            "[imagery]\nproducts = [{product = 'planet-nicfi', from = 2024, until = 2020}]",
            "planet-nicfi from 2024 until 2020 holds no year; swap the years",
        ),
        ("[training]\nproducts = ['landsat']", "training.products: unknown product 'landsat'"),
        ("[sites]\nlarge = 'tiles'", "sites.large is 'tiles'; it has to be 'tile' or 'squeeze'"),
        ("[sites]\nmin_pixels = 511", "min_pixels must be even"),
        ("[polygons]\nthreshold = 2", "polygons.threshold is 2; it has to be at most 1"),
        ("[polygons]\nthreshold = 'a'", "polygons.threshold is 'a'; it has to be a number"),
        ("[segmentation]\nflips = 'maybe'", "segmentation.flips is 'maybe'; it has to be true or false"),
        ("[segmentation]\noperating_point = 'match'", "it has to be 'match_area' or 'max_miou' or a number"),
        ("[segmentation]\nheads = [1, 2]", "segmentation.heads has only 2 of the values it needs"),
        ("[segmentation]\nheads = [1, 1, 1, 1, 1]", "it has to be a list of 4"),
        (
            "[segmentation]\nsteps = 0\ndropout = 1.5",
            "dropout is 1.5; it has to be below 1 (1 more entry to correct after it)",
        ),
        ("sites = 3", "sites is 3; it has to be a table"),
        ("preset = 'parit'", "preset is 'parit'; it has to be 'default' or 'parity'"),
        ("[imagery", "is not valid TOML: Expected ']'"),
        ("large = tile", "is not valid TOML"),
        (b"\xff\xfe", "is not text in UTF-8; save it in that encoding"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_valid(text: str | bytes, sentence: str) -> None:
    with pytest.raises(BadInputError) as raised:
        settings_of(text)
    told = str(raised.value)
    assert told.startswith("inputs/minemap.toml")
    assert sentence in told
    assert "\n" not in told
    assert "Input should" not in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[imagery.sources]\nplanet-nicfi = ['archve']", "unknown source 'archve' (did you mean 'archive'?)"),
        ("[training]\nregions = ['aera']", "names 'aera', which is no region (did you mean 'area'?)"),
        ("[imagry]", "has no setting 'imagry'"),
    ],
)
@pytest.mark.parametrize("command", ["status", "run"])
def test_a_mistake_stops_every_command_before_it_starts(
    project: Terminal, command: str, text: str, sentence: str
) -> None:
    project.write(FILE, text)
    answer = project(command)
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert "minemap.toml" in answer.sentence


def test_a_file_from_a_windows_editor_is_read() -> None:
    read = settings_of(b"\xef\xbb\xbf[sites]\r\nmin_pixels = 256\r\n")
    assert read.section(SitesConfig).min_pixels == 256


def test_the_preset_is_only_a_start() -> None:
    parity = settings_of('preset = "parity"')
    assert parity.section(SitesConfig).large == "squeeze"
    rule = parity.section(PolygonsConfig)
    assert (rule.window, rule.holes, rule.min_area_km2) == (1, "all", 0.0)
    assert rule == settings_of('[polygons]\npreset = "parity"').section(PolygonsConfig)
    assert settings_of('preset = "parity"\n[sites]\nlarge = "tile"').section(SitesConfig).large == "tile"
    assert settings_of('preset = "parity"\n[polygons]\nwindow = 2').section(PolygonsConfig).holes == "all"


def test_the_first_year_is_the_projects() -> None:
    assert settings_of().general.first_year == 2016
    assert settings_of("first_year = 2021").general.first_year == 2021
    with pytest.raises(BadInputError, match="first_year is 1999; it has to be at least 2015"):
        settings_of("first_year = 1999")


def test_suggestions_are_similar_words_only() -> None:
    assert suggestion("Planet-nicf", ["planet-nicfi", "sentinel-2-l2a"]) == " (did you mean 'planet-nicfi'?)"
    assert suggestion("landsat", ["planet-nicfi", "sentinel-2-l2a"]) == ""
