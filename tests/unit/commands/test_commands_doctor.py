"""`minemap doctor`: every fault of a project, in a project that has exactly that fault."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import pytest
from shapely.geometry import Point, Polygon, box

from dagster_project import machine_readiness
from dagster_project.environment import Environment
from minemap_assets.imagery.costs import Cost
from minemap_assets.imagery.sources.archive.catalogue import ROOTS_PATH
from minemap_assets.lake.store import LocalStore
from minemap_assets.planning.estimates import Estimate, Line
from minemap_assets.planning.findings import Finding, Level
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation import training_readiness
from minemap_assets.segmentation.config import SegmentationConfig
from small_archive import mine, write_images
from terminal import Terminal

ENOUGH = 24
"""Mines, of which three or more are held out and a model can be judged."""

OWN = ("--source", "archive", "--images", "pictures", "--product", "sentinel-2-l1c", "--year", "2021")
INIT = ("init", *OWN, "--bands", "blue,green,red,nir", "--licence", "CC0 1.0")
USUAL = ("Python", "Dagster", "torch", "MINEMAP_HOME", "MINEMAP_STATE")


class Sick:
    """A project with own images of 2021, and whatever a test takes from it."""

    def __init__(self, minemap: Terminal) -> None:
        self.minemap = minemap

    def begin(self) -> "Sick":
        """The project with many mines in its one image, with borders and points."""
        minemap = self.minemap
        write_images(minemap.folder / "pictures")
        minemap.draw("mines.geojson", *scattered(ENOUGH))
        minemap.draw("area.geojson", mine(0, metres=4000.0))
        assert minemap(*INIT, "--region", "area.geojson", "--truth", "mines.geojson").code == 0
        whole = mine(0).buffer(2.0)
        frame = gpd.GeoDataFrame({"iso3": ["XAA"], "name": ["Here"]}, geometry=[whole], crs="EPSG:4326")
        frame.to_file(minemap.folder / "borders.geojson")
        points = gpd.GeoDataFrame(
            {"point_id": ["1"], "year": [2021], "label": ["mine"]}, geometry=[mine(0).centroid], crs="EPSG:4326"
        )
        points.to_file(minemap.folder / "points.geojson")
        self.register("country_boundaries", "borders.geojson")
        self.register("validation_points", "points.geojson")
        return self

    def copied(self, made: Path) -> "Sick":
        """The project that `begin` made, here."""
        folder = self.minemap.folder
        shutil.copytree(made, folder, dirs_exist_ok=True)
        roots = self.minemap.lake / ROOTS_PATH
        roots.write_text(roots.read_text().replace(str(made), str(folder)))
        return self

    def register(self, name: str, file: str) -> None:
        answer = self.minemap("reference", "add", name, file, "--licence", "CC0 1.0")
        assert answer.code == 0, answer.err

    def change(self, before: str, after: str) -> "Sick":
        """Another setting."""
        path = self.minemap.lake / SETTINGS_PATH
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        return self

    def found(self, *words: str, code: int) -> list[Finding]:
        """What the doctor finds beside this machine."""
        answer = self.minemap("doctor", "--json", *words)
        assert answer.code == code, answer.out + answer.err
        rows = json.loads(answer.out)["findings"]
        every = [Finding(Level(row["level"]), row["what"], row["advice"]) for row in rows]
        return [one for one in every if not one.what.startswith(USUAL)]

    def faults(self, *words: str, code: int) -> dict[str, str]:
        """Level and sentence of all that is not well."""
        return {one.sentence: one.level.value for one in self.found(*words, code=code) if one.level is not Level.OK}


def scattered(count: int) -> list[Polygon]:
    """Small mines around the middle of the first image, a row of them; each has a window of its own overlap."""
    west, south, _, _ = mine(0).bounds
    return [box(west + 0.0004 * n, south, west + 0.0004 * n + 0.0003, south + 0.0003) for n in range(count)]


_made: list[Path] = []
"""Where the healthy project lies that tests copy."""


@pytest.fixture
def bare(minemap: Terminal) -> Sick:
    """An empty folder."""
    return Sick(minemap)


@pytest.fixture
def sick(bare: Sick, tmp_path_factory: pytest.TempPathFactory) -> Sick:
    """A healthy project, for a test to take something from."""
    if not _made:
        folder = tmp_path_factory.mktemp("healthy") / "project"
        shutil.copytree(bare.begin().minemap.folder, folder)
        roots = folder / "minemap-data" / "lake" / ROOTS_PATH
        roots.write_text(roots.read_text().replace(str(bare.minemap.folder), str(folder)))
        _made.append(folder)
        return bare
    return bare.copied(_made[0])


def one(faults: dict[str, str]) -> tuple[str, str]:
    assert len(faults) == 1, faults
    ((sentence, level),) = faults.items()
    return level, sentence


def test_a_healthy_project_has_nothing_but_the_doubt_of_one_place(sick: Sick) -> None:
    found = sick.found("--years", "2021", code=0)
    told = " ".join(item.sentence for item in found)
    for words in (
        f"sites: {ENOUGH} reference",
        "products: sentinel-2-l1c for 2021",
        "source archive: 1 images of sentinel-2-l1c indexed",
        "country borders are registered",
        "validation points are registered",
        "GB of disk are free",
    ):
        assert words in told
    level, sentence = one(sick.faults("--years", "2021", code=0))
    assert level == "doubt"
    assert "labelled mines lie in 1 place, of which about 0 will be held out" in sentence
    assert "the model cannot be judged" in sentence


def test_places_apart_are_counted_and_few_are_in_doubt(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    minemap = sick.minemap
    far = [box(10 + n, 1, 10.002 + n, 1.002) for n in range(ENOUGH)]
    sick.register("far", minemap.draw("far.geojson", *far))
    assert minemap("regions", "add", "wide", minemap.draw("wide.geojson", *(b.buffer(0.05) for b in far))).code == 0
    sick.change("# test_share = 0.15", "test_share = 0.25")
    told = [item for item in sick.found("--years", "2021", code=1) if "held out" in item.what]
    assert [item.level for item in told] == [Level.OK]
    assert told[0].what.startswith(f"labelled mines lie in {ENOUGH + 1} places, of which ")
    monkeypatch.setattr(training_readiness, "FEW_PLACES", ENOUGH + 2)
    (few,) = [item for item in sick.found("--years", "2021", code=1) if "labelled mines" in item.what]
    assert (few.level, f"{ENOUGH + 1} places only: expect a weak model" in few.what) == (Level.DOUBT, True)


def test_years_without_a_product(sick: Sick) -> None:
    faults = sick.change("last_year = 2021", "").faults("--years", "2021-2023", code=1)
    (sentence,) = [s for s, level in faults.items() if level == "wrong"]
    assert "region area: no product is set for 2022-2023; leave them out with `--years 2021`" in sentence


def test_years_without_an_image(sick: Sick) -> None:
    sick.change("until = 2021", "until = 2022").change("last_year = 2021", "")
    (sentence,) = [s for s, level in sick.faults("--years", "2021-2022", code=1).items() if level == "wrong"]
    assert "no image of sentinel-2-l1c in 2022 is indexed, and no other source is named" in sentence
    assert "`--years 2021`" in sentence


def test_labels_of_a_year_without_images(sick: Sick) -> None:
    sick.change("reference_year = 2021", "reference_year = 2020")
    (sentence,) = [s for s, level in sick.faults("--years", "2021", code=1).items() if level == "wrong"]
    assert "no image of sentinel-2-l1c, the year of the labels (2020) is indexed" in sentence


def test_a_source_without_access(sick: Sick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sick.minemap.folder))
    for variable in ("PL_API_KEY", "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    sick.change('product = "sentinel-2-l1c"', 'product = "planet-nicfi"')
    sick.change('# planet-nicfi = ["archive"]', 'planet-nicfi = ["planet-basemaps"]')
    sick.change('reference_products = ["sentinel-2-l1c"]', 'reference_products = ["planet-nicfi"]')
    (sentence,) = [s for s, level in sick.faults("--years", "2021", code=1).items() if level == "wrong"]
    assert "source planet-basemaps does not work" in sentence
    assert "PL_API_KEY" in sentence
    assert "planet-nicfi cannot be had" in sentence


def test_an_archive_that_is_gone(sick: Sick) -> None:
    minemap = sick.minemap
    shutil.rmtree(minemap.folder / "pictures")
    (sentence,) = [s for s, level in sick.faults("--years", "2021", code=1).items() if level == "wrong"]
    assert "the folder of pictures is gone; mount it" in sentence


def test_bands_that_are_not_stored_and_bands_that_no_image_has(sick: Sick) -> None:
    sick.change('bands = ["blue", "green", "red", "nir"]\n', 'bands = ["blue", "green", "red", "swir16"]\n')
    wrong = [s for s, level in sick.faults("--years", "2021", code=1).items() if level == "wrong"]
    assert any("the model reads swir16, which is not stored of sentinel-2-l1c" in s for s in wrong)
    sick.change(
        'sentinel-2-l1c = ["blue", "green", "red", "nir"]', 'sentinel-2-l1c = ["blue", "green", "red", "swir16"]'
    )
    (sentence,) = [s for s, level in sick.faults("--years", "2021", code=1).items() if level == "wrong"]
    assert "no image of sentinel-2-l1c has all of blue, green, red, swir16" in sentence
    assert "to what they have: blue, green, red" in sentence


def test_windows_that_the_images_do_not_show(sick: Sick) -> None:
    minemap = sick.minemap
    # at the corner of the image, and far away from it
    edge, away = mine(0, metres=4000.0).exterior.coords[0], (10.0, 1.0)
    shapes = [Point(place).buffer(0.001) for place in (edge, away)]
    sick.register("more", minemap.draw("more.geojson", *shapes))
    assert minemap("regions", "add", "wide", minemap.draw("wide.geojson", *(s.buffer(0.01) for s in shapes))).code == 0
    faults = sick.faults("--regions", "wide", "--years", "2021", code=1)
    grave = [s for s, level in faults.items() if level == "wrong"]
    assert len(grave) == 2, faults
    assert all(
        "region wide" in s and s.endswith("or raise max_unobserved_share under [imagery] of the settings")
        for s in grave
    )
    assert "the images show less than 50% of the windows of 1 of 2 sites" in grave[0]
    assert "no image shows 1 of 2 sites" in grave[1]
    sick.change("[imagery]\n", "[imagery]\nmax_unobserved_share = 1.0\n")
    listed = [s for s in sick.faults("--regions", "wide", "--years", "2021", code=0) if "region wide" in s]
    assert sum(s.endswith("they will be listed as not observed") for s in listed) == 2


def test_a_region_without_a_known_mine(sick: Sick) -> None:
    minemap = sick.minemap
    assert minemap("regions", "add", "empty", minemap.draw("empty.geojson", box(20, 1, 20.1, 1.1))).code == 0
    faults = sick.faults("--regions", "empty", "--years", "2021", code=1)
    assert any("region empty: no known mine lies in it (looked in mines)" in s for s in faults)


def test_mines_that_teach_nothing(bare: Sick) -> None:
    """Promoted outlines are mapped, but a model needs labels."""
    minemap = bare.minemap
    write_images(minemap.folder / "pictures")
    minemap.draw("area.geojson", mine(0, metres=4000.0))
    assert minemap(*INIT[:-2], "--region", "area.geojson").code == 0
    (unknown,) = [s for s in bare.faults("--years", "2021", code=1) if "no known mines are registered" in s]
    assert "`minemap reference fetch maus_2022`" in unknown
    assert minemap("sites", "promote", minemap.draw("mine.geojson", mine(0))).code == 0
    (sentence,) = [s for s in bare.faults("--years", "2021", code=1) if "no model can be trained" in s]
    assert "(promoted outlines are mapped, and teach nothing)" in sentence


def test_borders_are_needed_and_points_are_missed(sick: Sick) -> None:
    minemap = sick.minemap
    for name in ("country_boundaries", "validation_points"):
        assert minemap("reference", "remove", name).code == 0
    faults = sick.faults("--years", "2021", code=1)
    assert [s for s, level in faults.items() if level == "wrong"] == [
        "no country borders are registered, which polygons and all tables need; `minemap reference fetch "
        "country_boundaries` takes the published ones"
    ]
    assert any("no validation points are registered" in s and level == "doubt" for s, level in faults.items())


def test_an_empty_folder_is_told_where_to_begin(minemap: Terminal) -> None:
    answer = minemap("doctor")
    assert answer.code == 1
    for words in ("wrong no region yet; say what to map", "wrong no known mines are registered", "which will be made"):
        assert words in answer.out
    assert "4 to mend" not in answer.out
    assert "3 to mend before a run, 1 in doubt." in answer.out
    assert not minemap.files()


def test_a_registered_file_that_is_gone_is_a_finding(sick: Sick) -> None:
    minemap = sick.minemap
    for path in minemap.lake.glob("inputs/reference/mines/*/*"):
        path.unlink()
    faults = sick.faults("--years", "2021", code=1)
    assert any("is gone; register mines again" in s and level == "wrong" for s, level in faults.items())


def test_a_source_that_is_named_and_does_not_work_ends_with_an_error(sick: Sick) -> None:
    assert sick.minemap("sources", "archive").code == 0
    shutil.rmtree(sick.minemap.folder / "pictures")
    assert sick.minemap("sources", "archive").code == 1
    answer = sick.minemap("sources", "archive", "--json")
    (row,) = json.loads(answer.out)
    assert (answer.code, row["name"], row["works"]) == (1, "archive", False)


def test_different_versions_of_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_readiness, "version", lambda name: {"dagster": "1.13.1"}.get(name, "1.12.0"))
    (found,) = [item for item in machine_readiness.version_findings() if item.level is Level.WRONG]
    assert "dagster is 1.13.1 and dagster-webserver 1.12.0" in found.what


def test_a_gpu_that_is_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = machine_readiness.device_findings(SegmentationConfig(device="cuda"), Environment())
    assert (found.level, "torch sees no GPU" in found.what) == (Level.WRONG, True)
    (found,) = machine_readiness.device_findings(SegmentationConfig(), Environment(executor="multiprocess"))
    assert (found.level, "executor multiprocess" in found.what) == (Level.OK, True)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    environment = Environment(state=Path("/proc/minemap"))
    found = list(machine_readiness.folder_findings(environment, LocalStore(tmp_path / "lake")))
    assert [item.level for item in found] == [Level.OK, Level.WRONG]
    assert "MINEMAP_STATE is /proc/minemap, where nothing can be written" in found[1].what


@pytest.mark.parametrize(
    ("free_gb", "level", "words"),
    [
        (8.0, Level.WRONG, "and this run needs about 10 GB"),
        (11.0, Level.DOUBT, "and this run needs about 10.0 GB"),
        (50.0, Level.OK, "this run needs about 10.0 GB"),
    ],
)
def test_a_disk_that_will_be_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, level: Level, words: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gb * 1e9))
    need = Estimate((Line("stac", "sentinel-2-l2a", Cost(stored_bytes=9_000_000_000)),), 0, 1_000_000_000, ())
    (found,) = machine_readiness.disk_findings(Environment(state=tmp_path), LocalStore(tmp_path), need)
    assert (found.level, words in found.what) == (level, True), found
