"""One set of pictures laid out for `archive`, `stac` and `earth-engine`, and how far their composites are apart."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from earth_engine_world import Asset, Band, make_keys, served, write_catalogue
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.products import SENTINEL2_BANDS
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.source import EarthEngineSource
from minemap_assets.imagery.sources.stac.source import StacSource
from stac_service import World
from stac_world import write_cog

KEYS = {band: key for key, band in SENTINEL2_BANDS.items()}
"""The mission's own names of bands, such as B02, by common name."""

BASELINE = "02.04"
"""A processing baseline from before the offset: numbers are reflectance x 10,000."""

_GROUND, _CLOUD = 4, 9
"""Classes of the scene classification: vegetation, and cloud of high probability."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One band of a picture: uint16 (row, column) on its own grid."""

    pixels: npt.NDArray[np.uint16]
    grid: GeoBox


@dataclass(frozen=True, eq=False)
class Picture:
    """One overpass: planes by common name, and where the first plane shows the ground (row, column)."""

    day: date
    planes: Mapping[str, Plane]
    clear: npt.NDArray[np.bool_]

    @property
    def name(self) -> str:
        """Its name in every catalogue."""
        return f"{self.day:%Y%m%d}T031122_T49QCD"

    @property
    def grid(self) -> GeoBox:
        """The grid of its first plane and of its mask."""
        return next(iter(self.planes.values())).grid


def through_archive(folder: Path, pictures: Sequence[Picture]) -> ArchiveSource:
    """A folder of one file a band and one of classes."""
    for picture in pictures:
        _write_scene(folder, picture)
    return index("sentinel-2-l1c", folder, {p.name: p.day.isoformat() for p in pictures})


def index(product: str, folder: Path, days: Mapping[str, str]) -> ArchiveSource:
    """An archive of everything below a folder; `days` by file or folder."""
    report = index_archive(str(folder), name="same", product=product, rules=ArchiveRules(date_overrides=dict(days)))
    assert not report.refused, report.refused
    return ArchiveSource(product, [read_index("same", str(folder), report.features)])


def through_stac(world: World, pictures: Sequence[Picture]) -> StacSource:
    """Items whose classification calls cloud what is not clear.

    The source serves Level-2A only: the pictures take the place of Planetary Computer's, of a baseline without offset.
    """
    url = world.files_url(1)
    world.serve([], [_item(world.root, url, picture) for picture in pictures])
    return world.source()


def _item(root: Path, url: str, picture: Picture) -> dict[str, Any]:
    _write_scene(root, picture)
    outline = footprint_wgs84(picture.grid)
    moment = {"datetime": f"{picture.day}T03:11:22Z", "s2:processing_baseline": BASELINE, "eo:cloud_cover": 0.0}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": picture.name,
        "collection": "sentinel-2-l2a",
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "properties": moment | {"s2:mgrs_tile": "49QCD"},
        "assets": {
            key: {"href": f"{url}/{picture.name}/{key}.tif"} for key in ["SCL", *(KEYS[b] for b in picture.planes)]
        },
        "links": [],
    }


@contextmanager
def through_earth_engine(root: Path, pictures: Sequence[Picture]) -> Iterator[EarthEngineSource]:
    """A Level-1C collection, with a cloud score for what is not clear.

    It is low enough for a pixel of 20 m of which it is a quarter: the service takes the mean of scores there, where an
    archive hides a pixel of which any part is cloud.
    """
    config, scenes, scores = EarthEngineConfig(), [], []
    facts = {"CLOUDY_PIXEL_PERCENTAGE": 0.0, "PROCESSING_BASELINE": BASELINE}
    for picture in pictures:
        outline, bands = footprint_wgs84(picture.grid), {}
        for band, plane in picture.planes.items():
            file = f"{picture.name}/{KEYS[band]}.tif"
            write_cog(root / file, plane.pixels, plane.grid)
            bands[_google(KEYS[band])] = Band((file,))
        score = f"scores/{picture.name}.tif"
        write_cog(root / score, np.where(picture.clear, 0.65, 0.05).astype(np.float32), picture.grid)
        scenes.append(Asset(picture.name, picture.day, outline, bands, properties=facts))
        scores.append(Asset(picture.name, picture.day, outline, {config.cloud_score_band: Band((score,))}))
    with earth_engine("sentinel-2-l1c", root, {config.sentinel2_l1c: scenes, config.cloud_score: scores}) as source:
        yield source


@contextmanager
def earth_engine(product: str, root: Path, collections: Mapping[str, Sequence[Asset]]) -> Iterator[EarthEngineSource]:
    """The source, with a service account's key, against the stand-in over files below `root`."""
    keys = make_keys()
    write_catalogue(root, keys, collections)
    with served(root) as server, pytest.MonkeyPatch.context() as environment:
        key = server.write_key(root / "key.json", keys)
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        environment.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        yield EarthEngineSource(product, server.config())


@dataclass(frozen=True)
class Apart:
    """How far two composites are apart over the pixels that are compared: `counts` is the share of them with other
    counts of clear observations; the rest are of the others, in reflectance x 10,000.
    """

    pair: str
    largest: int
    share: float
    mean: float
    counts: float

    def __str__(self) -> str:
        return (
            f"{self.pair:<32} largest {self.largest:>4}   differing {self.share:8.4%}   mean {self.mean:+.4f}   "
            f"other counts {self.counts:.4%}"
        )


def compare(
    where: str, composites: Mapping[str, Composite], chosen: npt.NDArray[np.bool_] | None = None
) -> dict[tuple[str, str], Apart]:
    """Every pair, logged as a table; `chosen` (row, column) are the pixels that are compared."""
    table = {}
    for pair in combinations(composites, 2):
        one, other = (composites[name] for name in pair)
        here = np.ones(one.clear_count.shape, dtype=np.bool_) if chosen is None else chosen
        equal = one.clear_count == other.clear_count
        difference = one.pixels[:, here & equal].astype(np.int64) - other.pixels[:, here & equal]
        table[pair] = Apart(
            pair=f"{pair[0]} and {pair[1]}",
            largest=int(np.abs(difference).max()),
            share=float((difference != 0).mean()),
            mean=float(difference.mean()),
            counts=float((~equal[here]).mean()),
        )
    logging.getLogger(__name__).info("%s:\n%s", where, "\n".join(map(str, table.values())))
    return table


def _write_scene(root: Path, picture: Picture) -> None:
    classes = np.where(picture.clear, _GROUND, _CLOUD).astype(np.uint8)
    write_cog(root / picture.name / "SCL.tif", classes, picture.grid)
    for band, plane in picture.planes.items():
        write_cog(root / picture.name / f"{KEYS[band]}.tif", plane.pixels, plane.grid)


def _google(key: str) -> str:
    """`B2` for `B02`."""
    return key.replace("B0", "B")
