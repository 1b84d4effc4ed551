"""Mistakes with commands, options, the environment and files: one sentence each, and an exit code that says so."""

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import LineString, Point, box

from dagster_project.exit_codes import UNEXPECTED
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.project.project import Project
from terminal import Terminal

COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("init",),
    ("demo",),
    ("run",),
    ("promote",),
    *(("model", c) for c in ("import", "export", "list", "promote", "card")),
    ("sources",),
    ("plan",),
    ("imagery", "strip"),
    ("status",),
    ("ui",),
    *(("regions", c) for c in ("add", "list", "check", "retire", "restore", "rename")),
    *(("reference", c) for c in ("add", "add-masks", "fetch", "list", "remove")),
    *(("archive", c) for c in ("index", "list", "remove")),
    *(("sites", c) for c in ("promote", "list")),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_every_command(minemap: Terminal, command: tuple[str, ...]) -> None:
    answer = minemap(*command, "--help")
    assert answer.code == 0
    assert f"Usage: {' '.join(('minemap', *command))}" in answer.out
    assert not minemap.files()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("frobnicate",), "minemap: no such command 'frobnicate'"),
        (("regions", "ad"), "Did you mean 'add'?"),
        (("run", "--zzz"), "no such option: --zzz; `minemap run --help`"),
        (("run", "--forse"), "no such option: --forse (perhaps --force"),
        (("run", "--sample", "0"), "'--sample': it has to be at least 1"),
        (("run", "--sample", "few"), "'--sample': it has to be a whole number"),
        (("regions", "add", "a"), "minemap regions add: missing argument"),
        (("reference", "add", "mines", "mines.gpkg"), "missing option '--licence'"),
        (("demo", "--world", "mars"), "'mars' is not one of 'demo', 'tiny'"),
        (("ui", "--port", "70000"), "'--port': it has to be at most 65535"),
        (("status", "extra"), "extra"),
    ],
)
def test_wrong_words(minemap: Terminal, words: tuple[str, ...], sentence: str) -> None:
    answer = minemap(*words)
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert "--help` shows what it takes" in answer.sentence
    assert "Input should be" not in answer.err


def test_years_after_the_last_one_of_a_project(project: Terminal) -> None:
    project.write("minemap-data/lake/inputs/minemap.toml", "last_year = 2019\n")
    answer = project("status", "--years", "2018-2020")
    assert answer.code == 2
    assert "the project ends in 2019 (`last_year` in its settings); years run from 2016 to 2019" in answer.sentence
    everything = json.loads(project("status", "--select", "imagery/imagery", "--json").out)
    assert {one["keys"]["year"] for one in everything["partitions"]} == {"2016", "2017", "2018", "2019"}


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--years", "2014", "there is no imagery of 2014; years run from 2016 to"),
        ("--years", "2015", "the project begins in 2016 (`first_year` in its settings); years run from 2016 to"),
        ("--years", "2999", "2999 has not begun"),
        ("--years", "2024-2016", "runs backwards; write the earlier year first"),
        ("--years", "abc", "'abc' is not a year or a range; write 2019 or 2016-2024"),
        ("--years", "16-24", "is not a year or a range"),
        ("--years", "2016-2017-2018", "is not a year or a range"),
        ("--years", "", "names no year"),
        ("--regions", "aera", "unknown region 'aera' (did you mean 'area'?)"),
        ("--regions", "AREA", "did you mean 'area'?"),
        ("--regions", ",", "names no region; write slugs such as area"),
        ("--select", "polygon", "neither an asset nor a room (did you mean 'polygons'?)"),
        ("--select", "raw_mask", "did you mean 'raw_masks'?"),
        ("--select", "+", "'+' is not understood; one `+` before a name adds all that it needs"),
        ("--select", ",", "names nothing"),
    ],
)
def test_a_scope_that_is_not_understood(project: Terminal, option: str, value: str, sentence: str) -> None:
    before = project.files()
    answer = project("run", option, value)
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert project.files() == before


