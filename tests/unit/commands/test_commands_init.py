"""`minemap init` with options: a project that is ready to run, or one sentence and nothing written."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from minemap_assets.chips.config import ChipsConfig
from minemap_assets.errors import BadInputError, StorageError
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.rules import product_of
from minemap_assets.lake.inputs import Inputs
from minemap_assets.planning.expected_sites import expected_sites, labelled_groups, registered_sets
from minemap_assets.planning.source_settings import WIDE
from minemap_assets.project.project import Project
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.verdict import FEWEST_GROUPS
from minemap_assets.sites.config import SitesConfig
from projects import project_at
from small_archive import mine, write_images, write_masks
from terminal import AREA, Answer, Terminal

OWN = ("--source", "archive", "--images", "pictures", "--product", "sentinel-2-l1c", "--year", "2021")
BANDS = ("--bands", "blue,green,red,nir")
LICENCE = ("--licence", "CC0 1.0")


def opened(minemap: Terminal) -> Project:
    return project_at(minemap.lake, minemap.folder / "minemap-data" / "state")


def written(minemap: Terminal) -> dict[str, Any]:
    """Every setting that is not the default."""
    return tomllib.loads((minemap.lake / SETTINGS_PATH).read_text())


def imagery(minemap: Terminal) -> ImageryConfig:
    return opened(minemap).section(ImageryConfig)


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def mapped_by(minemap: Terminal, years: range) -> list[str | None]:
    project = opened(minemap)
    region = project.region("area")
    found: list[str | None] = []
    for year in years:
        try:
            found.append(product_of(project, region, year))
        except BadInputError:
            found.append(None)
    return found


def test_open_catalogues_serve_every_year_without_an_account(minemap: Terminal) -> None:
    answer = done(
        minemap("init", "--source", "stac", "--region", minemap.draw("area.geojson", AREA), "--season", "6-9")
    )
    assert "no account is needed" in answer.out
    assert "more than 20 GB fetches nothing" in answer.out
    assert mapped_by(minemap, range(2017, 2027)) == ["sentinel-2-l2a"] * 10
    project, config = opened(minemap), imagery(minemap)
    assert (project.first_year, config.reference_products) == (2017, ("sentinel-2-l2a",))
    assert config.sources["sentinel-2-l2a"] == ("stac",)
    assert (config.budget.gigabytes, project.region("area").season) == (20.0, (6, 9))
    assert (project.section(SitesConfig).min_pixels, project.section(ChipsConfig).size) == (WIDE, WIDE)
    assert "1. Register known mines and country borders" in answer.out
    assert "`minemap doctor`" in answer.out
    assert "archive index" not in answer.out


def test_a_project_that_names_no_source_begins_with_open_catalogues(minemap: Terminal) -> None:
    done(minemap("init", "--region", minemap.draw("area.geojson", AREA)))
    imagery = written(minemap)["imagery"]
    assert imagery["products"] == [{"product": "sentinel-2-l2a"}], "said, so that no other default ever changes it"
    assert imagery["sources"] == {"sentinel-2-l2a": ["stac"]}
    assert imagery["reference_products"] == ["sentinel-2-l2a"]


def test_basemaps_end_and_open_images_go_on(minemap: Terminal) -> None:
    answer = done(minemap("init", "--source", "planet", "--region", minemap.draw("area.geojson", AREA)))
    assert mapped_by(minemap, range(2023, 2027)) == ["planet-nicfi"] * 2 + ["sentinel-2-l2a"] * 2
    config = imagery(minemap)
    assert config.sources["planet-nicfi"] == ("planet-basemaps",)
    assert config.sources["sentinel-2-l2a"] == ("stac",)
    assert config.reference_products == ("planet-nicfi", "sentinel-2-l2a")
    assert opened(minemap).section(ChipsConfig) == ChipsConfig()
    assert "The programme gave access until January 2025" in answer.out


def test_earth_engine_is_charged_to_the_project_that_is_named(minemap: Terminal) -> None:
    area = minemap.draw("area.geojson", AREA)
    done(minemap("init", "--source", "earth-engine", "--account", "my-cloud", "--region", area))
    assert written(minemap)["sources"]["earth_engine"]["project"] == "my-cloud"
    assert imagery(minemap).sources["sentinel-2-l2a"] == ("earth-engine",)
    assert opened(minemap).first_year == 2019


def test_the_simulated_world_brings_all_that_a_run_needs(minemap: Terminal) -> None:
    answer = done(minemap("init", "--source", "simulated", "--quick"))
    assert "`minemap run --years" in answer.out
    assert opened(minemap).active_regions()
    refused = minemap("init", "--source", "simulated", "--region", "area.geojson")
    assert (refused.code, "brings a region, mines and images of its own" in refused.sentence) == (2, True)


def test_own_images_and_masks_are_a_project(minemap: Terminal) -> None:
    write_images(minemap.folder / "pictures", 2, bands=3)
    write_masks(minemap.folder / "masks", 2)
    bands = ("--bands", "blue,green,red")
    answer = done(minemap("init", *OWN, *bands, "--truth", "masks", *LICENCE, "--title", "My Mines", "--season", "3-5"))
    project, config = opened(minemap), imagery(minemap)
    assert mapped(config) == {"sentinel-2-l1c": (2021, 2021)}
    assert (project.first_year, config.reference_year, config.reference_products) == (2021, 2021, ("sentinel-2-l1c",))
    assert config.sources["sentinel-2-l1c"] == ("archive",)
    assert config.bands["sentinel-2-l1c"] == ("blue", "green", "red")
    assert written(minemap)["chips"]["bands"] == ["blue", "green", "red"]
    region = project.region("my-mines")
    assert (region.title, region.season) == ("My Mines", (3, 5))
    assert all(region.geometry.contains(mine(number)) for number in (0, 1))
    assert 70 < region.area_km2 < 90
    for words in ("masks is registered (2 features", "2 images of sentinel-2-l1c", "within 3 km of the known mines"):
        assert words in answer.out
    assert "1. Register country borders: `minemap reference fetch country_boundaries`" in answer.out
    assert "then `minemap run`." in answer.out
    assert list(project.years()) == [2021]
    assert not answer.err or "Error" not in answer.err


def mapped(config: ImageryConfig) -> dict[str, tuple[int | None, int | None]]:
    return {period.product: (period.first, period.until) for period in config.products}


def test_windows_beyond_small_images_lower_what_has_to_be_seen(minemap: Terminal) -> None:
    write_images(minemap.folder / "pictures", 2)
    small, large = mine(0), mine(1, metres=3500.0)
    truth = minemap.draw("mines.geojson", small, large)
    answer = done(minemap("init", *OWN, *BANDS, "--truth", truth, *LICENCE))
    # the large mine's window is twice as wide as the mine, and the image hardly wider than that
    assert imagery(minemap).min_clear_fraction == pytest.approx(0.25)
    assert "The windows of 1 of 2 sites reach far beyond your images" in answer.out


def test_a_region_of_its_own_is_taken_as_it_is(minemap: Terminal) -> None:
    write_images(minemap.folder / "pictures")
    area, truth = (
        minemap.draw("north.geojson", mine(0).buffer(0.1)),
        minemap.draw("mines.geojson", box(10, 1, 10.1, 1.1)),
    )
    answer = done(minemap("init", *OWN, *BANDS, "--region", area, "--truth", truth, *LICENCE))
    assert list(opened(minemap).regions) == ["north"]
    assert "no polygon of mines lies in region north" in answer.err


def test_more_places_are_held_out_where_the_usual_share_could_judge_no_model(minemap: Terminal) -> None:
    mines = [box(10 + n, 2, 10.002 + n, 2.002) for n in range(12)]
    truth = minemap.draw("mines.geojson", *mines)
    answer = done(minemap("init", "--source", "stac", "--truth", truth, *LICENCE))
    project = opened(minemap)
    config = project.section(ChipsConfig)
    assert config.test_share > ChipsConfig().test_share
    assert f"held out to judge the model by: {config.test_share:.0%} of them instead of 15%" in answer.out
    sites = expected_sites(project, project.region("mines"), registered_sets(project))
    assert labelled_groups([sites], config)["test"] >= FEWEST_GROUPS > labelled_groups([sites], ChipsConfig())["test"]


def test_quick_sets_a_small_model(minemap: Terminal) -> None:
    done(minemap("init", "--quick"))
    settings = written(minemap)["segmentation"]
    assert settings["steps"] < 200
    assert settings["recipe"] == "small", "whatever the number of labelled sites"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--source", "landsat"), "'landsat' is not one of"),
        (("--source", "archive"), "--source archive reads files of your own; give their folder with --images FOLDER"),
        ((*OWN, "--source", "stac"), "which --source stac does not read"),
        (("--source", "archive", "--images", "nowhere"), "nowhere is no folder"),
        ((*OWN, *BANDS, "--images", "other/pictures"), "two folders would both be the archive pictures"),
        (("--year", "2021"), "--year is about images; give their folder with --images"),
        ((*OWN, *BANDS, "--product", "sentinel-3"), "unknown product 'sentinel-3'"),
        ((*OWN, "--bands", "blue,green"), "holds no image that can be used"),
        ((*OWN, *BANDS, "--reference-year", "2019"), "no image is of 2019"),
        (("--source", "stac", "--account", "x"), "add --source earth-engine"),
        (("--truth", "mines.geojson"), "--truth needs its licence"),
        (("--truth", "mines.geojson", "--licence", " "), "--truth needs its licence"),
        (LICENCE, "--licence is that of known mines; give them with --truth"),
        (("--title", "Here"), "--title is about a region"),
        (("--season", "6-11"), "--season is about a region"),
        (("--truth", "points.geojson", *LICENCE), "holds no polygon; give outlines of mines"),
        (("--truth", "pictures", *LICENCE), "has a pixel of a mine (value 1)"),
        (("--truth", "mines.geojson", *LICENCE, "--region", "absent.gpkg"), "absent.gpkg does not exist"),
        (("--truth", "mines.geojson", *LICENCE, "--region", "points.geojson"), "give a polygon"),
        (("--truth", "world.geojson", *LICENCE), "say what to map with --region FILE"),
        (("--truth", "mines.geojson", *LICENCE, "--season", "13-14"), "is not two months"),
        ((*OWN[:-2], *BANDS, "--truth", "mines.geojson", *LICENCE), "no date"),
        (("--truth", "mines.geojson", *LICENCE, "--region", "dot.geojson"), "less than any mine"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    minemap: Terminal, words: tuple[str, ...], sentence: str
) -> None:
    write_images(minemap.folder / "pictures")
    minemap.draw("mines.geojson", mine(0))
    minemap.draw("points.geojson", mine(0).centroid)
    minemap.draw("dot.geojson", mine(0, metres=3.0))
    minemap.draw("world.geojson", *(box(x, 0, x + 10, 10) for x in range(-60, 60, 20)))
    answer = minemap("init", *words)
    assert (answer.code, sentence in answer.err) == (2, True), answer.err
    assert len([line for line in answer.err.splitlines() if line.startswith("Error: ")]) == 1
    assert not minemap.files() - {"lake.json"}


def test_images_of_other_months_than_the_season_are_refused(minemap: Terminal) -> None:
    names = [f"S2A_MSIL1C_2021{month}05T102031_N0301_R065_T30NYN_2021{month}05T122843.tif" for month in ("01", "02")]
    write_images(minemap.folder / "pictures", 2, names=names)
    answer = minemap("init", *OWN[:-4], *BANDS, "--product", "sentinel-2-l1c", "--truth", "mines.geojson", *LICENCE)
    assert answer.code == 2
    minemap.draw("mines.geojson", mine(0))
    words = ("init", *OWN[:-4], *BANDS, "--truth", "mines.geojson", *LICENCE)
    assert (
        "no image lies in the season of months 6 to 11: they are of 2021-01-05 to 2021-02-05"
        in minemap(*words).sentence
    )
    done(minemap(*words, "--season", "1-3"))
    assert imagery(minemap).reference_year == 2021


def test_what_broke_off_is_completed_by_the_same_command(minemap: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(minemap.folder / "pictures")
    words = ("init", *OWN, *BANDS, "--truth", minemap.draw("mines.geojson", mine(0)), *LICENCE)
    change = Inputs.change

    def full(self: Inputs, path: str, *rest: Any) -> Any:
        if path == SETTINGS_PATH:
            raise StorageError("the disk is full; free some space")
        return change(self, path, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(Inputs, "change", full)
        assert minemap(*words).code == 1
    assert SETTINGS_PATH not in minemap.files()
    done(minemap(*words))
    once = {name: (minemap.lake / name).read_bytes() for name in minemap.files()}
    again = done(minemap(*words))
    assert "registered already, nothing changed" in again.out
    assert {name: (minemap.lake / name).read_bytes() for name in minemap.files()} == once
    assert list(opened(minemap).regions) == ["mines"]


def test_a_project_that_exists_gets_what_it_lacks_and_is_never_turned_over(minemap: Terminal) -> None:
    done(minemap("init"))
    before = (minemap.lake / SETTINGS_PATH).read_bytes()
    refused = minemap("init", "--source", "stac", "--region", minemap.draw("area.geojson", AREA))
    assert (refused.code, "exists already and says otherwise" in refused.sentence) == (2, True)
    assert not opened(minemap).regions
    done(
        minemap(
            "init", "--region", "area.geojson", "--truth", minemap.draw("mines.geojson", AREA.buffer(-0.1)), *LICENCE
        )
    )
    assert list(opened(minemap).regions) == ["area"]
    assert (minemap.lake / SETTINGS_PATH).read_bytes() == before
    other = minemap.draw("other.geojson", box(20, 1, 20.2, 1.2))
    Path(minemap.folder / "area.geojson").write_text((minemap.folder / other).read_text())
    assert "there is a region area already" in minemap("init", "--region", "area.geojson").sentence
    held = json.loads((minemap.lake / "inputs/regions.geojson").read_text())["features"]
    assert len(held) == 1
