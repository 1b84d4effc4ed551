"""Tables and pages: what a cell shows and holds, CSV with all digits, and words of other people as words."""

import csv
import io
import math

from minemap_assets.publication.report import numerals as say
from minemap_assets.publication.report.document import MOST_ROWS, Column, Figure, Prose, Section, Table
from minemap_assets.publication.report.gaps_section import years_in_words
from minemap_assets.publication.report.pages import GENERATOR, prose, report_page
from minemap_assets.publication.report.site_list import sheet_file

COLUMNS = (
    Column("name", "Name", numeric=False),
    Column("area_km2", "Area", say.area),
    Column("interval", "95 %", say.area, "none", ends=("low", "high")),
)
ROWS = [
    {"name": "<b>Mine & Co</b>", "area_km2": 0.123456789, "low": 0.1, "high": 0.2},
    {"name": "unseen", "area_km2": math.nan, "low": None, "high": None},
]


def table() -> Table:
    return Table("areas", "Areas in `km2`", COLUMNS, ROWS, note="A note.")


def test_cells_say_what_is_absent_and_keep_every_digit() -> None:
    first, second = table().cells
    assert [cell.text for cell in first] == ["<b>Mine & Co</b>", "0.123", "0.100 to 0.200"]
    assert [cell.text for cell in second] == ["unseen", "not observed", "none"]
    assert (first[1].value, second[1].value) == (0.123456789, None)
    assert [cell.absent for cell in second] == [False, True, True]
    assert [cell.head for cell in first] == [True, False, False]


def test_a_csv_file_has_both_ends_of_an_interval_and_nothing_for_what_is_missing() -> None:
    rows = list(csv.reader(io.StringIO(table().csv)))
    assert rows[0] == ["name", "area_km2", "low", "high"]
    assert float(rows[1][1]) == ROWS[0]["area_km2"]
    assert rows[2] == ["unseen", "", "", ""]


def test_a_page_escapes_what_people_wrote_and_asks_nobody_for_anything() -> None:
    picture = Figure("chart", "A `caption`", 'Says "<b>"', b"<svg/>")
    section = Section("one", "Title <script>", [Prose("say `a <b>` & go"), table(), picture])
    page = report_page("Mines & <i>more</i>", "lead", [section])
    assert "<script" not in page
    assert "<i>more" not in page
    assert "&lt;b&gt;Mine &amp; Co&lt;/b&gt;" in page
    assert "<code>a &lt;b&gt;</code> &amp; go" in page
    assert 'alt="Says &#34;&lt;b&gt;&#34;"' in page
    assert "data:image/svg+xml;base64," in page
    assert "default-src 'none'" in page
    assert GENERATOR in page[:4_000]
    assert "http:" not in page
    assert "https:" not in page


def test_backticks_alone_are_only_words() -> None:
    assert prose("a ` b") == "a ` b"
    assert prose("`<x>`") == "<code>&lt;x&gt;</code>"


def test_any_site_has_a_file_name_that_stays_in_its_folder() -> None:
    assert sheet_file("ms0203p2xev") == "sites/ms0203p2xev.html"
    assert sheet_file("../../etc/passwd") == "sites/______etc_passwd.html"


def test_years_are_told_as_runs() -> None:
    assert years_in_words((2016, 2017, 2018, 2020)) == "2016 to 2018, 2020"
    assert years_in_words(()) == ""


def test_a_long_table_is_cut_on_the_page_and_whole_in_its_file() -> None:
    rows = [{"name": f"site {n}", "area_km2": float(n)} for n in range(MOST_ROWS + 5)]
    long = Table("areas", "Areas", COLUMNS[:2], rows, note="Own words.")
    assert len(long.cells) == MOST_ROWS
    assert long.notes == ["5 more rows stand in `tables/areas.csv`, with these.", "Own words."]
    assert len(long.csv.splitlines()) == 1 + len(rows)
    assert table().notes == ["A note."]


def test_a_table_of_many_years_is_set_across_the_page() -> None:
    years = tuple(Column(str(year), str(year), say.area) for year in range(2000, 2026))
    assert "wide" in Table("wide", "Wide", years, []).looks
    assert table().looks == "short"