def test_status_reads_a_scope_as_run_does(project: Terminal) -> None:
    for option, value in (("--years", "2015"), ("--regions", "aera"), ("--select", "polygon")):
        assert project("status", option, value).sentence == project("run", option, value).sentence


def test_an_empty_folder_is_no_mistake_but_says_what_to_do(minemap: Terminal) -> None:
    for words in (("status",), ("regions", "list"), ("sites", "list")):
        answer = minemap(*words)
        assert answer.code == 0
        assert "has no region yet. Next:" in answer.out
        assert "1. Say what to map: `minemap regions add SLUG FILE`" in answer.out
    assert "No archive yet" in minemap("archive", "list").out
    assert "No reference file yet" in minemap("reference", "list").out
    answer = minemap("run")
    assert (answer.code, "has no region yet; add one with" in answer.sentence) == (2, True)
    assert not minemap.files()


def test_promoting_before_training(project: Terminal) -> None:
    answer = project("promote")
    assert answer.code == 2
    assert "there is no trained model to put in use; train one with `minemap run" in answer.sentence


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("MINEMAP_HOME", "", "MINEMAP_HOME: it is empty; give a folder, or unset it"),
        (
            "MINEMAP_HOME",
            "ftp://x/y",
            "MINEMAP_HOME is 'ftp://x/y', which is neither a folder nor an object store's URL",
        ),
        ("MINEMAP_STATE", " ", "MINEMAP_STATE: it is empty"),
        (
            "MINEMAP_EXECUTOR",
            "multi",
            "MINEMAP_EXECUTOR is 'multi'; it has to be 'in_process', 'multiprocess', 'ray' or 'k8s'",
        ),
        ("MINEMAP_SAMPLE", "few", "MINEMAP_SAMPLE is 'few'; it has to be a whole number"),
        ("MINEMAP_SAMPLE", "0", "MINEMAP_SAMPLE is '0'; it has to be at least 1"),
    ],
)
def test_a_wrong_variable_is_named(minemap: Terminal, variable: str, value: str, sentence: str) -> None:
    minemap.setenv(**{variable: value})
    answer = minemap("status")
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert not minemap.files()


def test_env_file_counts_for_every_command_and_the_environment_comes_first(minemap: Terminal) -> None:
    minemap.write(".env", "MINEMAP_HOME=elsewhere/lake\nMINEMAP_STATE=elsewhere/state\nPL_API_KEY=from-file\n")
    assert minemap("regions", "add", "area", minemap.draw("a.geojson", box(0, 0, 1, 1))).code == 0
    assert (minemap.folder / "elsewhere/lake/inputs/regions.geojson").is_file()
    assert (minemap.folder / "elsewhere/state").is_dir()
    assert not minemap.lake.exists()
    assert os.environ["PL_API_KEY"] == "from-file"
    minemap.setenv(MINEMAP_HOME=str(minemap.folder / "first"))
    assert str(minemap.folder / "first") in minemap("status").out


def test_an_env_file_that_is_no_text(minemap: Terminal) -> None:
    minemap.write(".env", b"\xff\xfe\x00")
    answer = minemap("status")
    assert (answer.code, ".env is not text in UTF-8" in answer.sentence) == (2, True)


def test_an_env_file_with_a_wrong_value(minemap: Terminal) -> None:
    minemap.write(".env", "MINEMAP_EXECUTOR=multi\n")
    assert "MINEMAP_EXECUTOR is 'multi'" in minemap("status").sentence


