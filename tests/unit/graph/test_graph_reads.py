"""What `minemap status` reads of a large project: each input file once, each manifest at most once, and no source."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import shapely

from dagster_project.cli import status as command
from dagster_project.cli.status import status
from dagster_project.commands.context import Session, console
from dagster_project.environment import Environment
from dagster_project.registry import ROOMS, SOURCES, Registry
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.imagery.arrivals import Arrival, Arrivals, Channel, change_arrivals
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.files.images import Asset, Image, write_features
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.imagery.sources.archive.catalogue import add_archive
from minemap_assets.lake.input_history import HISTORY
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Manifest, fingerprint
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.store import Entry, LocalStore
from minemap_assets.project.project import Project, ProjectHome
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH, Catalogue, ReferenceEntry
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from minemap_assets.segmentation.model_origins import IMPORTS_PATH
from minemap_assets.segmentation.promotion import PROMOTION_PATH
from minemap_assets.sites.assets import GROUND_TRUTH, SITES
from minemap_assets.validation.sample_files import SAMPLES_PATH

YEARS = range(2016, 2026)
REGIONS = tuple(f"region-{number:02}" for number in range(20))

SETTINGS = """\
[imagery.sources]
planet-nicfi = ["planet-basemaps", "archive"]
sentinel-2-l2a = ["stac", "archive"]
"""

ENTRIES = tuple(
    ReferenceEntry(
        name=name, kind=kind, file=f"inputs/reference/{name}/x.gpkg", sha256="0", bytes=1, features=1, licence="ours"
    )
    for name, kind in (("own", "polygons"), ("country_boundaries", "boundaries"), ("validation_points", "points"))
)

IMAGE = Image(
    id="one",
    product="planet-nicfi",
    start=date(2019, 7, 1),
    end=date(2019, 7, 31),
    crs="EPSG:32630",
    terms="ours",
    redistributable=True,
    revision="1",
    assets=(Asset(band="red", href="one.tif", scale=1e-4),),
    footprint="POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
)


class CountingStore(LocalStore):
    """Remembers which paths were read and which folders listed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()

    def read_bytes(self, path: str) -> bytes:
        self.reads[path] += 1
        return super().read_bytes(path)

    def fetch(self, path: str) -> Path:
        self.reads[path] += 1
        return super().fetch(path)

    def size(self, path: str) -> int | None:
        self.looks[path] += 1
        return super().size(path)

    def entries(self, prefix: str) -> dict[str, Entry]:
        self.looks[prefix] += 1
        return super().entries(prefix)

    def list(self, prefix: str) -> Iterator[str]:
        self.looks[prefix] += 1
        return super().list(prefix)


def not_to_be_opened(_: Project, product: str) -> ImagerySource:
    pytest.fail(f"a source of {product} was opened")


def write_inputs(store: LocalStore) -> set[str]:
    """Everything that people and sensors write, by path."""
    squares = [Region(slug, slug, shapely.box(x, 0, x + 1, 1)) for x, slug in enumerate(REGIONS)]
    store.write_bytes(SETTINGS_PATH, SETTINGS.encode())
    store.write_bytes(REGIONS_PATH, write_regions(squares))
    store.write_bytes(CATALOGUE_PATH, Catalogue(entries=ENTRIES).model_dump_json().encode())
    store.write_bytes(PROMOTED_SITES_PATH, b'{"type": "FeatureCollection", "features": []}')
    add_archive(store, "own", "/images", write_features([IMAGE]))
    seen = {Channel("planet-nicfi", "planet-basemaps", "6-11").key: {2019: Arrival(revision="2", corrections=1)}}
    change_arrivals(store, lambda _: Arrivals(channels=seen))
    return inputs_of(store)


def inputs_of(store: LocalStore) -> set[str]:
    """Paths of the inputs, without their versions."""
    return {path for path in store.list("inputs") if not path.startswith(f"{HISTORY}/")}


def write_manifests(project: Project) -> None:
    """Ground truth, sites and imagery of every region and year as if they had been made; of even years, long ago."""
    graph = Graph(ROOMS, project)
    store, known = project.lake.store, dict[str, str]()
    sets = frozenset(asset for asset in graph.assets if asset.name == "own")
    for step in graph.steps(Scope(sets | {GROUND_TRUTH, SITES, COMPOSITES}, REGIONS, tuple(YEARS))):
        for asset in step.assets:
            inputs = {str(ref): known[str(ref)] for ref in graph.needs(asset, step.keys)}
            old = asset is COMPOSITES and int(step.keys[1]) % 2 == 0
            print_ = "old" if old else fingerprint(asset.code_version, asset.settings(project, step.keys), inputs)
            manifest = Manifest(
                room=asset.room,
                asset=asset.name,
                keys=step.keys,
                fingerprint=print_,
                code_version=asset.code_version,
                inputs=inputs,
                files=(),
            )
            known[str(manifest.ref)] = manifest.content
            store.write_bytes(f"{manifest.ref.prefix}/{MANIFEST}", manifest.model_dump_json().encode())


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything there is; no source can be opened."""
    return Registry(sources=tuple(replace(kind, open=not_to_be_opened) for kind in SOURCES))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """A project of many regions and years, of which imagery is made."""
    folder = tmp_path_factory.mktemp("large")
    home = ProjectHome.at(str(folder), folder / "state", registry.parts())
    write_inputs(LocalStore(folder))
    write_manifests(home.open())
    return folder


def test_status_reads_each_input_once_each_manifest_at_most_once_and_opens_no_source(
    large: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = CountingStore(large)
    home = ProjectHome(Lake(store, large / "state"), registry.parts())
    environment = Environment(home=str(large), state=large / "state")
    monkeypatch.setattr(command, "open_session", lambda: Session(environment, registry, home))
    monkeypatch.setattr(console, "_width", 200)
    status(years=f"{YEARS[0]}-{YEARS[-1]}")

    looked_for = {PROMOTION_PATH, IMPORTS_PATH, SAMPLES_PATH}
    expected: Mapping[str, int] = dict.fromkeys({*inputs_of(LocalStore(large)), *looked_for}, 1)
    assert len(expected) == 10, "with the decision on a model, models from elsewhere and samples, which are looked for"
    assert {path: times for path, times in store.reads.items() if path.startswith("inputs/")} == expected

    manifests = {path: times for path, times in store.reads.items() if path.endswith(MANIFEST)}
    assert set(store.reads) == set(expected) | set(manifests) | {"lake.json"}, "what is read, and the lake's layout"
    assert set(manifests.values()) == {1}
    made = {path for path in LocalStore(large).list("") if path.endswith(MANIFEST)}
    assert made <= set(manifests)
    assert set(store.looks.values()) == {1}

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    counts = {row[0]: row[1:] for row in rows if row}
    assert counts["sites/sites"] == ["20", "20", "·", "·", "·"]
    assert counts["imagery/imagery"] == ["200", "100", "100", "·", "·"], "fingerprints were computed and compared"
    assert counts["polygons/mining_polygons"] == ["200", "·", "·", "·", "200"]
