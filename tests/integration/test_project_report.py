"""The report of a finished project: whole, equal to the tables, the same each time, and readable without a network."""

import csv
import html.parser
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from minemap_assets.lake.inputs import Inputs
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.publication.folder_swap import copy_file, put_folder
from minemap_assets.publication.report_assets import REPORT
from terminal import Terminal, fresh_terminal
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECTIONS = ("accuracy", "summary", "figures", "tables", "validation", "missing", "versions", "words", "sites")
FIGURES = (
    *("held_out_iou", "held_out_thresholds", "series_total", "change_map", "series_by_region", "series_by_country"),
    *("threshold_sweep", "site_panel", "continuity"),
)
TABLES = (
    *("held_out_scores", "held_out_by_size", "held_out_by_region", "area_by_year", "change_by_year", "table_1"),
    *("table_s1", "regions", "table_s2", "clarity_by_region", "reference_validation", "validation_estimates"),
    *("source_continuity", "parts_missing", "sources", "inputs", "operating_points", "settings", "software"),
    *("code_versions", "words_and_measures"),
)
CLARITY = ("table_s2", "clarity_by_region")
"""Tables whose shares are per cent in their heading."""

SPACES = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{MINUS SIGN}": "-"})


@dataclass
class Parsed(html.parser.HTMLParser):
    """What a page holds: tables as rows of cells (text, number behind it), headings, ids, links, pictures."""

    text: str
    tables: dict[str, list[list[tuple[str, float | None]]]] = field(default_factory=dict)
    heads: dict[str, list[str]] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)
    headings: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    scopes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._table, self._within, self._value = "", "", None
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if "id" in said:
            self.ids.append(said["id"])
        match tag:
            case "table":
                self._table = said["id"]
                self.tables[self._table], self.heads[self._table] = [], []
            case "tr":
                self.tables[self._table].append([])
            case "th" | "td" | "caption":
                self._within, self._said, self._value = tag, "", None
                self.scopes |= {said["scope"]} if tag == "th" else set()
            case "data":
                self._value = float(said["value"])
            case "h1" | "h2" | "h3" | "h4":
                self.headings.append(int(tag[1]))
            case "a":
                self.links.append(said["href"])
            case "img":
                self.pictures.append((said["src"], said["alt"]))

    def handle_data(self, data: str) -> None:
        if self._within:
            self._said += data

    def handle_endtag(self, tag: str) -> None:
        if tag != self._within:
            return
        said, self._within = self._said.strip(), ""
        if tag == "caption":
            self.captions[self._table] = said
        else:
            self.tables[self._table][-1].append((said, self._value))

    def columns(self, table: str) -> list[str]:
        return [said for said, _ in self.tables[table][0]]

    def rows(self, table: str) -> list[dict[str, tuple[str, float | None]]]:
        names = self.columns(table)
        return [dict(zip(names, row, strict=True)) for row in self.tables[table][1:]]


@dataclass(frozen=True)
class Written:
    """A project with its report."""

    chain: Chain
    partition: Partition
    page: Parsed

    def csv(self, table: str) -> list[dict[str, str]]:
        text = self.partition.file(f"tables/{table}.csv").read_text(encoding="utf-8")
        return list(csv.DictReader(io.StringIO(text)))

    def sheet(self, site_id: str) -> Parsed:
        return Parsed(self.partition.file(f"sites/{site_id}.html").read_text(encoding="utf-8"))

    def view(self, name: str) -> pd.DataFrame:
        """A table or view of the project's own database."""
        with duckdb.connect(str(self.chain.environment.state / "minemap.duckdb"), read_only=True) as connection:
            return connection.execute(f"FROM {name}").df()