@pytest.mark.parametrize(
    ("name", "file", "more", "sentence"),
    [
        ("mines", "nowhere.gpkg", (), "nowhere.gpkg does not exist"),
        ("mines", "area.geojson", ("--licence", " "), "mines has no licence"),
        ("My/mines", "area.geojson", (), "cannot name a reference file"),
        ("chips", "area.geojson", (), "chips is the name of another asset"),
        ("validation_points", "area.geojson", (), "holds no point"),
        ("mines", "points.geojson", (), "holds no polygon"),
        ("mines", "area.geojson", ("--role", "label"), "neither `labels` nor `outlines`"),
        ("mines", "area.geojson", ("--column", "iso3"), "write ours=theirs"),
        ("mines", "area.geojson", ("--column", "group=theirs"), "has no column theirs"),
        ("country_boundaries", "area.geojson", ("--role", "labels"), "has no role"),
    ],
)
def test_a_reference_file_that_cannot_be_registered(
    project: Terminal, name: str, file: str, more: tuple[str, ...], sentence: str
) -> None:
    project.draw("points.geojson", Point(0, 0))
    before = project.files()
    answer = project("reference", "add", name, file, "--licence", "CC0-1.0", *more)
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert project.files() == before


def test_reference_files_that_are_not_registered(project: Terminal) -> None:
    assert "nothing is registered as mines" in project("reference", "remove", "mines").sentence
    answer = project("run", "--select", "maus_2022")
    assert answer.code == 1
    assert "`minemap reference add maus_2022 FILE --licence LICENCE`" in answer.sentence
    answer = project("reference", "add-masks", "mines", "nowhere", "--licence", "CC0-1.0")
    assert "nowhere holds no file that matches mask_*.tif" in answer.sentence


@pytest.mark.parametrize("command", [("sites", "promote"), ("regions", "check")])
def test_outlines_that_are_no_outlines(minemap: Terminal, command: tuple[str, ...]) -> None:
    line = minemap.draw("line.geojson", LineString([(0, 0), (1, 1)]))
    assert "is a LineString; give a polygon" in minemap(*command, line).sentence
    assert "does not exist" in minemap(*command, "nowhere.gpkg").sentence
    assert not minemap.files()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("none", "--product", "planet-nicfi"), "is no folder"),
        ((".", "--name", "scenes", "--product", "planet-nicfi"), "holds no file that matches **/*.tif"),
        ((".", "--name", "scenes", "--product", "landsat"), "unknown product 'landsat'; the products are"),
        ((".", "--name", "a/b", "--product", "planet-nicfi"), "cannot name an archive"),
        ((".", "--name", "scenes", "--product", "planet-nicfi", "--files", "no.txt"), "no.txt cannot be read as text"),
        ((".", "--name", "scenes", "--product", "planet-nicfi", "--date", "yesterday"), "'yesterday' is no date"),
        ((".", "--name", "scenes", "--product", "planet-nicfi", "--date-of", "x"), "write file-or-folder=2016-12-09"),
        ((".", "--name", "scenes", "--product", "planet-nicfi", "--bands", "blue,violet"), "has no band violet"),
        (("https://example.com/x", "--product", "planet-nicfi"), "cannot be listed"),
    ],
)
def test_an_archive_that_cannot_be_added(minemap: Terminal, words: tuple[str, ...], sentence: str) -> None:
    answer = minemap("archive", "index", *words)
    assert (answer.code, sentence in answer.sentence) == (2, True), answer.err
    assert not minemap.files()


