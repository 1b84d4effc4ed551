"""Kinds of source: what the project knows of each without opening it, and how it finds them by name."""

from collections import Counter
from pathlib import Path

import pytest
import shapely
from archives import BANDS4, GRID, on_grid, ramp, stack, write_tif

from dagster_project.registry import SOURCES, Registry
from minemap_assets.errors import BadInputError
from minemap_assets.imagery.arrivals import Arrival, Arrivals, Channel, change_arrivals, corrections
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source_kind import SourceKind, check_sources, kind_named, kinds, open_sources, revisions
from minemap_assets.imagery.sources.archive.catalogue import FOLDER, add_archive
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.lake.store import LocalStore
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import Region
from minemap_assets.project.settings import SETTINGS_PATH

SETTINGS = """\
[sources.simulated]
world = "tiny"
[sources.planet_basemaps]
series = ["Mine"]
[sources.stac]
max_cloud_cover = 60.0
[sources.earth_engine]
clear_score = 0.5
"""


def opened(folder: Path, settings: str = SETTINGS) -> Project:
    home = ProjectHome.at(str(folder / "lake"), folder / "state", Registry().parts())
    home.lake.store.write_bytes(SETTINGS_PATH, settings.encode())
    return home.open()


def with_archive(project: Project, folder: Path, file: str = "a_20210701.tif") -> None:
    write_tif(folder / file, stack(on_grid(ramp)), GRID.affine)
    rules = ArchiveRules(bands=BANDS4)
    report = index_archive(str(folder), name="own", product="planet-nicfi", rules=rules)
    assert report.images, report.refused
    add_archive(project.lake.store, "own", str(folder), report.features)


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
def test_a_revision_is_known_without_opening_the_source(tmp_path: Path, kind: SourceKind) -> None:
    project = opened(tmp_path)
    with_archive(project, tmp_path / "images")
    for product in kind.products:
        source = kind.open(project, product)
        assert (source.name, source.product) == (kind.name, product)
        assert kind.revision(project, product) == source.revision


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
def test_settings_that_decide_pixels_change_the_revision(tmp_path: Path, kind: SourceKind) -> None:
    one, other = opened(tmp_path / "one"), opened(tmp_path / "other", "")
    with_archive(one, tmp_path / "images")
    product = "planet-nicfi" if kind.name == "archive" else kind.products[0]
    assert kind.revision(one, product) != kind.revision(other, product)


def test_revisions_stand_in_the_order_of_the_settings_and_open_nothing(tmp_path: Path) -> None:
    order = ["stac", "archive", "simulated", "earth-engine"]
    project = opened(tmp_path, f"{SETTINGS}[imagery.sources]\nsentinel-2-l2a = {order}")
    found = revisions(project, "sentinel-2-l2a", SeasonRule().season(2021))
    assert [name for name, _ in found] == order
    assert [[s.name, s.revision] for s in open_sources(project, "sentinel-2-l2a")] == found


def test_a_new_file_of_an_archive_leaves_the_revisions_of_other_seasons_as_they_were(tmp_path: Path) -> None:
    with_archive(opened(tmp_path), tmp_path / "images")
    seasons = [SeasonRule().season(year) for year in (2021, 2022)]
    before = [revisions(opened(tmp_path), "planet-nicfi", season) for season in seasons]
    with_archive(opened(tmp_path), tmp_path / "images", "a_20220701.tif")
    after = [revisions(opened(tmp_path), "planet-nicfi", season) for season in seasons]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_an_index_is_read_once_and_no_image_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_archive(opened(tmp_path), tmp_path / "images")
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    reads: Counter[str] = Counter()
    read_bytes = LocalStore.read_bytes

    def counted(store: LocalStore, path: str) -> bytes:
        reads[path] += 1
        return read_bytes(store, path)

    monkeypatch.setattr(LocalStore, "read_bytes", counted)
    project = opened(tmp_path)
    for _ in range(3):
        revisions(project, "planet-nicfi", SeasonRule().season(2021))
        open_sources(project, "planet-nicfi")
        revisions(project, "sentinel-2-l2a", SeasonRule().season(2021))
    assert {path: n for path, n in reads.items() if path.startswith(FOLDER)} == {
        f"{FOLDER}/roots.json": 1,
        f"{FOLDER}/own.geojson": 1,
    }


def test_an_unknown_source_is_refused_with_the_names_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as error:
        opened(tmp_path, '[imagery.sources]\nplanet-nicfi = ["planet-basemap"]')
    said = str(error.value)
    assert f"{SETTINGS_PATH}: [imagery.sources] planet-nicfi: unknown source 'planet-basemap'" in said
    assert "archive, earth-engine, planet-basemaps, simulated, stac" in said
    with pytest.raises(BadInputError, match="unknown source 'planet'"):
        kind_named(opened(tmp_path), "planet")


def test_a_product_without_a_source_says_where_to_name_one(tmp_path: Path) -> None:
    project = opened(tmp_path, "[imagery.sources]\nplanet-nicfi = []")
    check_sources(project)
    nowhere = pytest.raises(BadInputError, match=r"no source is set for planet-nicfi; name one in .*minemap\.toml")
    with nowhere:
        open_sources(project, "planet-nicfi")
    with nowhere:
        revisions(project, "planet-nicfi", SeasonRule().season(2021))


def test_kinds_are_those_the_project_was_put_together_with(tmp_path: Path) -> None:
    assert list(kinds(opened(tmp_path))) == sorted(kind.name for kind in SOURCES)


def test_corrections_are_counted_for_the_sources_in_use(tmp_path: Path) -> None:
    project = opened(tmp_path)
    years = {2020: Arrival(revision="a", corrections=2), 2021: Arrival(revision="a")}
    channels = {Channel("planet-nicfi", name, "6-11").key: years for name in ("archive", "x")}
    change_arrivals(project.lake.store, lambda _: Arrivals(channels=channels))
    region = Region(slug="north", title="North", geometry=shapely.box(0, 0, 1, 1))
    assert corrections(project, region, 2020, "planet-nicfi") == {"archive": 2}
    assert corrections(project, region, 2021, "planet-nicfi") == {}
    assert corrections(project, region, 2020, "sentinel-2-l2a") == {}
    change_arrivals(project.lake.store, lambda _: Arrivals())
    assert corrections(project, region, 2020, "planet-nicfi") == {"archive": 2}, "a snapshot stays as it was"
    assert corrections(opened(tmp_path), region, 2020, "planet-nicfi") == {}