@pytest.fixture(scope="module")
def written(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Written:
    chain = finished.copied(tmp_path_factory.mktemp("report") / "project")
    report = chain.run("report")
    assert not report.failures, report.failures
    partition = chain.project.lake.open(REPORT.ref())
    return Written(chain, partition, Parsed(partition.file("report.html").read_text(encoding="utf-8")))


def test_every_section_figure_and_table_is_there_and_accuracy_comes_first(written: Written) -> None:
    assert tuple(name for name in written.page.ids if name in SECTIONS) == SECTIONS
    assert set(FIGURES) | set(TABLES) <= set(written.page.ids)
    names = set(written.partition.names())
    assert {f"tables/{name}.csv" for name in TABLES} | {"tables/scenes.csv", "tables/sites.csv"} <= names
    assert {f"figures/{name}.{'webp' if name == 'site_panel' else 'svg'}" for name in FIGURES} <= names
    sites = written.view("site_panel")["site_id"].unique()
    assert {f"sites/{site}.html" for site in sites} == {name for name in names if name.startswith("sites/")}
    assert "cannot be judged" in written.page.text.split('<section id="summary"')[0]


def test_the_areas_of_the_summary_are_those_of_the_database(written: Written) -> None:
    totals = written.view("yearly_totals").set_index("year")
    rows = written.page.rows("area_by_year")
    assert [int(row["Year"][0]) for row in rows] == list(YEARS)
    for row in rows:
        truth = totals.loc[int(row["Year"][0])]
        assert row["Mapped area"][1] == truth["area_km2"]
        for column, name in (("Polygons", "polygons"), ("Sites expected", "sites_expected")):
            assert row[column] == (str(truth[name]), float(truth[name]))
        assert row["Estimated area"] == ("no estimate", None)
    share = written.view("site_panel").groupby("year")["observed_share"].mean()
    assert [row["Covered share"][1] for row in rows] == pytest.approx(list(share), abs=0.0)


def test_table_s1_and_the_regions_are_those_of_the_tables(written: Written) -> None:
    countries = written.view("country_summary").set_index(["name", "year"])["area_km2"]
    for row in written.page.rows("table_s1"):
        for year in YEARS:
            assert row[f"{year} p"][1] == countries[row["Country"][0], year]
    regions = written.view("region_summary").set_index(["region", "year"])
    rows = written.page.rows("regions")
    assert len(rows) == len(regions)
    for row in rows:
        truth = regions.loc[row["Region"][0], int(row["Year"][0])]
        assert (row["Mapped area"][1], row["Covered share"][1]) == (truth["area_km2"], truth["covered_share"])


def test_change_and_clarity_are_those_of_the_tables(written: Written) -> None:
    change = written.view("change_grid").groupby("year")["change_km2"].sum()
    rows = written.page.rows("change_by_year")
    assert [row["Change"][1] for row in rows] == pytest.approx(list(change), rel=1e-12)
    clarity = written.view("imagery_clarity")
    clarity = clarity[clarity["region"] == "(all)"].set_index("year")
    for row in written.page.rows("table_s2"):
        truth = clarity.loc[int(row["Year"][0])]
        for column in ("Mean", "P1", "P50", "P95"):
            assert row[column][1] == truth[column.lower()]
        assert row["Mean"][0] == f"{100 * truth['mean']:.2f}"


def test_scores_are_those_of_the_evaluation_and_of_the_validation(written: Written) -> None:
    metrics = pd.read_parquet(written.chain.open("segmentation", "model_evaluation").file("metrics.parquet"))
    whole = metrics[metrics["stratum"] == "all"]
    shown = [row["IoU"][1] for row in written.page.rows("held_out_scores")]
    assert sorted(shown) == sorted(whole["iou"])
    points = written.chain.open("validation", "reference_validation").file("reference_validation.parquet")
    scores = pd.read_parquet(points)
    scores = scores[scores["frame"] == "all"].set_index(["map", "year"])["accuracy"]
    rows = [row for row in written.page.rows("reference_validation") if row["Where"][0] == "all"]
    yearly = [row for row in rows if row["Year"][0].isdigit()]
    assert len(yearly) == 4 * len(YEARS)
    for row in yearly:
        assert row["Accuracy"][1] == scores[row["Map"][0], int(row["Year"][0])]


def test_a_site_page_says_what_the_panel_and_the_index_say(written: Written) -> None:
    panel = written.view("site_panel")
    scenes = pd.DataFrame(written.csv("scenes"))
    for site_id, rows in panel.groupby("site_id"):
        sheet, areas = written.sheet(str(site_id)), rows.set_index("year")
        shown = sheet.rows("series")
        assert [int(row["Year"][0]) for row in shown] == list(YEARS)
        assert [row["Area (km²)"][1] for row in shown] == [areas.loc[year, "area_km2"] for year in YEARS]
        for row in shown:
            held = (scenes["site_id"] == site_id) & (scenes["year"] == row["Year"][0])
            assert row["Scenes"][1] == held.sum() > 0
        assert sheet.ids.count("mines") == 1
        assert any(source.startswith("data:image/webp") for source, _ in sheet.pictures)


def test_what_a_cell_reads_is_the_number_behind_it_and_that_of_the_csv_file(written: Written) -> None:
    seen = 0
    for name in TABLES:
        file = written.csv(name)
        rows = written.page.tables[name][1:]
        assert len(rows) == len(file), name
        for row, held in zip(rows, file, strict=True):
            numbers = {float(value) for value in held.values() if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value)}
            for said, value in row:
                if value is None:
                    continue
                seen += 1
                assert value in numbers, (name, said)
                read = float(re.sub(r"[<>,+% ]", "", said.translate(SPACES)))
                scale = 100.0 if "%" in said or (name in CLARITY and value <= 1.0) else 1.0
                assert read == pytest.approx(scale * value, rel=6e-3, abs=5.1e-3 if scale > 1.0 else 1e-3), (name, said)
    assert seen > 300


