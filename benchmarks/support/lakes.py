"""Lakes of many regions and years whose inputs are complete and whose manifests say that imagery was made."""

from collections import Counter
from datetime import date
from pathlib import Path

import shapely

from dagster_project.registry import Registry
from minemap_assets.graph.graph import Graph, Scope
from minemap_assets.imagery.arrivals import Arrival, Arrivals, Channel, change_arrivals
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.files.images import Asset, Image, write_features
from minemap_assets.imagery.sources.archive.catalogue import add_archive
from minemap_assets.lake.manifests import Manifest, fingerprint
from minemap_assets.lake.partitions import MANIFEST
from minemap_assets.lake.store import LocalStore, Store
from minemap_assets.project.project import ProjectHome
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH, Catalogue, ReferenceEntry
from minemap_assets.reference.registered import PROMOTED_SITES_PATH

SETTINGS = """\
[imagery.sources]
planet-nicfi = ["planet-basemaps", "archive"]
sentinel-2-l2a = ["stac", "archive"]
"""

SETS = (("outlines", "polygons"), ("country_boundaries", "boundaries"), ("validation_points", "points"))
IMAGES = 200
"""Images in the archive's index: one for each region and year of the usual size."""


class CountingStore(LocalStore):
    """Counts how often each object is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file."""
        self.reads[path] += 1
        return super().read_bytes(path)

    def fetch(self, path: str) -> Path:
        """The file itself."""
        self.reads[path] += 1
        return super().fetch(path)

    def inputs(self) -> Counter[str]:
        """Reads of what people and sensors write."""
        return Counter({path: times for path, times in self.reads.items() if path.startswith("inputs/")})


def build(folder: Path, regions: int, years: range) -> ProjectHome:
    """A lake with all inputs and with manifests of ground truth, sites and imagery of every region and year."""
    home = ProjectHome.at(str(folder / "lake"), folder / "state", Registry().parts())
    slugs = tuple(f"region-{number:03}" for number in range(regions))
    _write_inputs(home.lake.store, slugs)
    project = home.open()
    graph = Graph(Registry().rooms, project)
    chosen = frozenset(
        graph.closure([COMPOSITES], upstream=True) | {a for a in graph.assets if a.name == "country_boundaries"}
    )
    contents: dict[str, str] = {}
    for step in graph.steps(Scope(chosen, slugs, tuple(years))):
        for asset in step.assets:
            inputs = {str(ref): contents[str(ref)] for ref in graph.needs(asset, step.keys)}
            manifest = Manifest(
                room=asset.room,
                asset=asset.name,
                keys=step.keys,
                fingerprint=fingerprint(asset.code_version, asset.settings(project, step.keys), inputs),
                code_version=asset.code_version,
                inputs=inputs,
                files=(),
            )
            contents[str(manifest.ref)] = manifest.content
            home.lake.store.write_bytes(f"{manifest.ref.prefix}/{MANIFEST}", manifest.model_dump_json().encode())
    return home


def _write_inputs(store: Store, slugs: tuple[str, ...]) -> None:
    outlines = [shapely.Point(x, 0).buffer(0.4, quad_segs=64) for x in range(len(slugs))]
    regions = [Region(slug, slug, outline) for slug, outline in zip(slugs, outlines, strict=True)]
    entries = tuple(
        ReferenceEntry(
            name=name, kind=kind, file=f"inputs/reference/{name}.gpkg", sha256="0", bytes=1, features=1, licence="ours"
        )
        for name, kind in SETS
    )
    store.write_bytes(SETTINGS_PATH, SETTINGS.encode())
    store.write_bytes(REGIONS_PATH, write_regions(regions))
    store.write_bytes(CATALOGUE_PATH, Catalogue(entries=entries).model_dump_json().encode())
    store.write_bytes(PROMOTED_SITES_PATH, b'{"type": "FeatureCollection", "features": []}')
    add_archive(store, "own", "images", write_features([_image(number) for number in range(IMAGES)]))
    seen = {Channel("planet-nicfi", "planet-basemaps", "6-11").key: {2019: Arrival(revision="2", corrections=1)}}
    change_arrivals(store, lambda _: Arrivals(channels=seen))


def _image(number: int) -> Image:
    return Image(
        id=f"image-{number}",
        product="planet-nicfi",
        start=date(2019, 7, 1),
        end=date(2019, 7, 31),
        crs="EPSG:32630",
        terms="ours",
        redistributable=True,
        revision=str(number),
        assets=(Asset(band="red", href=f"{number}.tif", scale=1e-4),),
        footprint="POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
    )