def raster(path: Path, *, count: int = 4, crs: str | None = "EPSG:32630") -> Path:
    path.parent.mkdir(exist_ok=True)
    numbers = np.random.default_rng(0).integers(1, 5000, (count, 256, 256)).astype("uint16")
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": count, "dtype": "uint16", "crs": crs}
    with rasterio.open(path, "w", **profile, transform=from_origin(5e5, 7e5, 10, 10), tiled=True) as target:
        target.write(numbers)
    return path


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("crs", "has no coordinate reference system"),
        ("bands", "has 3 bands where 4 were named"),
        ("cut", "is cut off"),
        ("text", "is not a TIFF file"),
        ("date", "says no date in its name"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_an_image_that_cannot_be_used(minemap: Terminal, fault: str, sentence: str, beside: bool) -> None:
    folder = minemap.folder / "scenes"
    name = "scene.tif" if fault == "date" else "scene_20190715.tif"
    path = raster(folder / name, count=3 if fault == "bands" else 4, crs=None if fault == "crs" else "EPSG:32630")
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:9000])
    if fault == "text":
        path.write_text("no image")
    if beside:
        raster(folder / "good_20190716.tif")
    words = ("archive", "index", "scenes", "--product", "sentinel-2-l2a", "--bands", "blue,green,red,nir")
    answer = minemap(*words)
    told = next(line for line in answer.err.splitlines() if line.startswith("left out "))
    assert f"left out {name}: " in told
    assert sentence in told
    if beside:
        assert answer.code == 0
        assert "Added archive scenes: 1 image, 1 file left out." in answer.out
    else:
        assert answer.code == 2
        assert "holds no image that can be used" in answer.sentence
        assert not minemap.files()


def test_a_damaged_list_of_archives(minemap: Terminal) -> None:
    minemap.write("minemap-data/lake/inputs/archive/roots.json", "[1")
    assert "roots.json cannot be read" in minemap("archive", "list").sentence
    minemap.write("minemap-data/lake/inputs/archive/roots.json", '{"scenes": "/nowhere"}')
    assert "scenes.geojson is gone; make it again" in minemap("archive", "list").sentence


def test_a_damaged_file_of_promoted_sites(project: Terminal) -> None:
    project.write("minemap-data/lake/inputs/promoted_sites.geojson", "junk")
    assert "is not a GeoJSON FeatureCollection" in project("sites", "promote", "area.geojson").sentence


def test_a_damaged_catalogue(project: Terminal) -> None:
    project.write("minemap-data/lake/inputs/reference/catalogue.json", "junk")
    for words in (("status",), ("reference", "list"), ("run",)):
        assert "catalogue.json cannot be read" in project(*words).sentence


def test_the_demo_never_writes_over_another_project(project: Terminal) -> None:
    before = project.files()
    regions = (project.lake / "inputs" / "regions.geojson").read_bytes()
    answer = project("demo", "--world", "tiny")
    assert answer.code == 2
    assert "holds another project (inputs/regions.geojson); set MINEMAP_HOME and MINEMAP_STATE" in answer.sentence
    assert (project.lake / "inputs" / "regions.geojson").read_bytes() == regions
    assert project.files() == before


def test_a_port_in_use(minemap: Terminal) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = minemap("ui", "--port", str(port))
    assert (answer.code, f"port {port} is in use on 127.0.0.1" in answer.sentence) == (2, True)
    assert "choose others with --host and --port" in minemap("ui", "--host", "not.a.host.invalid").sentence


def test_a_pilot_never_takes_sites_away(project: Terminal) -> None:
    lake = Lake.at(str(project.lake), project.folder / "minemap-data" / "state")
    with lake.writer(PartitionRef("sites", "sites", ("area",)), "x") as writer:
        writer.commit("1", {}, Outcome({"sites": 12}))
    answer = project("run", "--sample", "3")
    assert answer.code == 2
    assert "region area has 12 sites already, and a pilot on 3 would take the others away" in answer.sentence


def test_what_nobody_expected_is_one_sentence_and_a_log(
    project: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unforeseen(_: Project) -> None:
        raise IsADirectoryError("nobody expects this")

    monkeypatch.setattr(Project, "active_regions", unforeseen)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = project("status")
    assert answer.code == UNEXPECTED
    assert "minemap met something it does not expect (IsADirectoryError" in answer.sentence
    log = Path(answer.sentence.rsplit(" ", 1)[1])
    assert "Traceback" in log.read_text()
    project.setenv(MINEMAP_DEBUG="1")
    assert "Traceback" in project("status").err
