"""The report of a project that has almost nothing: every section is there, and says what is missing and what to do."""

import errno
import re
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.reader import SiteImage
from minemap_assets.publication.folder_swap import copy_file
from minemap_assets.publication.report.document import Figure
from minemap_assets.publication.report.site_facts import SIDE, SiteFacts
from minemap_assets.publication.report.site_pictures import beside
from parsing import option_names
from terminal import Terminal

SECTIONS = ("accuracy", "summary", "figures", "tables", "validation", "missing", "versions", "words", "sites")

COMMAND = re.compile(r"<code>minemap ([^<]+)</code>")


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_project_with_a_region_alone_has_a_whole_report_that_says_what_to_do(project: Terminal) -> None:
    answer = project("report", "--to", "out")
    assert answer.code == 0
    assert "no model in use" in answer.out
    page = page_of(project.folder / "out")
    assert re.findall(r'<section id="(\w+)"', page) == list(SECTIONS)
    for sentence in (
        "No model in use.",
        "There are no scores on held-out ground",
        "No year was mapped yet",
        "There is no sweep over thresholds at labelled points",
        "No area was estimated from labelled points",
        "What a swap of products does to the series was not measured",
        "There are no sites yet",
        "area has no sites",
        "not made",
    ):
        assert sentence in page, sentence
    told = set(COMMAND.findall(page))
    assert {"run", "sample draw", "promote"} <= told
    for words in told:
        options, known = option_names(tuple(words.split()))
        assert set(options) <= known, words


def test_it_is_made_anew_only_where_something_changed(project: Terminal) -> None:
    assert "report made" in project("report").out
    assert "report kept" in project("report").out
    assert page_of(project.folder / "minemap-data" / "state" / "report")
    project("regions", "add", "other", "area.geojson", "--title", "<b>Other</b> & more")
    assert "report made" in project("report").out
    page = page_of(project.folder / "minemap-data" / "state" / "report")
    assert "&lt;b&gt;Other&lt;/b&gt; &amp; more has no sites" in page


def test_a_folder_with_other_things_in_it_is_left_alone(project: Terminal) -> None:
    kept = project.write("mine/report.html", "<h1>my own report</h1>")
    answer = project("report", "--to", "mine")
    assert answer.code == 2
    assert "is not empty and holds no earlier report" in answer.sentence
    assert kept.read_text() == "<h1>my own report</h1>"
    project.write("file", "text")
    assert "is a file; name a folder with --to" in project("report", "--to", "file").sentence


def test_the_page_opens_in_the_browser_and_a_machine_without_one_is_told_of(
    project: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) is None)
    assert project("report", "--to", "out", "--open").code == 0
    assert opened == [(project.folder / "out" / "report.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert "no browser was found" in project("report", "--to", "out", "--open").sentence


def test_what_an_earlier_report_left_goes_and_other_files_stay(project: Terminal) -> None:
    project("report", "--to", "out")
    stale, own = project.write("out/sites/old.html", "x"), project.write("out/sites/notes.txt", "x")
    project("report", "--to", "out")
    assert (stale.exists(), own.exists()) == (False, True)


def test_a_copy_that_stops_half_way_leaves_the_earlier_report(
    project: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    project("report", "--to", "out")
    before = {path: path.read_bytes() for path in (project.folder / "out").rglob("*") if path.is_file()}
    assert before
    full = OSError(errno.ENOSPC, "No space left on device")

    def stopped(source: Path, folder: Path, name: str) -> None:
        if name.startswith("tables/"):
            raise full
        copy_file(source, folder, name)

    monkeypatch.setattr("dagster_project.commands.reporting.copy_file", stopped)
    answer = project("report", "--to", "out")
    assert answer.code != 0
    assert "is full" in answer.sentence
    assert {path: path.read_bytes() for path in (project.folder / "out").rglob("*") if path.is_file()} == before
    assert not [path.name for path in project.folder.iterdir() if path.name.startswith(".out")]


def image(bands: tuple[str, ...] = ("blue", "green", "red", "nir")) -> SiteImage:
    pixels = np.random.default_rng(1).integers(500, 3_000, (len(bands), 64, 64)).astype(np.uint16)
    grid = GeoBox((64, 64), Affine(5.0, 0.0, 500_000.0, 0.0, -5.0, 700_000.0), "EPSG:32630")
    return SiteImage("s1", grid, bands, pixels, np.ones((64, 64), np.uint16))


class Archive:
    def read(self, *_: object) -> SiteImage:
        return image()


def facts(monkeypatch: pytest.MonkeyPatch, *, restricted_pictures: bool) -> SiteFacts:
    """Two years, of which the terms of the second forbid passing pixels on."""
    found = SiteFacts.__new__(SiteFacts)
    found._restricted, found._outlines, found._tables = restricted_pictures, {}, {}
    found._archive = Archive()  # type: ignore[assignment]
    rows = {2016: {"redistributable": True, "product": "a"}, 2017: {"redistributable": False, "product": "a"}}
    monkeypatch.setattr(found, "images", lambda *_: rows)
    return found


@pytest.mark.parametrize("allowed", [False, True])
def test_pictures_that_may_not_be_passed_on_are_shown_only_where_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    pictures = facts(monkeypatch, restricted_pictures=allowed).pictures("area", "s1", (2016, 2017, 2018))
    assert [one.year for one in pictures] == [2016, 2017], "there is no image of 2018"
    assert [one.picture is not None for one in pictures] == [True, allowed]
    figure = beside("name", "caption", "alt", pictures)
    assert isinstance(figure, Figure)
    assert figure.data[8:12] == b"WEBP"
    assert pictures[0].picture is not None
    assert pictures[0].picture.shape == (SIDE, SIDE, 3)


def test_without_a_picture_that_may_be_shown_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = facts(monkeypatch, restricted_pictures=False).pictures("area", "s1", (2017,))
    assert beside("name", "caption", "alt", pictures) is None


def test_settings_out_of_their_bounds_are_refused(project: Terminal) -> None:
    settings = project.lake / "inputs" / "minemap.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("[report]\nsheets = -1\n")
    assert "sheets" in project("report").sentence
