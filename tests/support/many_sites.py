"""Many small sites side by side, their partition, and a project of them on Earth Engine's stand-in."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from earth_engine_scenes import CONFIG, L1C, L2A, SCORE, write
from earth_engine_world import Asset, Band, Keys, Running, make_keys, served, write_catalogue
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.imagery.build import build_imagery
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Manifest, Outcome, PartitionRef
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.net.policy import Clock
from minemap_assets.project.regions import REGIONS_PATH, Region, write_regions
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.reference.registered import PROMOTED_SITES_PATH
from planet_trial import frame as site_frame
from tiny import Chain

GROUND = GeoBox((640, 640), Affine(10.0, 0.0, 496_800.0, 0.0, -10.0, 9_303_200.0), "EPSG:32722")
"""6.4 km square, where a project's many sites lie."""

SHARE = 0.2
"""Of all requests, in the storms of these tests."""

HURRIED = Clock(sleep=lambda seconds: time.sleep(seconds / 10.0), monotonic=lambda: time.monotonic() * 10.0)
"""Time that passes ten times as fast."""


def windows(ground: GeoBox, count: int, pixels: int) -> dict[str, GeoBox]:
    """So many square windows of a raster, spread over it row by row, by site id."""
    across = math.ceil(math.sqrt(count))
    step = int(ground.shape[0]) // across
    corners = [(n // across * step + 8, n % across * step + 8) for n in range(count)]
    return {f"m{n:03d}": ground[y : y + pixels, x : x + pixels] for n, (y, x) in enumerate(corners)}


@dataclass(frozen=True)
class Built:
    """An imagery partition: its manifest, and the index of its files."""

    manifest: Manifest
    index: gpd.GeoDataFrame


def partition(
    folder: Path, sites: Mapping[str, GeoBox], source: ImagerySource, season: Season, bands: Sequence[str], workers: int
) -> Built:
    """The imagery of some sites, in a lake below `folder`."""
    lake = Lake.local(folder / "lake", folder / "state")
    ref = PartitionRef("imagery", "imagery", ("test", str(season.year)))

    def make(writer: PartitionWriter) -> Outcome:
        return build_imagery(site_frame(dict(sites)), [source], season, bands, 0.1, writer, workers=workers)

    manifest, _ = build_partition(lake, ref, code_version="1", config={}, inputs={}, build=make)
    return Built(manifest, open_imagery(lake.open(ref)).index)


def most_requests(needed: int) -> float:
    """What `needed` requests may become where a share of all fails: the mean, and two deviations.

    A failed one is sent again, and before that at worst something is renewed for it (a signature, a token, a header).
    """
    return (needed * (1 + SHARE) + 2 * math.sqrt(needed * SHARE)) / (1 - SHARE)


@dataclass(frozen=True)
class Ground:
    """Earth Engine's stand-in with one scene a year of `GROUND`, and the key file of an account."""

    server: Running
    key: Path


@contextmanager
def serve_ground(root: Path, years: Sequence[int]) -> Iterator[Ground]:
    """Write a scene for each year, and serve them."""
    root.mkdir(parents=True, exist_ok=True)
    keys = make_keys()
    write_catalogue(root, keys, _collections(root, years))
    with served(root) as server:
        yield Ground(server, _key(root, server, keys))


def _key(root: Path, server: Running, keys: Keys) -> Path:
    return server.write_key(root / "key.json", keys)


def _collections(root: Path, years: Sequence[int]) -> dict[str, list[Asset]]:
    outline, scenes, scores = footprint_wgs84(GROUND), [], []
    score = write(root / "score.tif", np.full((1, *GROUND.shape), 0.9, dtype=np.float32), GROUND)
    for year in years:
        day, index = date(year, 7, 3), f"{year}0703T134021_{year}0703T134022_T22MDB"
        pixels = np.random.default_rng(year).integers(100, 3000, (2, *GROUND.shape)).astype(np.uint16)
        file = write(root / f"{index}.tif", pixels, GROUND)
        facts = {"CLOUDY_PIXEL_PERCENTAGE": 5.0, "PROCESSING_BASELINE": "05.00"}
        scenes.append(Asset(index, day, outline, {"B2": Band((file,), 1), "B8": Band((file,), 2)}, properties=facts))
        scores.append(Asset(index, day, outline, {"cs_cdf": Band((score,))}))
    return {L2A: scenes, L1C: [], SCORE: scores} | {one.asset: [] for one in CONFIG.nicfi}


def small_project(folder: Path, sites: int, settings: str) -> Chain:
    """A project with one region whose sites a person drew: squares of 60 m on `GROUND`."""
    chain = Chain(folder)
    store = chain.project.lake.store
    outlines = [footprint_wgs84(grid) for grid in windows(GROUND, sites, 6).values()]
    store.write_bytes(SETTINGS_PATH, settings.encode())
    store.write_bytes(PROMOTED_SITES_PATH, _collection(outlines))
    region = Region(slug="valley", title="Valley", geometry=shapely.box(*footprint_wgs84(GROUND).bounds))
    store.write_bytes(REGIONS_PATH, write_regions([region]))
    return chain


def _collection(outlines: Sequence[BaseGeometry]) -> bytes:
    frame = gpd.GeoDataFrame({"note": ["drawn"] * len(outlines)}, geometry=list(outlines), crs=4326)
    return str(frame.to_json()).encode()