def test_the_same_inputs_give_the_same_bytes(written: Written, tmp_path: Path) -> None:
    again = written.chain.copied(tmp_path / "again")
    assert not again.run("report", forced=frozenset({REPORT.ref()})).failures
    before, after = written.partition.manifest, again.project.lake.open(REPORT.ref()).manifest
    assert {f.name: f.sha256 for f in after.files} == {f.name: f.sha256 for f in before.files}
    assert "report" not in {asset.name for asset in _standard(again)}, "a run of everything does not write reports"


def _standard(chain: Chain) -> frozenset[object]:
    from minemap_assets.graph.graph import Graph

    return Graph(chain.registry.rooms, chain.project).standard  # type: ignore[return-value]


def test_pages_are_well_built_and_ask_nobody_for_anything(written: Written) -> None:
    names = set(written.partition.names())
    pages = [("report.html", written.page), *((n, Parsed(_text(written, n))) for n in names if n.startswith("sites/"))]
    for name, page in pages:
        assert page.headings[0] == 1
        assert page.headings.count(1) == 1
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert all(below <= above + 1 for above, below in steps), name
        assert len(page.ids) == len(set(page.ids)), name
        assert page.scopes <= {"col", "row"}
        assert set(page.captions) == set(page.tables)
        assert all(alt for _, alt in page.pictures), name
        assert all(source.startswith("data:image/") for source, _ in page.pictures)
        assert "<script" not in page.text
        assert not re.search(r"url\(|@import|<link", page.text)
        for link in page.links:
            inside = link.removeprefix("../").removesuffix("#sites")
            assert link.removeprefix("#") in page.ids if link.startswith("#") else inside in names, link


def _text(written: Written, name: str) -> str:
    return written.partition.file(name).read_text(encoding="utf-8")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with fresh_terminal(tmp_path, monkeypatch, capsys) as opened:
        yield opened


def test_figures_that_wait_are_reported_as_waiting_and_sites_without_a_page_are_listed(
    written: Written, tmp_path: Path, terminal: Terminal
) -> None:
    chain = written.chain.copied(tmp_path / "project")
    rules = b'\n[release]\ngate = "on"\ncountry_change = 0.0001\ncountry_change_km2 = 0.0\n'
    own = b'\n[report]\ntitle = "Mines & <i>pits</i>"\nsheets = 1\n'
    Inputs(chain.project.lake.store).change(SETTINGS_PATH, lambda data: (data or b"") + rules + own)
    terminal.setenv(MINEMAP_HOME=chain.environment.home, MINEMAP_STATE=str(chain.environment.state))
    answer = terminal("report", "--to", "out")
    assert answer.code == 0, answer.err
    assert "figures wait for a person" in answer.err
    page = Parsed((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "Figures wait for a person: do not cite them yet." in page.text
    assert "Mines &amp; &lt;i&gt;pits&lt;/i&gt;" in page.text
    panel = written.view("site_panel").groupby("site_id")["area_km2"].max().sort_values(ascending=False)
    (only,) = (tmp_path / "out" / "sites").iterdir()
    assert only.stem == panel.index[0], "the largest site has the page"
    assert [row["Site"][0] for row in page.rows("other_sites")] == list(panel.index[1:])


def test_a_lake_in_an_object_store_gives_the_same_report(written: Written, bucket: str, tmp_path: Path) -> None:
    chain = Chain(tmp_path, home=f"{bucket}/project")
    store, here = chain.project.lake.store, written.chain.folder / "lake"
    for path in sorted(path for path in here.rglob("*") if path.is_file()):
        name = path.relative_to(here).as_posix()
        if not name.startswith((".staging/", "chips/", "publication/report/")):
            store.write_bytes(name, path.read_bytes())
    made = chain.run("report")
    assert not made.failures, made.failures
    there = chain.project.lake.open(REPORT.ref())
    hashes = {file.name: file.sha256 for file in written.partition.manifest.files}
    assert {file.name: file.sha256 for file in there.manifest.files} == hashes
    put_folder(tmp_path / "out", lambda new: [copy_file(there.file(name), new, name) for name in there.names()])
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == written.page.text
