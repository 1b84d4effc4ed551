"""Partitions to predict: sites of one chip each with drawn pixels, and models with random weights."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from minemap_assets.chips.store import ChipStore
from minemap_assets.geo.grid import footprint_wgs84, square_grid, to_columns
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.lake.lake import Lake, build_partition
from minemap_assets.lake.manifests import Outcome, PartitionRef
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.segmentation.artefact import LOG, MODEL, ModelCard, ProductCard, write_card
from minemap_assets.segmentation.calibration import Calibration
from minemap_assets.segmentation.networks.files import build, save_networks
from minemap_assets.segmentation.networks.shapes import NetworkShape
from minemap_assets.segmentation.normalisation import Normalisation

BANDS = ("blue", "green", "red", "nir")
PRODUCT = "planet-nicfi"
MEAN, SPREAD = 1500.0, 500.0


def sites_of(count: int, side: int) -> gpd.GeoDataFrame:
    """Sites of one chip of `side` x `side` pixels each."""
    grids = [square_grid(300_000.0 + 40.0 * number, 9_300_000.0, side, 32721) for number in range(count)]
    rows = [
        asdict(to_columns(grid))
        | {
            "site_id": f"m{number:05d}",
            "region": "bench",
            "origin": "reference",
            "split_group": "g",
            "longitude": 0.0,
            "latitude": 0.0,
            "ground_resolution": 5.0,
            "outline_km2": 1.0,
        }
        for number, grid in enumerate(grids)
    ]
    return gpd.GeoDataFrame(rows, geometry=[footprint_wgs84(grid) for grid in grids], crs=WGS84)


def make(lake: Lake, ref: PartitionRef, build_: Any) -> Partition:
    """Run a build and open what it published."""
    build_partition(lake, ref, code_version="1", config={}, inputs={}, build=build_)
    return lake.open(ref)


def chips_of(lake: Lake, sites: gpd.GeoDataFrame, side: int, scenes: int = 16) -> Partition:
    """A chips partition with the chip of every site, `scenes` different ones in turn."""
    drawn = [scene(seed, side) for seed in range(min(scenes, len(sites)))]

    def build_chips(writer: PartitionWriter) -> Outcome:
        store = ChipStore.create(writer.path("chips.zarr"), PRODUCT, BANDS, side, len(sites), labelled=False)
        for chip in range(len(sites)):
            store.put(chip, drawn[chip % len(drawn)], None)
        store.finish(len(sites))
        writer.add("chips.zarr")
        facts = {"chip": range(len(sites)), "row": 0, "column": 0, "observed_fraction": 1.0}
        frame = sites[["site_id", "crs", "transform", "width", "height", "geometry"]].assign(**facts)
        writer.write("index.parquet", lambda path: write_geoparquet(frame, path))
        return Outcome()

    return make(lake, PartitionRef("chips", "chips", ("bench", "2019")), build_chips)


def scene(seed: int, side: int) -> npt.NDArray[np.uint16]:
    """Reflectance x 10,000 (band, row, column): patches of all sizes and noise."""
    torch.manual_seed(seed)
    total = torch.zeros(1, len(BANDS), side, side)
    for step in (2, 8, 32):
        coarse = torch.randn(1, len(BANDS), max(1, side // step), max(1, side // step))
        total += torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    pixels = MEAN + SPREAD * total[0].numpy() / np.sqrt(3.0)
    drawn: npt.NDArray[np.uint16] = np.clip(pixels, 1, 10_000).astype(np.uint16)
    return drawn


def model_of(lake: Lake, name: str, shape: NetworkShape, reduction: int) -> Partition:
    """A model of one network with random weights."""

    def build_model(writer: PartitionWriter) -> Outcome:
        folder = writer.path(MODEL)
        folder.mkdir()
        write_model(folder, shape, reduction)
        writer.add(MODEL)
        return Outcome()

    return make(lake, PartitionRef("segmentation", f"model_{name}", ()), build_model)


def write_model(folder: Path, shape: NetworkShape, reduction: int) -> None:
    """The files of such a model."""
    torch.manual_seed(0)
    save_networks([build(shape, len(BANDS))], folder)
    about = ProductCard(
        normalisation=Normalisation(mean=(MEAN,) * len(BANDS), spread=(SPREAD,) * len(BANDS)),
        calibration=Calibration(),
        operating_points={"match_area": 0.5},
        chosen_on="train",
        metrics={},
    )
    write_card(ModelCard(bands=BANDS, products={PRODUCT: about}, reduction=reduction), folder)
    pd.DataFrame({"step": [0]}).to_parquet(folder / LOG)
